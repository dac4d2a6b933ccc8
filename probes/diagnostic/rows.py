"""Rows of a run from intervals: what is the same in all of them is said once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes.results import Row
from probes.stats import Interval


@dataclass(frozen=True)
class IntervalRows:
    """Makes rows of one run, on its test split.

    Parameters
    ----------
    fixed : mapping of str to object
        The columns that are the same in every row.
    seed : int
        Of resamples: equal in all rows, so that differences are of the same resamples.
    by : str
        What a group is, of which intervals are made.
    """

    fixed: Mapping[str, Any]
    seed: int = 0
    by: str = "sentence"

    def row(
        self,
        layer: str,
        method: str,
        metric: str,
        found: Interval,
        *,
        n_asked: int | None = None,
        why_lost: str = "",
        **setting: Any,
    ) -> Row:
        """Make a row of an interval.

        Parameters
        ----------
        layer, method, metric : str
            Columns of the row.
        found : Interval
            The number, and how sure it is.
        n_asked : int, optional
            Units that were asked for; by default all of them are answered.
        why_lost : str
            The reason of the others, where there is one alone.
        **setting
            Of the method.
        """
        n_lost = 0 if n_asked is None else n_asked - found.n
        return Row(
            **self.fixed,
            layer=layer,
            method=method,
            setting=json.dumps(setting, ensure_ascii=False) if setting else "",
            split="test",
            metric=metric,
            value=found.value,
            low=found.low,
            high=found.high,
            interval=f"{found.method} by {self.by}" if found.low is not None else found.method,
            n=found.n,
            n_groups=found.n_groups,
            n_asked=found.n + n_lost,
            n_lost=n_lost,
            why_lost=json.dumps({why_lost: n_lost}) if n_lost and why_lost else "",
            seed=self.seed,
            control_of="",
        )

    def plain(self, layer: str, method: str, metric: str, value: float, n: int, **of: Any) -> Row:
        """Make a row of a number without an interval."""
        return self.row(layer, method, metric, Interval(value, None, None, "", n, n), **of)
