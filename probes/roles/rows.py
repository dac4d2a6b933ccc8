"""Rows of the jobs on roles: what a run found as tidy numbers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.diagnostic.score import groups_of
from probes.metrics import Codes, Statistic
from probes.results import Row
from probes.roles.tpdn.ratios import estimate
from probes.stats import Interval, interval
from probes.task import Task


@dataclass(frozen=True)
class RowMaker:
    """Makes rows of one run, on its test split.

    Parameters
    ----------
    fixed : mapping of str to object
        The columns that are the same in every row.
    seed : int
        Of resamples: equal in all rows, so that differences are of the same resamples.
    by : str
        What a group is, of which intervals are made.
    codes : ndarray of shape (n_units,), int64, optional
        The group of each unit; by default each is one.
    """

    fixed: Mapping[str, Any]
    seed: int = 0
    by: str = "sentence"
    codes: Codes | None = None

    def over(self, task: Task, sentences: npt.NDArray[np.int64]) -> RowMaker:
        """Make rows of some sentences of a task, by documents where there are enough of them."""
        codes, by = groups_of(task, sentences)
        return dataclasses.replace(self, codes=codes, by=by)

    def estimate(self, *parts: tuple[float, Statistic]) -> Interval:
        """Estimate a weighted sum of statistics over the units."""
        return estimate(*parts, codes=self.codes, seed=self.seed)

    def share(self, of: npt.NDArray[np.bool_]) -> Interval:
        """Estimate the share of the units that are so."""
        codes = np.arange(len(of)) if self.codes is None else self.codes
        right = np.ones(len(of), dtype=np.int64)
        return interval("accuracy", right, of.astype(np.int64), codes, seed=self.seed)

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
            interval=f"{found.method} by {self.by}" if found.low is not None else found.method,
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
