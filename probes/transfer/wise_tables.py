"""The tables of a run of `probes wise`: a line an alpha, then what dev chose, and soups."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from probes.report.plates import Grid
from probes.results import Results, Row
from probes.transfer.tables import SCORES, cell, heading, laid_out, mean_cell, shifts_of
from probes.transfer.wise import DEFAULT_ALPHA

if TYPE_CHECKING:
    from rich.table import Table

NOTE = (
    "mean over runs ± arm of its 90 % interval over runs [95 % interval over items]; alpha and the "
    "greedy soup are chosen on dev"
)
SOUPS = {"uniform-soup": "uniform soup", "greedy-soup": "greedy soup"}


def tables(results: Results, run: Mapping[str, Any]) -> list[Table]:
    """Lay out what a run found, for a terminal.

    Parameters
    ----------
    results : Results
        Of `probes.transfer.wise_job.run_wise`.
    run : mapping
        Its ``run.json``.

    Returns
    -------
    list of rich.table.Table
        As `grids`.
    """
    return [laid_out(grid, NOTE) for grid in grids(results, run)]


def grids(results: Results, run: Mapping[str, Any]) -> list[Grid]:
    """Lay out accuracy, and MCC where there is one.

    Parameters
    ----------
    results, run
        As `tables`.

    Returns
    -------
    list of Grid
        One a metric: rows are alphas, then the one that dev chose, the ensemble of outputs at one
        half, and soups; columns dev, ID (test) and each set out of distribution, and their mean
        where there are several.
    """
    metrics = [metric for metric in SCORES if results.where(metric=metric)]
    return [_grid(results.where(metric=metric), metric, run) for metric in metrics]


def alpha_of(row: Row) -> float:
    """Read a row's alpha."""
    return float(json.loads(row.setting)["alpha"])


def _grid(rows: Results, metric: str, run: Mapping[str, Any]) -> Grid:
    splits = list(dict.fromkeys(row.split for row in rows))
    shifts = shifts_of(rows)
    heads = ["", *map(heading, splits), *(["OOD mean"] if len(shifts) > 1 else [])]
    lines = [(name, own) for name, own in _lines(rows, run) if own]
    cells = []
    for name, own in lines:
        line = [name, *(cell(own.where(split=split)) for split in splits)]
        if len(shifts) > 1:
            line.append(mean_cell(own, shifts))
        cells.append(line)
    return Grid(metric, heads, cells)


def _lines(rows: Results, run: Mapping[str, Any]) -> list[tuple[str, Results]]:
    """Name each line, with its rows."""
    ends = {0.0: run["first"], 1.0: run["second"]}
    wise = rows.where(method="wise")
    lines = [
        (f"alpha {alpha:g}" + (f" ({ends[alpha]})" if alpha in ends else ""), _at(wise, alpha))
        for alpha in dict.fromkeys(map(alpha_of, wise))
    ]
    on_dev = f"chosen on dev: {run['alpha_on_dev']:g}"
    lines.append((on_dev, Results(rows.where(method="wise-dev"))))
    ensemble = rows.where(method="output-ensemble")
    lines.append((f"outputs, {DEFAULT_ALPHA:g}", _at(ensemble, DEFAULT_ALPHA)))
    kept = ", ".join(map(str, run["greedy_soup_kept"]))
    for method, name in SOUPS.items():
        of = f" of seeds {kept}" if method == "greedy-soup" else ""
        lines.append((f"{name}{of}", Results(rows.where(method=method))))
    return lines


def _at(rows: Sequence[Row], alpha: float) -> Results:
    return Results(row for row in rows if alpha_of(row) == alpha)
