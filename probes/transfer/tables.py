"""The table of a run: a line a method, in distribution and out of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.report.plates import Grid
from probes.report.words import GAP, number
from probes.results import Results, Row
from probes.transfer.foretold import METRIC

if TYPE_CHECKING:
    from rich.table import Table

NAMES = {"zero-shot": "zero-shot", "lp": "LP", "ft": "FT", "lp-ft": "LP-FT", "zs-ft": "ZS-FT"}
NOTE = (
    "mean over runs ± arm of its 90 % interval over runs [95 % interval over items]; penalty, rate "
    "and epoch chosen on dev"
)
CHANGED = (
    "shift: how far features moved (mean Euclidean distance); ECE: calibration error, as it is and "
    "at the temperature T that fits dev; over line: accuracy under shift beyond what accuracy at "
    "home foretells, by the line through the linear probes of the path (*: runs lie beyond these "
    "at home, where the line is extrapolated); means over runs"
)
BEYOND = "*"
SCORES = ("accuracy", "mcc")
OOD = "OOD: "
MOST_COLUMNS = 5
"""That stand side by side with intervals in a terminal."""


def load(folder: str | Path, kind: str = "train") -> tuple[Results, dict[str, Any]] | None:
    """Read a finished run of `probes train`, or of `probes wise` (its kind is ``"wise"``).

    Parameters
    ----------
    folder : str or Path
        Of the run.
    kind : str
        That ``run.json`` names.

    Returns
    -------
    (Results, dict) or None
        What it found, and ``run.json`` with its ``configuration``; None where the folder holds
        something else, or a run that is not finished.
    """
    out = Path(folder)
    try:
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
        if run["kind"] != kind:
            return None
        run["configuration"] = (out / "config.yaml").read_text(encoding="utf-8")
        return Results.load(out / "results.jsonl"), run
    except (OSError, ValueError, KeyError, TypeError):
        return None


def shifts_of(rows: Iterable[Row]) -> list[str]:
    """List the sets out of distribution, in their order."""
    return [s for s in dict.fromkeys(row.split for row in rows) if s.startswith("ood/")]


def is_apart(row: Row) -> bool:
    """Say whether the interval of a difference leaves nought out."""
    return row.low is not None and row.high is not None and (row.low > 0 or row.high < 0)


def tables(results: Results) -> list[Table]:
    """Lay out what a run found, for a terminal; as `grids`."""
    *scores, changed = grids(results)
    return [*(laid_out(grid, NOTE) for grid in scores), laid_out(changed, CHANGED)]


def laid_out(grid: Grid, note: str) -> Table:
    """Lay a grid out for a terminal, with a note below.

    Sets out of distribution are numbered, and named below. A grid with more
    columns than rows and than a terminal has room for is turned; one that has many of both leaves
    its intervals over items to the page.
    """
    from rich.markup import escape
    from rich.table import Table

    heads, named = _numbered(grid.heads)
    lines = [heads, *map(list, grid.rows)]
    if len(grid.rows) <= MOST_COLUMNS < len(heads):
        lines = [list(line) for line in zip(*lines, strict=True)]
    if len(lines[0]) > MOST_COLUMNS:
        lines = [[cell.partition(" [")[0].replace(" ± ", "±") for cell in line] for line in lines]
        named = [*named, "intervals over items: report.html"]
    look: Any = {"caption_justify": "left", "box": None, "pad_edge": False}
    caption = escape("\n".join([note, *named]))
    table = Table(title=escape(grid.caption), caption=caption, **look)
    for k, head in enumerate(lines[0]):
        table.add_column(escape(head), justify="right" if k else "left", no_wrap=not k)
    for line in lines[1:]:
        table.add_row(*map(escape, line))
    return table


def _numbered(heads: Sequence[str]) -> tuple[list[str], list[str]]:
    """Number the sets out of distribution in heads, and say which is which."""
    sets = dict.fromkeys(head[head.index(OOD) :] for head in heads if OOD in head)
    short = {name: f"OOD {k}" for k, name in enumerate(sets, start=1)}
    numbered = [
        head[: head.index(OOD)] + short[head[head.index(OOD) :]] if OOD in head else head
        for head in heads
    ]
    return numbered, [f"{number}: {name.removeprefix(OOD)}" for name, number in short.items()]


def grids(results: Results) -> list[Grid]:
    """Lay out what a run found.

    Parameters
    ----------
    results : Results
        Of `probes.transfer.job.run_train`.

    Returns
    -------
    list of Grid
        One a metric: rows are methods, columns dev, ID (test) and each set out of distribution,
        with two of those or more, their mean. Then what training changed: the head, features, and
        how far probabilities can be believed.
    """
    scores = [m for m in SCORES if results.where(metric=m)]
    return [*(_grid(results.where(metric=m), m) for m in scores), _changed(results)]


def _grid(rows: Results, metric: str) -> Grid:
    splits = list(dict.fromkeys(row.split for row in rows))
    shifts = shifts_of(rows)
    heads = ["", "chosen", *map(heading, splits), *(["OOD mean"] if len(shifts) > 1 else [])]
    lines = []
    for method in dict.fromkeys(row.method for row in rows):
        own = rows.where(method=method)
        cells = [cell(own.where(split=split)) for split in splits]
        if len(shifts) > 1:
            cells.append(mean_cell(own, shifts))
        lines.append([NAMES.get(method, method), _chosen(own[0]), *cells])
    return Grid(metric, heads, lines)


def _changed(results: Results) -> Grid:
    splits = [s for s in dict.fromkeys(row.split for row in results) if s not in ("dev", "train")]
    columns = [("head norm", "train", "head-norm"), ("T", "dev", "temperature")]
    for split in splits:
        columns.append((f"shift {heading(split)}", split, "feature-shift"))
        columns.append((f"ECE {heading(split)}", split, "ece"))
        columns.append((f"at T {heading(split)}", split, "ece-scaled"))
        if results.where(split=split, metric=METRIC):
            columns.append((f"over line {heading(split)}", split, METRIC))
    lines = []
    for method in dict.fromkeys(row.method for row in results):
        own = results.where(method=method, seed=None)
        cells = [_mean_of(own, split, metric) for _, split, metric in columns]
        lines.append([NAMES.get(method, method), *cells])
    return Grid("What training changed", ["", *(name for name, _, _ in columns)], lines)


def _mean_of(rows: Results, split: str, metric: str) -> str:
    found = rows.where(split=split, metric=metric)
    if not found or found[0].value is None:
        return GAP
    value, high = found[0].value, found[0].high
    text = number(value) if abs(value) < 10 else f"{value:.1f}"
    text += "" if high is None else f" ± {number(high - value)}"
    return f"{text} {BEYOND}" if json.loads(found[0].setting).get("beyond") else text


def heading(split: str) -> str:
    """Name a set for a reader."""
    return {"dev": "dev", "test": "ID"}.get(split, f"{OOD}{split.removeprefix('ood/')}")


def _chosen(row: Row) -> str:
    setting = json.loads(row.setting)
    if (n := setting.get("n_templates")) is not None:
        return f"{n} template{'s' if n > 1 else ''}"
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
