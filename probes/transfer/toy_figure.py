"""The toy's two pictures: the ways of linear probing and of fine-tuning in the plane of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from probes.transfer.toy import Outcome, Pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart by every kind of colour vision; more heads come round again.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_LONGEST_SIDE = 4
_FAINT, _INK = "#777777", "#111111"
_TITLES = {"LP": "Linear probing, from each head", "FT": "Fine-tuning, from each head"}


def toy_figure(outcomes: Sequence[Outcome], w_star: Pair) -> Figure:
    """Draw how the function w = v b moves under linear probing and under fine-tuning.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One a head.
    w_star : tuple of float
        The function that made the target.

    Returns
    -------
    matplotlib Figure
        Two panels of one scale (in both directions, unless one is far longer), a way a head in
        each: from a dot to an open circle, which lies on
        the line of the functions that fit the training unit. A star is w*, where LP-FT stays too.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.9), dpi=150, layout="compressed")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, way in ((left, "LP"), (right, "FT")):
        _panel(axes, outcomes, way, w_star)
        axes.set_title(_TITLES[way], fontsize=10, loc="left")
    wide, high = (float(np.ptp(limits)) for limits in (left.get_xlim(), left.get_ylim()))
    if max(wide, high) < _LONGEST_SIDE * min(wide, high):
        for axes in (left, right):
            axes.set_aspect("equal")
    left.set_ylabel("w₂ (no training unit tells it)")
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def _panel(axes: Axes, outcomes: Sequence[Outcome], way: str, w_star: Pair) -> None:
    axes.axvline(w_star[0], color=_FAINT, linewidth=1, linestyle="--", label="fits the unit")
    for k, outcome in enumerate(outcomes):
        colour = _COLOURS[k % len(_COLOURS)]
        w = outcome.paths[way].w
        axes.plot(w[:, 0], w[:, 1], color=colour, linewidth=1.6, label=f"v₀ = {outcome.v:g}")
        axes.plot(*w[0], "o", color=colour, markersize=4)
        axes.plot(*w[-1], "o", color=colour, markersize=8, fillstyle="none", markeredgewidth=1.5)
    learned = outcomes[0].closed["LP-FT"]
    axes.plot(*learned, "s", color=_INK, markersize=10, fillstyle="none", label="LP, and LP-FT")
    axes.plot(*w_star, "*", color=_INK, markersize=9, label="w*", zorder=3)
    axes.set_xlabel("w₁ (the training unit tells it)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(linewidth=0.4, alpha=0.5)
