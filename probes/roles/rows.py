"""Rows of the jobs on roles: what a run found as tidy numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.diagnostic.rows import IntervalRows
from probes.diagnostic.score import groups_of
from probes.metrics import Codes, Statistic
from probes.roles.tpdn.ratios import estimate
from probes.stats import Interval, interval
from probes.task import Task


@dataclass(frozen=True)
class RowMaker(IntervalRows):
    """Makes rows of one run on roles, with intervals over its sentences or documents.

    Parameters
    ----------
    fixed, seed, by
        As of `IntervalRows`.
    codes : ndarray of shape (n_units,), int64, optional
        The group of each unit; by default each is one.
    """

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
