"""The page of a run of `probes wise`: the curve, full and near, and all of its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.errors import InputError
from probes.files import write_whole
from probes.report.plates import Plate
from probes.report.plots import save_figure
from probes.report.shell import Chart, page_place, render_page, typeset
from probes.report.words import bracket, number
from probes.results import Results, Row
from probes.stats import Interval
from probes.transfer.curve import Point, wise_chart, wise_figure
from probes.transfer.foretold import lines_of
from probes.transfer.robustness import Trend
from probes.transfer.tables import heading, is_apart, load, shifts_of
from probes.transfer.wise import DEFAULT_ALPHA
from probes.transfer.wise_tables import NOTE, alpha_of, grids


def write_page(out: str | Path, page_at: str | Path | None = None) -> Path:
    """Write the page of a run, and its curves as figures, each whole or not at all.

    Parameters
    ----------
    out : str or Path
        Folder that ``probes wise`` wrote.
    page_at : str or Path, optional
        Where; ``report.html`` in that folder by default, beside ``curve-1.png`` (of the first set
        out of distribution) and so on.

    Returns
    -------
    Path
        The page: everything that it shows is in it, and it loads nothing.

    Raises
    ------
    InputError
        If the folder holds no finished run, or there is no place for the page.
    """
    if (found := load(out, "wise")) is None:
        raise InputError(f"{out} holds no finished run of `probes wise`; run it again")
    results, run = found
    place = page_place(out, page_at)
    if page_at is None:
        for k, split in enumerate(shifts_of(results), start=1):
            figure = wise_figure(points(results, split), trend=_trend(run, split))
            save_figure(figure, Path(out) / f"curve-{k}.png")
    write_whole(place, render(results, run).encode())
    return place


def points(results: Results, split: str) -> list[Point]:
    """Gather the curve: accuracy on test and on another set, at each alpha."""
    home, shifted = (_by_alpha(results, name) for name in ("test", split))
    return [Point(alpha, _interval(home[alpha]), _interval(shifted[alpha])) for alpha in home]


def render(results: Results, run: Mapping[str, Any]) -> str:
    """Make the text of the page.

    Parameters
    ----------
    results : Results
        Of the run.
    run : mapping
        Its ``run.json``, with its ``configuration``.

    Returns
    -------
    str
        HTML, the same for the same run.
    """
    charts: dict[str, Chart] = {}
    plates = []
    for k, split in enumerate(shifts_of(results), start=1):
        curve = points(results, split)
        for zoomed, name in ((False, "full"), (True, "near")):
            anchor = f"curve-{k}-{name}"
            charts[anchor] = wise_chart(curve, zoomed=zoomed, trend=_trend(run, split))
            plates.append(Plate(anchor, _words(curve, split), _caption(split, zoomed, run)))
    return render_page(
        "wise.html",
        charts,
        package="probes.transfer",
        name=Path(str(run["model"])).name,
        facts=_facts(run),
        notes=run["notes"],
        findings=[typeset(text) for text in findings(results, run)],
        plates=plates,
        grids=grids(results, run),
        note=NOTE,
        run=run,
    )


def findings(results: Results, run: Mapping[str, Any]) -> list[str]:
    """Say what averaging wins over either end, by item and in the mean over runs.

    Parameters
    ----------
    results, run
        As `render`.

    Returns
    -------
    list of str
        A sentence a set, for alpha one half and for the one that dev chose.
    """
    said = []
    for split in ("test", *shifts_of(results)):
        alphas = {DEFAULT_ALPHA: "wise", float(run["alpha_on_dev"]): "wise-dev"}
        for alpha, method in alphas.items():
            rows = {
                end: _at(results.where(method=method, metric=f"accuracy-over-{end}"), split, alpha)
                for end in ("first", "second")
            }
            by = " (chosen on dev)" if method == "wise-dev" else ""
            said.append(
                f"{heading(split)}, alpha {alpha:g}{by}: {_over(rows['first'])} "
                f"{run['first']}'s accuracy, {_over(rows['second'])} {run['second']}'s."
            )
    return said


def _trend(run: Mapping[str, Any], split: str) -> Trend | None:
    """The line on which the linear probes of the training run lie."""
    line = lines_of(run["probes"], run["n"]).get(split)
    return None if line is None else line.trend


def _over(row: Row) -> str:
    difference = bracket(row, sign=True)
    if not is_apart(row):
        return f"{difference}, not to be told from"
    return f"{difference}, {'above' if (row.value or 0) > 0 else 'below'}"


def _at(rows: Sequence[Row], split: str, alpha: float) -> Row:
    return next(row for row in rows if row.split == split and alpha_of(row) == alpha)


def _by_alpha(results: Results, split: str) -> dict[float, Row]:
    rows = results.where(method="wise", metric="accuracy", split=split, seed=None)
    return {alpha_of(row): row for row in rows if json.loads(row.setting)["over"] == "items"}


def _interval(row: Row) -> Interval:
    return Interval(row.value, row.low, row.high, row.interval, row.n, row.n_groups)


def _facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    runs = ", ".join(map(str, run["runs"]))
    sets = "; ".join(f"{heading(name)}: {run['sets'][name]}, {n:,}" for name, n in run["n"].items())
    return [
        ("model", str(run["model"])),
        ("task", str(run["title"])),
        ("from, to", f"{run['first']}, {run['second']}; seeds {runs}"),
        ("items", sets),
    ]


def _caption(split: str, zoomed: bool, run: Mapping[str, Any]) -> str:
    if zoomed:
        return f"{heading(split)}: the same, as near as the points and their intervals allow."
    said = (
        f"{heading(split)}: accuracy under shift against accuracy at home along the line from "
        f"{run['first']} (alpha 0) to {run['second']} (alpha 1), mean over runs; bars are 95 % "
        "intervals over items."
    )
    if (line := lines_of(run["probes"], run["n"]).get(split)) is not None:
        said += (
            f" Dashed: the line through the {line.trend.n_models} linear probes of the training "
            f"run, which lie between {number(line.low)} and {number(line.high)} at home; beyond, "
            "it is extrapolated."
        )
    return said


def _words(curve: Sequence[Point], split: str) -> str:
    ends = ", ".join(
        f"alpha {p.alpha:g}: {number(p.home.value)} at home, {number(p.shifted.value)} under shift"
        for p in curve
        if p.alpha in (0.0, DEFAULT_ALPHA, 1.0)
    )
    return f"{heading(split)}: {ends}"
