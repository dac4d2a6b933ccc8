"""Whether a relation is a direction: how alike its offsets a* - a are, against shuffled pairs.

Fournier, Dupoux, Dunbar (2020), "Analogies minus analogy test", arXiv:2010.03446: the accuracy of
analogies mixes this with how near the words lie to each other; these two scores do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control, mannwhitneyu

Floats = npt.NDArray[np.float64]

N_SHUFFLES = 999
"""Of the test: its least p is .001."""

FEWEST = 5
"""Pairs of a relation whose offsets say something."""

N_COMPARED = 50
"""Shuffles whose offsets are compared one by one with those of the relation."""


@dataclass(frozen=True)
class Concentration:
    """How alike the offsets of a relation are.

    Parameters
    ----------
    ocs : float
        Offset concentration score: the mean cosine of two different offsets.
    shuffled : float
        The same where sources have the targets of others, the mean over shuffles.
    pcs : float
        Pairing consistency score: how often two offsets of the relation are more alike than two
        offsets of a shuffled one (the area under the curve); .5 by chance.
    p : float
        Of the hypothesis that the pairing does not matter: the share of shuffles whose score is not
        below `ocs`, itself included.
    n : int
        Number of pairs.
    """

    ocs: float
    shuffled: float
    pcs: float
    p: float
    n: int


def concentration(
    sources: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    seed: int = 0,
    n_shuffles: int = N_SHUFFLES,
) -> Concentration:
    """Measure how alike the offsets of a relation are.

    Parameters
    ----------
    sources, targets : ndarray of shape (n_pairs, width)
        The two words of each pair; at least three pairs.
    seed : int
        Of the shuffles, by which no source keeps its own target.
    n_shuffles : int
        Of them.

    Returns
    -------
    Concentration
        Of vectors as they are given: an offset has the length that it has, and counts by its
        direction.
    """
    random = np.random.default_rng(seed)
    S, T = np.asarray(sources, np.float64), np.asarray(targets, np.float64)
    n = len(S)
    offsets = _directions(T - S)
    above = np.triu_indices(n, 1)
    own = (offsets @ offsets.T)[above]
    scores, areas = [], []
    for k in range(n_shuffles):
        shuffled = _directions(T[deranged(n, random)] - S)
        scores.append(_mean_cosine(shuffled))
        if k < N_COMPARED:
            other = (shuffled @ shuffled.T)[above]
            statistic = mannwhitneyu(own, other, method="asymptotic").statistic
            areas.append(float(statistic) / (len(own) * len(other)))
    ocs = _mean_cosine(offsets)
    p = (1 + int(np.sum(np.array(scores) >= ocs))) / (1 + n_shuffles)
    return Concentration(ocs, float(np.mean(scores)), float(np.mean(areas)), p, n)


def are_directions(found: Sequence[Concentration], level: float = 0.05) -> list[bool]:
    """Say which relations are directions, with few false ones among those that are named.

    Parameters
    ----------
    found : sequence of Concentration
        Of all relations that were tested.
    level : float
        The share of false ones that is expected at most (Benjamini & Hochberg 1995).

    Returns
    -------
    list of bool
        One a relation.
    """
    if not found:
        return []
    adjusted = false_discovery_control([one.p for one in found])
    return [bool(p <= level) for p in adjusted]


def _directions(offsets: Floats) -> Floats:
    lengths = np.linalg.norm(offsets, axis=1, keepdims=True)
    return offsets / np.where(lengths > 0, lengths, 1.0)


def _mean_cosine(offsets: Floats) -> float:
    """Average over all pairs of different rows, from the length of their sum."""
    n = len(offsets)
    own = float((offsets**2).sum())  # a row without a direction has 0
    return (float((offsets.sum(axis=0) ** 2).sum()) - own) / (n * (n - 1))


def deranged(n: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw an order of n in which nothing stands at its own place, all equally likely."""
    while True:
        order = random.permutation(n)
        if not (order == np.arange(n)).any():
            return order
