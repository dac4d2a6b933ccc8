"""Shares of right answers, with intervals that resample pairs.

Questions share pairs: 50 pairs make 2,450 questions, and are 50 observations. So pairs are drawn
again, within their relations, and a question counts as often as the pair that it gives was drawn,
times the pair that it asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.stats import Interval

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

N_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Resamples:
    """How often each pair is drawn in each resample.

    Parameters
    ----------
    times : ndarray of shape (n_resamples, n_pairs), float64
        As many draws of a relation's pairs as it has.
    """

    times: Floats

    @classmethod
    def of(cls, relation: Ints, seed: int, n: int = N_RESAMPLES) -> Resamples:
        """Draw the pairs of each relation, shape (n_pairs,), with replacement."""
        random = np.random.default_rng(seed)
        times = np.zeros((n, len(relation)))
        for one in np.unique(relation):
            mine = np.flatnonzero(relation == one)
            times[:, mine] = random.multinomial(len(mine), np.full(len(mine), 1 / len(mine)), n)
        return cls(times)

    def share(
        self, right: npt.NDArray[np.bool_], ends: Sequence[Ints], level: float = 0.95
    ) -> Interval:
        """Estimate the share of what is right.

        Parameters
        ----------
        right : ndarray of shape (n,), bool
            Of questions, or of pairs.
        ends : sequence of ndarray of shape (n,), int64
            The pairs that each of them rests on: the given and the asked one, or the asked alone.
        level : float
            Of the interval.

        Returns
        -------
        Interval
            Of the percentiles (Owen 2007 on the bootstrap of both ends, which errs on the wide
            side); none with fewer than two pairs.
        """
        n, n_pairs = len(right), len(np.unique(np.concatenate(list(ends)))) if len(right) else 0
        if n == 0:
            return Interval(None, None, None, "", 0, 0)
        value = float(np.mean(right))
        if n_pairs < 2:
            return Interval(value, None, None, "", n, n_pairs)
        top, bottom = (self._sums(of, ends) for of in (right.astype(np.float64), np.ones(n)))
        drawn = top[bottom > 0] / bottom[bottom > 0]
        if not len(drawn):
            return Interval(value, None, None, "", n, n_pairs)
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        low, high = min(float(low), value), max(float(high), value)
        return Interval(value, low, high, "bootstrap of pairs", n, n_pairs)

    def _sums(self, of: Floats, ends: Sequence[Ints]) -> Floats:
        """Sum over all that is drawn, one sum a resample."""
        if len(ends) == 1:
            return self.times @ np.bincount(ends[0], of, self.times.shape[1])
        from scipy import sparse

        n = self.times.shape[1]
        table = sparse.csr_array(sparse.coo_array((of, (ends[0], ends[1])), shape=(n, n)))
        return np.asarray(((self.times @ table) * self.times).sum(axis=1))
