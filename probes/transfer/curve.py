"""The WiSE curve: accuracy under shift against accuracy at home, from one model to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from probes.errors import InputError
from probes.report.charts import axes_layout
from probes.report.plots import BASELINE, PROBE, RANDOM
from probes.report.shell import Chart
from probes.stats import Interval
from probes.transfer.robustness import Trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HOME, SHIFTED = "accuracy at home (ID)", "accuracy under shift (OOD)"
_NAMED = (0.0, 0.5, 1.0)
"""Alphas that are written beside their points: the two models, and the default between."""
_MARGIN = 0.12
_NARROWEST = 0.01

Range = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """What the weights at one alpha answer right.

    Parameters
    ----------
    alpha : float
        Share of the second model, 0 to 1.
    home, shifted : Interval
        Accuracy at home and under shift, each with its interval, if it has one.
    """

    alpha: float
    home: Interval
    shifted: Interval


def wise_chart(
    points: Sequence[Point], *, zoomed: bool = False, trend: Trend | None = None
) -> Chart:
    """Draw the curve as data for plotly.js.

    Parameters
    ----------
    points : sequence of Point
        Two or more, in any order.
    zoomed : bool
        Show what the points and their intervals take, in place of all accuracies from 0 to 1.
    trend : Trend, optional
        The line of models without a robustness intervention, to be drawn beneath.

    Returns
    -------
    dict
        ``data`` and ``layout``, with colours by name of the page's style sheet.

    Raises
    ------
    InputError
        If there are fewer than two points, an alpha stands twice or is not between 0 and 1, or an
        accuracy is undefined.
    """
    points = _ordered(points)
    x_range, y_range = _ranges(points, zoomed)
    x, y = zip(*[_values(point) for point in points], strict=True)
    data: list[Chart] = []
    if trend is not None:
        line_x, line_y = _line(trend, x_range)
        data.append(_flat("trend of reference models", line_x, line_y, "dash"))
    if not zoomed:
        data.append(_flat("no loss under shift", [0, 1], [0, 1], "dot"))
    text = [_label(point) if zoomed else "" for point in points]  # they would lie upon each other
    data.append(
        {
            "x": list(x), "y": list(y), "name": "alpha from 0 to 1, with intervals",
            "mode": "lines+markers+text", "text": text,
            "textposition": "top left", "cliponaxis": False,
            "customdata": [[point.alpha] for point in points],
            "hovertemplate": "alpha %{customdata[0]:g}<br>at home %{x:.3f}<br>under shift "
            "%{y:.3f}<extra></extra>",
            "line": {"color": "--probe", "width": 2},
            "marker": {"color": "--probe", "size": 8, "symbol": _symbols(points)},
            "error_x": _arms([point.home for point in points]),
            "error_y": _arms([point.shifted for point in points]),
        }
    )  # fmt: skip
    layout = axes_layout(HOME, SHIFTED, height=460)
    layout["xaxis"] |= {"range": list(x_range), "showgrid": True}
    layout["yaxis"] |= {"range": list(y_range)}
    return {"data": data, "layout": layout}


def wise_figure(points: Sequence[Point], *, trend: Trend | None = None) -> Figure:
    """Draw the curve over all accuracies, and beside it as near as it allows.

    Parameters
    ----------
    points, trend
        As in `wise_chart`.

    Returns
    -------
    matplotlib Figure
        Two panels; `probes.report.plots.save_figure` writes it.

    Raises
    ------
    InputError
        As `wise_chart`.
    """
    from matplotlib.figure import Figure

    points = _ordered(points)
    figure = Figure(figsize=(8.4, 4.4), dpi=150, layout="constrained")
    full, near = figure.subplots(1, 2)
    for axes, zoomed in ((full, False), (near, True)):
        x_range, y_range = _ranges(points, zoomed)
        if trend is not None:
            line = _line(trend, x_range)
            axes.plot(*line, "--", color=BASELINE, linewidth=1, label="trend of reference models")
        if not zoomed:
            label = "no loss under shift"
            axes.plot([0, 1], [0, 1], ":", color=BASELINE, linewidth=1, label=label)
        _curve(axes, points, named=zoomed)
        axes.set(xlim=x_range, ylim=y_range, xlabel=HOME)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(linewidth=0.4, alpha=0.5)
    full.set_ylabel(SHIFTED)
    near.set_title("nearer", fontsize=10, loc="left")
    handles, labels = full.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def _curve(axes: Axes, points: Sequence[Point], *, named: bool) -> None:
    x, y = zip(*[_values(point) for point in points], strict=True)
    arms = [_reach([getattr(p, side) for p in points]) for side in ("home", "shifted")]
    axes.errorbar(
        x, y, xerr=arms[0], yerr=arms[1], fmt="none", ecolor=PROBE, elinewidth=0.8, alpha=0.5
    )
    axes.plot(x, y, "-o", color=PROBE, markersize=4, label="alpha between 0 and 1")
    ends = {0.0: ("s", "alpha 0"), 1.0: ("D", "alpha 1")}
    for point, at in zip(points, zip(x, y, strict=True), strict=True):
        if point.alpha in ends:
            symbol, label = ends[point.alpha]
            axes.plot(*at, symbol, color=RANDOM, markersize=7, label=label, zorder=3)
        if named and (text := _label(point)):
            axes.annotate(text, at, (5, 6), textcoords="offset points", fontsize=8)


def _flat(name: str, x: Sequence[float], y: Sequence[float], dash: str) -> Chart:
    return {
        "x": list(x), "y": list(y), "name": name, "mode": "lines", "hoverinfo": "skip",
        "line": {"color": "--faint", "width": 1, "dash": dash},
    }  # fmt: skip


def _arms(intervals: Sequence[Interval]) -> dict[str, Any]:
    below, above = _reach(intervals)
    return {
        "type": "data", "symmetric": False, "array": above, "arrayminus": below,
        "color": "--probe", "thickness": 1, "width": 0,
    }  # fmt: skip


def _reach(intervals: Sequence[Interval]) -> tuple[list[float], list[float]]:
    """How far each interval goes below and above its value; nowhere where there is none."""
    below, above = [], []
    for i in intervals:
        value = _value(i)
        below.append(0.0 if i.low is None else value - i.low)
        above.append(0.0 if i.high is None else i.high - value)
    return below, above


def _symbols(points: Sequence[Point]) -> list[str]:
    return [{0.0: "square", 1.0: "diamond"}.get(point.alpha, "circle") for point in points]


def _label(point: Point) -> str:
    return f"α = {point.alpha:g}" if point.alpha in _NAMED else ""


def _line(trend: Trend, x_range: Range) -> tuple[list[float], list[float]]:
    x = np.linspace(max(x_range[0], 0.002), min(x_range[1], 0.998), 200)
    return x.tolist(), trend.expected(x).tolist()


def _ranges(points: Sequence[Point], zoomed: bool) -> tuple[Range, Range]:
    if not zoomed:
        return (0.0, 1.0), (0.0, 1.0)
    found = []
    for side in ("home", "shifted"):
        ends = [
            end
            for i in (getattr(point, side) for point in points)
            for end in (i.value, i.low, i.high)
            if end is not None
        ]
        low, high = min(ends), max(ends)
        room = _MARGIN * max(high - low, _NARROWEST)
        found.append((max(low - room, 0.0), min(high + room, 1.0)))
    return found[0], found[1]


def _ordered(points: Sequence[Point]) -> list[Point]:
    alphas = [point.alpha for point in points]
    if len(points) < 2 or len(set(alphas)) < len(alphas):
        raise InputError(
            f"a curve of the alphas {', '.join(f'{a:g}' for a in alphas) or 'none'}; expected two "
            "or more, each once"
        )
    for point in points:
        if not 0 <= point.alpha <= 1:
            raise InputError(f"alpha {point.alpha:g} of a curve: expected 0 to 1")
        if point.home.value is None or point.shifted.value is None:
            raise InputError(f"the accuracy at alpha {point.alpha:g} is undefined; leave it out")
    return sorted(points, key=lambda point: point.alpha)


def _values(point: Point) -> tuple[float, float]:
    return _value(point.home), _value(point.shifted)


def _value(interval: Interval) -> float:
    assert interval.value is not None  # `_ordered` has refused it
    return interval.value
