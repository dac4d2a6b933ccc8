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


def share(
    value: float | None,
    top: Floats,
    bottom: Floats,
    *,
    n: int,
    n_pairs: int,
    level: float = 0.95,
) -> Interval:
    """Make an interval of a share from its resamples.

    Parameters
    ----------
    value : float or None
        The share itself; None where there is nothing.
    top, bottom : ndarray of shape (n_resamples,)
        What is right, and all, of what was drawn.
    n, n_pairs : int
        Of all.
    level : float
        Of the interval.

    Returns
    -------
    Interval
        Of the percentiles (Owen 2007 on the bootstrap of both ends, which errs on the wide side);
        none with fewer than two pairs.
    """
    drawn = top[bottom > 0] / bottom[bottom > 0]
    if value is None or n_pairs < 2 or not len(drawn):
        return Interval(value, None, None, "", n, n_pairs)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, min(float(low), value), max(float(high), value), "bootstrap", n, n_pairs)
