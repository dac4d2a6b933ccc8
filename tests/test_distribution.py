"""What is shipped: the wheel holds what it must, no more, and works where nothing else is."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from conftest import ROOT

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy of what git tracks."""
    home = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (home / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, home / "source" / name)
    build = [*PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", str(home), str(home / "source")], check=True)
    (built,) = home.glob("*.whl")
    return built


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        (metadata,) = (n for n in archive.namelist() if n.endswith("METADATA"))
        text = archive.read(metadata).decode()
        licences = [n for n in archive.namelist() if n.endswith("LICENSE")]
    assert {name.split("/")[0] for name in names} == {"probes", "probes_tasks"}
    ours = [*(ROOT / "probes").rglob("*"), *(ROOT / "tasks").rglob("*")]
    wanted = {
        str(path.relative_to(ROOT)) for path in ours if path.suffix in (".py", ".html", ".tsv")
    }
    wanted |= {"probes/py.typed", "tasks/py.typed"}
    assert names == {re.sub("^tasks/", "probes_tasks/", name) for name in wanted}
    assert "probes/report/page.html" in names
    assert re.search(r"^Name: layerprobes$", text, re.MULTILINE)
    assert len(licences) == 1


def test_the_wheel_passes_its_checker(wheel):
    check = [sys.executable, "-m", "check_wheel_contents", "--toplevel", "probes,probes_tasks"]
    done = subprocess.run([*check, str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_installed_copy_works_from_an_empty_folder(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    install = [*PIP, "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*install, str(wheel)], check=True)
    env = os.environ | {"PYTHONPATH": str(site)}

    def python(*arguments: str) -> str:
        command = [sys.executable, "-P", *arguments]
        done = subprocess.run(command, cwd=empty, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import probes, probes_tasks; print(probes.__file__, probes_tasks.__file__)"
    assert python("-c", where).split() == [
        str(site / "probes" / "__init__.py"),
        str(site / "probes_tasks" / "__init__.py"),
    ]
    assert "english" in python("-m", "probes", "tasks")
    assert "usage: probes COMMAND" in python("-m", "probes", "--help")
    assert "--task.sentences" in python("-m", "probes", "tasks", "english")
    template = "from importlib.resources import files; print(files('probes.report') / 'page.html')"
    assert python("-c", template).strip() == str(site / "probes" / "report" / "page.html")
    assert (site / "bin" / "probes").is_file()
