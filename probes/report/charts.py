"""The figures of the page, as data for plotly.js.

Plotly reads a little HTML in every text that it draws (``<b>``, ``<br>``, entities), so every name
and every surface passes through `plain`. Colours are names of CSS variables, which the page's
script looks up, so that figures follow the light or dark scheme of the page.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.report.answers import Answers
from probes.report.shell import Chart
from probes.report.summary import METRIC_NAMES, Summary
from probes.report.words import bracket, number, spread

MOST_POINTS = 3_000
"""With more real values than this, a figure shows their density."""

_DASHES = ("dash", "dashdot", "dot", "longdash", "longdashdot")
MOST_NUMBERED = 15
"""With more classes than this there is no room for numbers in the cells."""


def plain(text: str, longest: int = 60) -> str:
    """Make text that plotly draws as it stands; of very long text, the two ends."""
    text = " ".join(text.split())
    if len(text) > longest:
        half = (longest - 1) // 2
        text = f"{text[: longest - 1 - half]}…{text[-half:]}"
    # A pair of dollars would be taken for a formula.
    return html.escape(text, quote=False).replace("$", "&#36;")


def layer_chart(summary: Summary) -> Chart:
    """Draw the metric over the layers, with its interval, its controls and its baselines."""
    lines = summary.lines
    layers = [plain(line.layer) for line in lines]
    scored = [
        place for place, line in enumerate(lines) if line.score and line.score.low is not None
    ]
    data: list[Chart] = []
    if scored:
        rows = [lines[place].score for place in scored]
        edge = [row.high for row in rows if row] + [row.low for row in reversed(rows) if row]
        data.append(
            {
                "x": scored + scored[::-1], "y": edge, "fill": "toself", "mode": "lines",
                "line": {"width": 0}, "fillcolor": "--probe-band", "hoverinfo": "skip",
                "showlegend": False,
            }
        )  # fmt: skip
    data.append(
        _trace("probe, 95 %", [line.score.value if line.score else None for line in lines],
               [bracket(line.score) for line in lines], "--probe", "circle", "solid", 3)
    )  # fmt: skip
    if any(line.random for line in lines):
        data.append(
            _trace("random model", [line.random.value if line.random else None for line in lines],
                   [bracket(line.random) for line in lines], "--random", "square", "dash")
        )  # fmt: skip
    if any(line.control for line in lines):
        name = "permuted labels" if summary.permuted else "control task"
        control = _trace(
            name, [line.control.mean if line.control else None for line in lines],
            [spread(line.control) for line in lines], "--control", "triangle-up", "dot",
        )  # fmt: skip
        control["error_y"] = {
            "type": "data", "array": [line.control.sd if line.control else 0 for line in lines],
            "color": "--control", "thickness": 1,
        }  # fmt: skip
        data.append(control)
    for (name, row), dash in zip(summary.baselines.items(), _DASHES, strict=False):
        if row.value is not None:
            label = f"{plain(name)} {number(row.value)}"
            flat = _trace(
                label, [row.value] * len(lines), [""] * len(lines), "--faint", "", dash, 1
            )
            data.append(flat | {"mode": "lines", "hoverinfo": "skip", "hovertemplate": None})
    for place, line in enumerate(lines):
        if line.best and line.score:
            data.append(
                {
                    "x": [place], "y": [line.score.value], "mode": "markers", "hoverinfo": "skip",
                    "name": "chosen on dev",
                    "marker": {"size": 17, "symbol": "circle-open", "color": "--probe"},
                }
            )  # fmt: skip
    metric = METRIC_NAMES.get(summary.metric, summary.metric)
    return {"data": data, "layout": layer_layout(layers, f"{metric} (test)")}


def layer_layout(layers: list[str], title: str) -> Chart:
    """Lay a number out over layers, whose names are `plain` already."""
    layout = axes_layout("layer", title, height=430)
    layout["xaxis"] |= {"tickvals": list(range(len(layers))), "ticktext": layers}
    layout["hovermode"] = "x"
    return layout


def confusion_chart(found: Answers) -> Chart:
    """Draw how the units of each class were answered, each row summing to one."""
    size = len(found.classes)
    places = list(range(size))
    shares = found.counts / np.maximum(found.totals, 1)[:, None]
    names = [plain(name, 40) for name in found.classes]
    hover = [
        [
            f"gold {names[i]}<br>predicted {names[j]}<br>"
            f"{found.counts[i, j]:,} of {found.totals[i]:,} ({100 * shares[i, j]:.1f} %)"
            for j in places
        ]
        for i in places
    ]
    heat = _heatmap(places, places, shares.round(4).tolist(), hover, "share of the gold class")
    heat |= {"zmin": 0, "zmax": 1}
    if size <= MOST_NUMBERED:
        percent = [[f"{100 * x:.0f}" if x >= 0.005 else "" for x in row] for row in shares]
        heat |= {"text": percent, "texttemplate": "%{text}"}
    crowded = size > MOST_NUMBERED
    layout = axes_layout(
        "predicted", "gold", height=(200 + 17 * size) if crowded else 220 + 32 * size
    )
    axis = {
        "tickvals": places, "ticktext": [plain(name, 18) for name in found.classes],
        "showgrid": False, "tickfont": {"size": 10 if crowded else 13},
    }  # fmt: skip
    layout["xaxis"] |= axis | {"tickangle": -90 if crowded else -45}
    layout["yaxis"] |= axis | {"autorange": "reversed"}
    return {"data": [heat], "layout": layout}


def value_chart(found: Answers) -> Chart:
    """Draw predicted against gold values: points, or their density where there are many."""
    low = float(min(found.gold.min(), found.predicted.min()))
    high = float(max(found.gold.max(), found.predicted.max()))
    layout = axes_layout("gold", "predicted", height=460)
    if len(found.gold) <= MOST_POINTS:
        hover = [
            f"{plain(text)}<br>gold {gold:.4g}<br>predicted {predicted:.4g}"
            for text, gold, predicted in zip(found.texts, found.gold, found.predicted, strict=True)
        ]
        shown: Chart = {
            "x": _short(found.gold), "y": _short(found.predicted), "mode": "markers",
            "text": hover, "hovertemplate": "%{text}<extra></extra>", "showlegend": False,
            "marker": {"size": 5, "opacity": 0.5, "color": "--probe"},
        }  # fmt: skip
    else:
        counts, x, y = np.histogram2d(found.gold, found.predicted, bins=60)
        hover2 = [[f"{int(n):,} units" for n in column] for column in counts.T]
        z = np.where(counts.T > 0, np.log10(np.maximum(counts.T, 1)), np.nan).round(3)
        rows = [[None if np.isnan(v) else float(v) for v in row] for row in z]
        middles = _short((x[1:] + x[:-1]) / 2), _short((y[1:] + y[:-1]) / 2)
        shown = _heatmap(*middles, rows, hover2, "log₁₀ units") | {"xgap": 0, "ygap": 0}
    diagonal = {
        "x": [low, high], "y": [low, high], "mode": "lines", "hoverinfo": "skip",
        "line": {"color": "--faint", "width": 1, "dash": "dash"}, "showlegend": False,
    }  # fmt: skip
    return {"data": [shown, diagonal], "layout": layout}


def _trace(
    name: str, values: list[float | None], hover: list[str], colour: str, symbol: str, dash: str,
    width: int = 2,
) -> Chart:  # fmt: skip
    return {
        "x": list(range(len(values))), "y": values, "name": name, "mode": "lines+markers",
        "text": hover, "hovertemplate": f"{name} %{{text}}<extra></extra>",
        "line": {"color": colour, "dash": dash, "width": width},
        "marker": {"color": colour, "symbol": symbol, "size": 8},
    }  # fmt: skip


def _heatmap(x: list[Any], y: list[Any], z: list[Any], hover: list[Any], title: str) -> Chart:
    return {
        "type": "heatmap", "x": x, "y": y, "z": z, "hovertext": hover, "hoverongaps": False,
        "hovertemplate": "%{hovertext}<extra></extra>", "xgap": 1, "ygap": 1,
        "colorscale": [[0, "--heat-0"], [0.5, "--heat-1"], [1, "--heat-2"]],
        "colorbar": {
            "title": {"text": title, "side": "right"}, "thickness": 10, "outlinewidth": 0,
            "lenmode": "pixels", "len": 220, "y": 1, "yanchor": "top",
        },
    }  # fmt: skip


def axes_layout(x: str, y: str, height: int) -> Chart:
    """Lay out two axes by their titles, `plain` already; the height is in pixels."""

    def axis(title: str) -> Chart:
        return {
            "title": {"text": title, "standoff": 8}, "automargin": True, "zeroline": False,
            "gridcolor": "--grid", "linecolor": "--grid", "fixedrange": True, "type": "linear",
        }  # fmt: skip

    return {
        "height": height, "margin": {"l": 10, "r": 10, "t": 10, "b": 10}, "autosize": True,
        "xaxis": axis(x) | {"showgrid": False}, "yaxis": axis(y),
        "legend": {"orientation": "h", "y": -0.18, "yanchor": "top", "x": 0},
        "font": {"family": "inherit", "size": 13, "color": "--ink"},
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "hoverlabel": {"bgcolor": "--paper", "bordercolor": "--faint", "font": {"color": "--ink"}},
    }  # fmt: skip


def _short(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]
