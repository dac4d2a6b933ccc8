"""The figures of a page about analogies, as data for plotly.js."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from probes.report.charts import axes_layout, layer_layout, plain
from probes.report.series import COLOURS
from probes.report.shell import Chart
from probes.report.words import bracket, number
from probes.results import Row

MOST_LABELLED = 12
"""Pairs of a picture whose words stand beside them; the others show theirs to the pointer."""


def method_chart(filtered: Mapping[str, Row], honest: Mapping[str, Row]) -> Chart:
    """Draw the mean accuracy over relations by method, as points with their intervals.

    Parameters
    ----------
    filtered, honest : mapping of str to Row
        By method, drawn side by side.

    Returns
    -------
    dict
        For plotly.js.
    """
    methods = list(filtered)[::-1]
    names = ("a, a*, b left out", "honest")
    data = []
    for name, rows, colour, lift in zip(
        names, (filtered, honest), ("--s1", "--s2"), (0.14, -0.14), strict=True
    ):
        values = [rows[method].value for method in methods]
        ends = [_arms(rows[method]) for method in methods]
        data.append(
            {
                "x": values,
                "y": [place + lift for place in range(len(methods))],
                "name": name,
                "mode": "markers",
                "text": [f"{plain(m)} {plain(bracket(rows[m]))}" for m in methods],
                "hovertemplate": f"{name}: %{{text}}<extra></extra>",
                "marker": {"color": colour, "size": 9},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [up for _, up in ends],
                    "arrayminus": [down for down, _ in ends],
                    "color": colour,
                    "thickness": 1.5,
                    "width": 0,
                },
            }
        )
    layout = axes_layout("accuracy, mean over relations", "", height=110 + 34 * len(methods))
    # Below, it would lie on the axis title of a figure as low as this.
    layout["legend"] |= {"y": 1.0, "yanchor": "bottom"}
    layout["xaxis"] |= {"showgrid": True, "rangemode": "tozero"}
    ticks = {"tickvals": list(range(len(methods))), "ticktext": [plain(m) for m in methods]}
    layout["yaxis"] |= ticks
    return {"data": data, "layout": layout}


def concentration_chart(
    own: Mapping[str, Mapping[str, float]],
    shuffled: Mapping[str, Mapping[str, float]],
    layers: Sequence[str],
) -> Chart:
    """Draw how alike offsets are by layer, a line a category, and dotted those of shuffled pairs.

    Parameters
    ----------
    own, shuffled : mapping
        Mean over relations, by category and layer.
    layers : sequence of str
        In their order.

    Returns
    -------
    dict
        For plotly.js.
    """
    data: list[Chart] = []
    for place, (name, values) in enumerate(own.items()):
        line = {"color": f"--s{(place + 1) % COLOURS}", "width": 2}
        label = plain(name, 40)
        shown = [values.get(layer) for layer in layers]
        data.append(
            {
                "x": list(range(len(layers))),
                "y": shown,
                "name": label,
                "mode": "lines+markers",
                "line": line,
                "marker": {"color": line["color"], "size": 7},
                "text": [number(value) for value in shown],
                "hovertemplate": f"{label} %{{text}}<extra></extra>",
            }
        )
        data.append(
            {
                "x": list(range(len(layers))),
                "y": [shuffled.get(name, {}).get(layer) for layer in layers],
                "mode": "lines",
                "line": line | {"width": 1.5, "dash": "dot"},
                "hoverinfo": "skip",
                "showlegend": False,
            }
        )
    layout = layer_layout([plain(layer) for layer in layers], "offset concentration, mean")
    return {"data": data, "layout": layout}


def pairs_chart(pictures: Mapping[str, pd.DataFrame]) -> Chart:
    """Draw a relation's words in the plane that holds most of their variance, source → target.

    Parameters
    ----------
    pictures : mapping of str to pandas.DataFrame
        By relation, its pairs; a menu chooses among them, and the first is shown.

    Returns
    -------
    dict
        For plotly.js.
    """
    buttons = []
    for name, pairs in pictures.items():
        shown = _pairs(pairs)
        args = [{key: [arrow, word] for key, (arrow, word) in shown.items()}, _title(pairs)]
        buttons.append({"label": plain(name), "method": "update", "args": args})
    first = next(iter(pictures.values()))
    shown = _pairs(first)
    arrows: Chart = {"mode": "lines+markers", "showlegend": False, "hoverinfo": "skip"}
    arrows |= {"line": {"color": "--s1", "width": 1}}
    arrows |= {"marker": {"color": "--s1", "symbol": "arrow", "angleref": "previous"}}
    words: Chart = {"mode": "markers+text", "showlegend": False, "textposition": "top center"}
    words |= {"hovertemplate": "%{hovertext}<extra></extra>", "textfont": {"size": 11}}
    words |= {"marker": {"color": "--s0"}}
    for key, values in shown.items():
        for trace, value in zip((arrows, words), values, strict=True):
            if key == "marker.size":
                trace["marker"]["size"] = value
            else:
                trace[key] = value
    layout = axes_layout("", "", height=560)
    layout["margin"] |= {"t": 60}
    layout["xaxis"] |= {"title": {"text": _title(first)["xaxis.title.text"], "standoff": 8}}
    layout["yaxis"] |= {"scaleanchor": "x", "scaleratio": 1}
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.02, "yanchor": "bottom"}
    menu |= {"bgcolor": "--paper", "bordercolor": "--faint", "font": {"color": "--ink"}}
    layout["updatemenus"] = [menu]
    return {"data": [arrows, words], "layout": layout}


def _arms(row: Row) -> tuple[float, float]:
    if row.value is None or row.low is None or row.high is None:
        return 0.0, 0.0
    return row.value - row.low, row.high - row.value


def _title(pairs: pd.DataFrame) -> dict[str, str]:
    share = float(pairs["words_share"].iloc[0])
    return {"xaxis.title.text": f"the plane holds {100 * share:.0f} % of the words' variance"}


def _pairs(pairs: pd.DataFrame) -> dict[str, tuple[list[Any], list[Any]]]:
    """Lay out arrows, a gap after each, and words; labels are spread evenly over the pairs."""
    source = pairs[["source_x", "source_y"]].to_numpy(np.float64).round(4)
    target = pairs[["target_x", "target_y"]].to_numpy(np.float64).round(4)
    n = len(pairs)
    chosen = set(np.linspace(0, n - 1, min(n, MOST_LABELLED)).round().astype(int).tolist())
    arrows: dict[str, list[Any]] = {"x": [], "y": [], "size": []}
    for start, end in zip(source.tolist(), target.tolist(), strict=True):
        arrows["x"] += [start[0], end[0], None]
        arrows["y"] += [start[1], end[1], None]
        arrows["size"] += [0, 9, 0]
    names = [*pairs["source"], *pairs["target"]]
    both = [f"{a} → {b}" for a, b in zip(pairs["source"], pairs["target"], strict=True)]
    labels = [plain(name) if k % n in chosen else "" for k, name in enumerate(names)]
    at = np.concatenate([source, target])
    return {
        "x": (arrows["x"], at[:, 0].tolist()),
        "y": (arrows["y"], at[:, 1].tolist()),
        "text": ([""] * (3 * n), labels),
        "hovertext": ([""] * (3 * n), [plain(pair) for pair in both] * 2),
        "marker.size": (arrows["size"], [5] * n + [0] * n),
    }
