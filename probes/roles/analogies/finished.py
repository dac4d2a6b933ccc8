"""What the folder of a finished run of `probes roles analogies` holds."""

from __future__ import annotations

from pathlib import Path

from probes.results import Results

TASKS = ("analogies/digits", "analogies/sentences")
"""Of the rows: over sequences of digits, and over sentences."""


def load(out: str | Path) -> Results | None:
    """Load the results of a run.

    Parameters
    ----------
    out : str or Path
        Its folder.

    Returns
    -------
    Results or None
        None of another kind of run, all of which write a ``run.json``.

    Raises
    ------
    InputError
        If a line of the results is damaged. The message names it.
    """
    path = Path(out) / "results.jsonl"
    if (Path(out) / "run.json").exists() or not path.is_file():
        return None
    results = Results.load(path)
    return results if results and all(row.task in TASKS for row in results) else None
