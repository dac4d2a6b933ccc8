"""The report of a run of role schemes: one HTML page, to be opened anywhere, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from probes.errors import InputError
from probes.files import write_whole
from probes.report.shell import page_place
from probes.results import Results

ROLES = "probes roles"


def is_decomposition(out: str | Path) -> bool:
    """Say whether a folder holds a finished run of ``probes roles fit``, ``digits`` or ``vectors``.

    What probes write (``probes probe``, ``probes roles probe``) names its tasks.
    """
    path = Path(out) / "run.json"
    if not path.is_file():
        return False
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return False
    if not isinstance(run, dict) or "run" not in run or "tasks" in run:
        return False
    return str(run.get("command", ROLES)).startswith(ROLES)


def write_page(out: str | Path, page_at: str | Path | None = None) -> Path:
    """Write the page of a run, whole or not at all.

    Parameters
    ----------
    out : str or Path
        Folder that ``probes roles fit``, ``probes roles digits`` or ``probes roles vectors`` wrote.
    page_at : str or Path, optional
        Where; ``report.html`` in that folder by default.

    Returns
    -------
    Path
        The page: everything that it shows is in it, and it loads nothing.

    Raises
    ------
    InputError
        If the folder lacks a file, or holds another kind of run.
    """
    from probes.roles.pages.digits import digits_page
    from probes.roles.pages.text import text_page
    from probes.roles.pages.vectors import vectors_page

    out = Path(out)
    texts = {name: _read(out / name) for name in ("run.json", "config.yaml")}
    results = Results.load(out / "results.jsonl")
    methods = {row.method for row in results}
    run: dict[str, Any] = json.loads(texts["run.json"])
    config: dict[str, Any] = yaml.safe_load(texts["config.yaml"])
    pages = {"network": digits_page, "tpdn-given": text_page}
    page = next((pages[method] for method in pages if method in methods), None)
    if page is None and any(row.task.startswith("vectors/") for row in results):
        page = vectors_page
    if page is None:
        raise InputError(
            f"{out} holds no run of `probes roles fit`, `digits` or `vectors` (its methods: "
            f"{', '.join(sorted(methods)) or 'none'}); name the folder of one"
        )
    text = page(results, run | {"configuration": texts["config.yaml"]}, config)
    place = page_place(out, page_at)
    write_whole(place, text.encode())
    return place


def _read(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"no {path}: the run is not finished; run it again")
    return path.read_text(encoding="utf-8")
