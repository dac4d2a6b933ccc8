"""The layer curve of a task as a static figure: PNG, PDF or SVG."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from probes.errors import unknown
from probes.report.summary import METRIC_NAMES, Line, Summary
from probes.report.words import heading, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS = (".png", ".pdf", ".svg")
# Okabe & Ito (2008), https://jfly.uni-koeln.de/color/: told apart by every kind of colour vision.
PROBE, RANDOM, CONTROL, BASELINE = "#0072B2", "#D55E00", "#009E73", "#555555"
_MOST_TICKS = 16
_DASHES = ("--", "-.", ":", (0, (1, 3)), (0, (8, 3)))


def layer_curve(summary: Summary) -> Figure:
    """Draw the metric over the layers, with its interval, its controls and its baselines.

    Parameters
    ----------
    summary : Summary
        The task.

    Returns
    -------
    matplotlib Figure
        Of its own: no global state is touched, and nothing need be closed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    places = range(len(summary.lines))
    _curve(axes, summary.lines)
    random = [line.random.value if line.random else None for line in summary.lines]
    if any(value is not None for value in random):
        axes.plot(places, _gaps(random), "s--", color=RANDOM, markersize=4, label="random model")
    if any(line.control for line in summary.lines):
        means = _gaps([line.control.mean if line.control else None for line in summary.lines])
        sds = [line.control.sd if line.control else 0.0 for line in summary.lines]
        label = "permuted labels" if summary.permuted else "control task"
        axes.errorbar(places, means, sds, fmt="^:", color=CONTROL, markersize=4, label=label)
    for (name, row), dash in zip(summary.baselines.items(), _DASHES, strict=False):
        if row.value is not None:
            label = f"{name} {number(row.value)}"
            axes.axhline(row.value, color=BASELINE, linewidth=1, linestyle=dash, label=label)
    step, last = -(-len(places) // _MOST_TICKS) or 1, len(places) - 1
    shown = [place for place in places if place == last or place % step == 0 <= last - step - place]
    axes.set_xticks(shown, [summary.lines[place].layer for place in shown])
    axes.set_xlabel("layer")
    axes.set_ylabel(f"{METRIC_NAMES.get(summary.metric, summary.metric)} (test)")
    # A dollar sign would open a formula.
    title = " · ".join(heading(summary)[:3]).replace("$", r"\$")
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def save_layer_curve(summary: Summary, path: str | Path) -> None:
    """Write the layer curve of a task; as `save_figure`."""
    save_figure(layer_curve(summary), path)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure, whole or not at all, and the same bytes every time.

    Parameters
    ----------
    figure : matplotlib Figure
        What is drawn.
    path : str or Path
        Ending in ``.png``, ``.pdf`` or ``.svg``.

    Raises
    ------
    InputError
        If the path ends in none of them.
    """
    import matplotlib

    path = Path(path)
    if path.suffix not in ENDINGS:
        raise unknown("ending of a figure", path.suffix, ENDINGS)
    dated = {".png": None, ".pdf": {"CreationDate": None}, ".svg": {"Date": None}}[path.suffix]
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with matplotlib.rc_context({"svg.hashsalt": "layerprobes", "svg.fonttype": "none"}):
            figure.savefig(part, format=path.suffix[1:], metadata=dated)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _curve(axes: Axes, lines: tuple[Line, ...]) -> None:
    rows = [line.score for line in lines]
    values = _gaps([row.value if row else None for row in rows])
    lows, highs = (_gaps([getattr(row, end, None) for row in rows]) for end in ("low", "high"))
    places = list(range(len(lines)))
    axes.fill_between(places, lows, highs, color=PROBE, alpha=0.2, linewidth=0)
    axes.plot(places, values, "o-", color=PROBE, markersize=4, label="probe, 95 %")
    for place, line in enumerate(lines):
        if line.best:
            axes.plot(
                [place], [values[place]], "o", color=PROBE, markersize=11,
                fillstyle="none", markeredgewidth=1.5, label=f"chosen on dev: {line.layer}",
            )  # fmt: skip


def _gaps(values: list[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
