"""What the folder of a finished run of `probes analogy` holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from probes.errors import InputError
from probes.results import Results

COMMAND = "probes analogy"
PICTURES = "pictures.parquet"
_AGAIN = "run `probes analogy` again"
_NUMBER = (int, float)
_RUN: dict[str, Any] = {
    **dict.fromkeys(("run", "model", "set"), str),
    **dict.fromkeys(("relations", "questions"), int),
    "spaces": list,
    "seconds": _NUMBER,
}
_SPACE: dict[str, Any] = {
    **dict.fromkeys(("layer", "how", "space"), str),
    **dict.fromkeys(("words", "questions_asked", "questions_given_away"), int),
    "anisotropy": _NUMBER,
    "notes": list,
}
_METRICS = frozenset(("accuracy", "accuracy-honest", "accuracy-macro", "accuracy-honest-macro"))


def is_run(out: str | Path) -> bool:
    """Say whether a folder holds a run of this command that ended."""
    run = _read(Path(out) / "run.json")
    return run is not None and run.get("command") == COMMAND


def load(out: str | Path) -> tuple[Results, dict[str, Any]] | None:
    """Load the results and the description of a run.

    Parameters
    ----------
    out : str or Path
        Its folder.

    Returns
    -------
    tuple of Results and dict, or None
        None of another kind of run.

    Raises
    ------
    InputError
        If a file is damaged, or of a version that counted less. The message says which.
    """
    path = Path(out) / "run.json"
    run = _read(path)
    if run is None or run.get("command") != COMMAND:
        return None
    _require_keys(path, run)
    results = Results.load(Path(out) / "results.jsonl")
    if lacking := _METRICS - {row.metric for row in results}:
        raise InputError(
            f"{Path(out) / 'results.jsonl'} has {len(results):,} row(s), and none of "
            f"{', '.join(sorted(lacking))}; {_AGAIN}"
        )
    return results, run


def load_pictures(out: Path) -> pd.DataFrame:
    """Read ``pictures.parquet``, whose columns are `probes.analogy.pictures.COLUMNS`.

    Raises
    ------
    InputError
        If it is not there, or damaged, or of another form.
    """
    from probes.analogy.pictures import COLUMNS  # not above: it takes torch to draw them

    path = out / PICTURES
    if not path.is_file():
        raise InputError(f"no {path}; {_AGAIN}, which draws the pictures")
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        said = str(error).splitlines()[0]
        raise InputError(f"{path} is damaged ({said}); {_AGAIN}") from None
    if lacking := [name for name in COLUMNS if name not in frame.columns]:
        raise InputError(f"{path} lacks {', '.join(lacking)}; {_AGAIN}")
    return frame


def load_config(out: Path) -> str:
    """Read the text of ``config.yaml``."""
    path = out / "config.yaml"
    if not path.is_file():
        raise InputError(f"no {path}: the run is not finished; run it again")
    return path.read_text(encoding="utf-8")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return run if isinstance(run, dict) else None


def _require_keys(path: Path, run: dict[str, Any]) -> None:
    bad = [key for key, kind in _RUN.items() if not isinstance(run.get(key), kind)]
    if "spaces" not in bad:
        bad += [] if run["spaces"] else ["spaces"]
        for one in run["spaces"]:
            of = one if isinstance(one, dict) else {}
            bad += [f"spaces.{k}" for k, kind in _SPACE.items() if not isinstance(of.get(k), kind)]
    if bad:
        raise InputError(
            f"{path} lacks {', '.join(dict.fromkeys(bad))}, or has another kind of value there; "
            f"{_AGAIN}"
        )
