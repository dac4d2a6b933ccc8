"""The house: imports only go down, files stay small, nothing heavy is imported early."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {
    "probes.__main__": 10,
    "probes.cli": 9,
    "probes.cli_report": 8,
    "probes.cli_roles": 8,
    "probes.cli_transfer": 8,
    "probes.flags": 3,
    "probes.bars": 1,
    "probes.robustness": 7,
    "probes.roles": 6,
    "probes.transfer": 6,
    "probes.diagnostic": 4,
    "probes.analogy": 5,
    "probes.states": 3,
    "probes.encoders": 2,
    "probes.report": 2,
    "probes_tasks": 2,
    "probes.registry": 2,
    "probes.task": 1,
    "probes.results": 1,
    "probes.stats": 1,
    "probes.configs": 1,
    "probes.cores": 0,
    "probes.metrics": 0,
    "probes.choices": 0,
    "probes.images": 0,
    "probes.files": 1,
    "probes.doctor": 3,
    "probes.errors": -1,
    "probes": 0,
}
FILES = sorted([*(ROOT / "probes").rglob("*.py"), *(ROOT / "tasks").rglob("*.py")])


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "tasks":
        parts[0] = "probes_tasks"
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    parts = module.split(".")
    return next(
        ".".join(parts[:k]) for k in range(len(parts), 0, -1) if ".".join(parts[:k]) in FLOORS
    )


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module is not None
            found.add(node.module)
            if node.module in ("probes", "probes_tasks"):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("probes", "probes_tasks")}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_only_go_down(path: Path) -> None:
    here = room(module_name(path))
    for name in imports(path):
        there = room(name)
        assert there == here or FLOORS[there] < FLOORS[here], f"{here} imports {there}"


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").rglob("*.py")), ids=module_name)
def test_tasks_import_nothing_of_probes_but_the_contract(path: Path) -> None:
    own = {name for name in imports(path) if name.startswith("probes_tasks")}
    assert imports(path) - own <= {"probes.task", "probes.errors"}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_files_hold_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 420


def test_no_drawer_modules() -> None:
    drawers = {"utils", "core", "base", "common", "helpers", "manager", "misc"}
    assert not drawers & {path.stem for path in FILES}


def test_importing_probes_loads_no_torch() -> None:
    code = "import sys, probes.registry, probes.results, probes.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
