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

from probes.stats import EXACT, Interval, exact

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

    def sums(self, of: Floats, ends: Sequence[Ints], relation: Ints) -> Floats:
        """Sum over all that is drawn, relation by relation.

        Parameters
        ----------
        of : ndarray of shape (n,)
            A number a question, or a pair.
        ends : sequence of ndarray of shape (n,), int64
            The pairs that each of them rests on: the given and the asked one, or the asked alone.
        relation : ndarray of shape (n_pairs,), int64
            Of each pair.

        Returns
        -------
        ndarray of shape (n_relations, n_resamples)
            Sums of these sums are those of several relations.
        """
        n_relations = int(relation.max(initial=-1)) + 1
        found = np.zeros((n_relations, len(self.times)))
        of_relation = relation[ends[-1]]
        for one in np.unique(of_relation):
            here = of_relation == one
            mine = np.flatnonzero(relation == one)
            place = np.full(len(relation), -1)
            place[mine] = np.arange(len(mine))
            times = self.times[:, mine]
            if len(ends) == 1:
                found[one] = times @ np.bincount(place[ends[0][here]], of[here], len(mine))
            else:
                table = np.zeros((len(mine), len(mine)))
                np.add.at(table, (place[ends[0][here]], place[ends[1][here]]), of[here])
                found[one] = ((times @ table) * times).sum(axis=1)
        return found


def ratio(top: npt.ArrayLike, bottom: npt.ArrayLike) -> Floats:
    """Divide what is right by all, of one shape; nan where there is nothing."""
    n = np.asarray(bottom, np.float64)
    return np.asarray(np.divide(top, n, out=np.full(n.shape, np.nan), where=n > 0))


def mean_over(shares: Floats) -> Floats:
    """Average over relations, the first axis, those alone that have a share; nan of none."""
    there = np.isfinite(shares)
    return ratio(np.where(there, shares, 0.0).sum(axis=0), there.sum(axis=0))


def percentiles(
    value: float | None,
    drawn: Floats,
    *,
    n: int,
    n_pairs: int,
    is_share: bool = True,
    level: float = 0.95,
) -> Interval:
    """Make an interval from resamples.

    Parameters
    ----------
    value : float or None
        The number itself; None where there is nothing.
    drawn : ndarray of shape (n_resamples,)
        The number in each resample; nan where nothing was drawn.
    n, n_pairs : int
        Questions, or pairs, that it rests on, and pairs.
    is_share : bool
        Whether it is of right answers, from 0 to 1, and no difference of two.
    level : float
        Of the interval.

    Returns
    -------
    Interval
        Of the percentiles (Owen 2007 on the bootstrap of both ends, which errs on the wide side);
        of a share of 0 or 1, whose resamples are all alike, the exact one with pairs as trials.
        None with fewer than two pairs, or where all resamples of another number agree.
    """
    drawn = drawn[np.isfinite(drawn)]
    if value is None or n_pairs < 2 or not len(drawn):
        return Interval(value, None, None, "", n, n_pairs)
    if is_share and value in (0.0, 1.0):
        return Interval(value, *exact(value, n_pairs, level), EXACT, n, n_pairs)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    if low == high:
        return Interval(value, None, None, "", n, n_pairs)
    return Interval(value, min(float(low), value), max(float(high), value), "bootstrap", n, n_pairs)
