"""What the folder of a finished run of `probes analogy` holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from probes.analogy.pictures import COLUMNS
from probes.errors import InputError
from probes.results import Results

COMMAND = "probes analogy"
PICTURES = "pictures.parquet"
_AGAIN = "run `probes analogy` again"
_RUN = frozenset(("run", "model", "set", "relations", "questions", "spaces", "seconds"))
_ASKED = ("questions_asked", "questions_given_away")
_SPACE = frozenset(("layer", "how", "space", "anisotropy", "words", "notes", *_ASKED))
_METRICS = frozenset(("accuracy", "accuracy-honest", "accuracy-macro", "accuracy-honest-macro"))


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
    if not path.is_file():
        return None
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(run, dict) or run.get("command") != COMMAND:
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


def _require_keys(path: Path, run: dict[str, Any]) -> None:
    lacking = sorted(_RUN - set(run))
    spaces = run.get("spaces")
    is_list = isinstance(spaces, list) and spaces and all(isinstance(one, dict) for one in spaces)
    if is_list and spaces:
        lacking += sorted(f"spaces.{key}" for key in _SPACE - set.intersection(*map(set, spaces)))
    elif "spaces" not in lacking:
        lacking.append("what it says of spaces")
    if lacking:
        raise InputError(f"{path} lacks {', '.join(lacking)}; {_AGAIN}")
