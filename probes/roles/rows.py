"""Rows of the jobs on roles: what a run found as tidy numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from probes.results import Row
from probes.stats import Interval


@dataclass(frozen=True)
class RowMaker:
    """Makes rows of one run, on its test split.

    Parameters
    ----------
    fixed : mapping of str to object
        The columns that are the same in every row.
    seed : int
        Of resamples: equal in all rows, so that differences are of the same resamples.
    unit : str
        What intervals are by.
    """

    fixed: Mapping[str, Any]
    seed: int = 0
    unit: str = "sentence"

    def row(
        self,
        layer: str,
        method: str,
        metric: str,
        found: Interval,
        *,
        n_asked: int | None = None,
        **setting: Any,
    ) -> Row:
        """Make a row of an interval."""
        return Row(
            **self.fixed,
            layer=layer,
            method=method,
            setting=json.dumps(setting) if setting else "",
            split="test",
            metric=metric,
            value=found.value,
            low=found.low,
            high=found.high,
            interval=f"{found.method} by {self.unit}" if found.low is not None else found.method,
            n=found.n,
            n_groups=found.n_groups,
            n_asked=found.n if n_asked is None else n_asked,
            n_lost=0 if n_asked is None else n_asked - found.n,
            why_lost="",
            seed=self.seed,
            control_of="",
        )

    def plain(self, layer: str, method: str, metric: str, value: float, n: int, **of: Any) -> Row:
        """Make a row of a number without an interval."""
        return self.row(layer, method, metric, Interval(value, None, None, "", n, n), **of)
