"""What accuracy at home foretells under a shift: the line through the linear probes of a run.

Effective robustness (Taori et al. 2020, arXiv:2007.00644, §2) is accuracy under shift beyond the
line on which models lie that were trained at home alone, by no means that was meant to make them
robust. The path of `probes.transfer.linear` gives such models at no cost: a head for each penalty,
all on the same features.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from probes.transfer.robustness import Trend, fit_trend

HOME = "test"
METRIC = "effective-robustness"


@dataclass(frozen=True)
class Line:
    """Where linear probes lie.

    Parameters
    ----------
    trend : Trend
        On the logit scale.
    low, high : float
        The least and the most accurate of them at home; beyond, the line is extrapolated.
    n_home : int
        Number of items at home.
    """

    trend: Trend
    low: float
    high: float
    n_home: int

    def about(self) -> dict[str, float | int | str | None]:
        """Give what a row's setting says of it."""
        r2 = self.trend.r2 if math.isfinite(self.trend.r2) else None
        return {**dataclasses.asdict(self.trend), "r2": r2, "low": self.low, "high": self.high}


def lines_of(accuracies: Mapping[str, Sequence[float]], n: Mapping[str, int]) -> dict[str, Line]:
    """Fit a line for each set out of distribution.

    Parameters
    ----------
    accuracies : mapping of str to sequence of float
        By set, of each probe of a path.
    n : mapping of str to int
        Number of items, by set.

    Returns
    -------
    dict of str to Line
        By set; empty where there are no probes, or all are equally accurate at home, held half an
        item from 0 and 1.
    """
    home = accuracies.get(HOME, ())
    edge = 1 / (2 * max(n[HOME], 1))
    if len({min(max(value, edge), 1 - edge) for value in home}) < 2:  # as the line will see them
        return {}
    return {
        name: Line(
            fit_trend(home, there, n_reference=n[HOME], n_shifted=n[name]),
            min(home),
            max(home),
            n[HOME],
        )
        for name, there in accuracies.items()
        if name.startswith("ood/")
    }
