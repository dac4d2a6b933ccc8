"""The table of a run: a line a method, in distribution and out of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from probes.report.words import GAP, number
from probes.results import Results, Row

if TYPE_CHECKING:
    from rich.table import Table

NAMES = {"lp": "LP", "ft": "FT", "lp-ft": "LP-FT"}
NOTE = (
    "mean over runs ± arm of its 90 % interval over runs [95 % interval over items]; penalty, rate "
    "and epoch chosen on dev"
)


def load(folder: str) -> Results | None:
    """Read the results of a run of `probes train`; None where the folder holds another kind."""
    about = Path(folder) / "run.json"
    try:
        kind = json.loads(about.read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError, AttributeError):
        return None
    return Results.load(Path(folder) / "results.jsonl") if kind == "train" else None


def tables(results: Results) -> list[Table]:
    """Lay out what a run found, for a terminal.

    Parameters
    ----------
    results : Results
        Of `probes.transfer.job.run_train`.

    Returns
    -------
    list of rich.table.Table
        One a metric: rows are methods, columns dev, ID (test) and each set out of distribution;
        with two of those or more, their mean.
    """
    return [_table(results.where(metric=m), m) for m in dict.fromkeys(r.metric for r in results)]


def _table(rows: Results, metric: str) -> Table:
    from rich.table import Table

    splits = list(dict.fromkeys(row.split for row in rows))
    shifts = [split for split in splits if split.startswith("ood/")]
    table = Table(title=metric, caption=NOTE, caption_justify="left", box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("chosen", justify="right")
    for split in splits:
        table.add_column(heading(split), justify="right")
    if len(shifts) > 1:
        table.add_column("OOD mean", justify="right")
    for method in dict.fromkeys(row.method for row in rows):
        own = rows.where(method=method)
        cells = [cell(own.where(split=split)) for split in splits]
        if len(shifts) > 1:
            cells.append(mean_cell(own, shifts))
        table.add_row(NAMES.get(method, method), _chosen(own[0]), *cells)
    return table


def heading(split: str) -> str:
    """Name a set for a reader."""
    return {"dev": "dev", "test": "ID"}.get(split, f"OOD: {split.removeprefix('ood/')}")


def _chosen(row: Row) -> str:
    setting = json.loads(row.setting)
    return f"C {setting['C']:.2g}" if "C" in setting else f"rate {setting.get('rate', 0):.2g}"


def cell(rows: Sequence[Row]) -> str:
    """Write the mean over runs with its two intervals.

    Parameters
    ----------
    rows : sequence of Row
        Of one method, metric and set.

    Returns
    -------
    str
        As ``.829 ± .004 [.801, .855]``; without the arm where there is one run alone.
    """
    over = {json.loads(row.setting).get("over"): row for row in rows if row.seed is None}
    items, runs = over["items"], over.get("runs")
    if items.value is None:
        return GAP
    text = number(items.value)
    if runs is not None and runs.high is not None and runs.value is not None:
        text += f" ± {number(runs.high - runs.value)}"
    if items.low is not None:
        text += f" [{number(items.low)}, {number(items.high)}]"
    return text


def mean_cell(rows: Results, shifts: Sequence[str]) -> str:
    """Write the mean over sets out of distribution of a method's mean over runs."""
    means = [
        row.value
        for split in shifts
        for row in rows.where(split=split, seed=None)
        if json.loads(row.setting).get("over") == "items"
    ]
    if any(value is None for value in means):
        return GAP
    return number(sum(value for value in means if value is not None) / len(means))
