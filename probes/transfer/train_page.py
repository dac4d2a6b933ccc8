"""The page of a run of `probes train`: each method at home and under shift, and what it changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from probes.errors import InputError
from probes.files import write_whole
from probes.report.charts import axes_layout, plain
from probes.report.plates import Plate
from probes.report.series import COLOURS
from probes.report.shell import Chart, page_place, render_page, typeset
from probes.report.words import bracket, number
from probes.results import Results, Row
from probes.transfer.curve import HOME, SHIFTED
from probes.transfer.foretold import HOME as HOME_SET
from probes.transfer.foretold import lines_of
from probes.transfer.tables import CHANGED, NAMES, NOTE, grids, heading, is_apart, load, shifts_of


def write_page(out: str | Path, page_at: str | Path | None = None) -> Path:
    """Write the page of a run, whole or not at all.

    Parameters
    ----------
    out : str or Path
        Folder that ``probes train`` wrote.
    page_at : str or Path, optional
        Where; ``report.html`` in that folder by default.

    Returns
    -------
    Path
        The page: everything that it shows is in it, and it loads nothing.

    Raises
    ------
    InputError
        If the folder holds no finished run, or there is no place for the page.
    """
    if (found := load(out)) is None:
        raise InputError(f"{out} holds no finished run of `probes train`; run it again")
    place = page_place(out, page_at)
    write_whole(place, render(*found).encode())
    return place


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
        charts[f"shift-{k}"] = runs_chart(results, split, _probes(run))
        caption = (
            f"{heading(split)}: a point a run; crosses are means over runs, with 95 % intervals "
            "over items, at home and under shift. Small points are the linear probes of the path, "
            "a penalty each; the dotted line, straight in logits, is what they foretell of a model "
            "from its accuracy at home."
        )
        plates.append(Plate(f"shift-{k}", _words(results, split), caption))
    *scores, changed = grids(results)
    return render_page(
        "train.html",
        charts,
        package="probes.transfer",
        name=Path(str(run["model"])).name,
        facts=_facts(run),
        notes=run["notes"],
        findings=[typeset(text) for text in findings(results)],
        plates=plates,
        scores=scores,
        changed=changed,
        note=NOTE,
        changed_note=CHANGED,
        run=run,
    )


def findings(results: Results) -> list[str]:
    """Say of each set by how much the methods differ, item by item.

    Parameters
    ----------
    results : Results
        Of the run.

    Returns
    -------
    list of str
        A sentence a set and pair of methods.
    """
    said = []
    for row in results:
        name = row.metric.removeprefix("accuracy-over-")
        if name == row.metric or row.split == "dev":
            continue
        verdict = "" if is_apart(row) else ", which may be the items' chance"
        said.append(
            f"{heading(row.split)}: {NAMES[row.method]} less {NAMES[name]} "
            f"{bracket(row, sign=True)}{verdict}."
        )
    return said


def runs_chart(
    results: Results, split: str, probes: tuple[Mapping[str, Any], Mapping[str, int]] | None = None
) -> Chart:
    """Draw accuracy under a shift against accuracy at home, a point a run, a cross a method.

    Parameters
    ----------
    results : Results
        Of the run.
    split : str
        The set out of distribution.
    probes : pair of mappings, optional
        Accuracies of the linear probes of a path, and numbers of items, by set.

    Returns
    -------
    dict
        For plotly.js.
    """
    data: list[Chart] = [] if probes is None else _foretold(results, split, *probes)
    methods = list(dict.fromkeys(row.method for row in results))
    for k, method in enumerate(methods, start=1):
        colour = f"--s{k % COLOURS}"
        home, there = (_accuracies(results, method, name) for name in ("test", split))
        name = plain(NAMES.get(method, method))
        runs = [seed for seed in home if seed is not None]
        data.append(
            {
                "x": [home[seed].value for seed in runs],
                "y": [there[seed].value for seed in runs],
                "name": name,
                "mode": "markers",
                "marker": {"color": colour, "size": 7, "opacity": 0.6},
                "text": [f"seed {seed}" for seed in runs],
                "hovertemplate": f"{name}, %{{text}}: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
            }
        )
        x, y = home[None], there[None]
        data.append(
            {
                "x": [x.value],
                "y": [y.value],
                "mode": "markers",
                "showlegend": False,
                "marker": {"color": colour, "size": 11, "symbol": "cross"},
                "error_x": _arms(x, colour),
                "error_y": _arms(y, colour),
                "hovertemplate": f"{name}, mean: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
            }
        )
    layout = axes_layout(HOME, SHIFTED, height=460)
    layout["xaxis"] |= {"showgrid": True}
    return {"data": data, "layout": layout}


def _probes(run: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, int]] | None:
    found = (run["trainings"].get("lp") or {}).get("path_accuracies")
    return (found, run["n"]) if found else None


def _foretold(
    results: Results, split: str, accuracies: Mapping[str, Any], n: Mapping[str, int]
) -> list[Chart]:
    """Draw the probes of the path, and their line as far as there are runs."""
    name, colour = "linear probes", "--s0"
    points: Chart = {
        "x": accuracies[HOME_SET],
        "y": accuracies[split],
        "name": name,
        "mode": "markers",
        "marker": {"color": colour, "size": 3},
        "hovertemplate": f"{name}: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
    }
    line = lines_of(accuracies, n).get(split)
    if line is None:
        return [points]
    rows = results.where(metric="accuracy", split=HOME_SET)
    known = [row.value for row in rows if row.value is not None]
    x = np.linspace(min(line.low, *known), max(line.high, *known), 101)
    drawn: Chart = {
        "x": [round(float(value), 6) for value in x],
        "y": [round(float(v), 6) for v in line.trend.expected(x, n_reference=line.n_home)],
        "mode": "lines",
        "line": {"color": colour, "width": 1, "dash": "dot"},
        "showlegend": False,
        "hoverinfo": "skip",
    }
    return [points, drawn]


def _accuracies(results: Results, method: str, split: str) -> dict[int | None, Row]:
    """Rows of accuracy by seed; under None the mean over runs, with its interval over items."""
    rows = results.where(method=method, metric="accuracy", split=split)
    return {row.seed: row for row in rows if json.loads(row.setting).get("over") != "runs"}


def _arms(row: Row, colour: str) -> dict[str, Any]:
    if row.value is None or row.low is None or row.high is None:
        return {"visible": False}
    ends = {"array": [row.high - row.value], "arrayminus": [row.value - row.low]}
    look = {"color": colour, "thickness": 1, "width": 0}
    return {"type": "data", "symmetric": False, **ends, **look}


def _facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    sets = "; ".join(f"{heading(name)}: {run['sets'][name]}, {n:,}" for name, n in run["n"].items())
    return [
        ("model", str(run["model"])),
        ("task", f"{run['title']}; classes {', '.join(run['classes'])}"),
        ("items", sets),
        ("processes", str(run["processes"])),
        ("peak memory", f"{run['peak_memory_mb']:,} MB"),
    ]


def _words(results: Results, split: str) -> str:
    parts = []
    for method in dict.fromkeys(row.method for row in results):
        home, there = (_accuracies(results, method, name)[None] for name in ("test", split))
        parts.append(
            f"{NAMES.get(method, method)} {number(home.value)} at home, {number(there.value)} there"
        )
    return typeset(f"{heading(split)}: {'; '.join(parts)}")
