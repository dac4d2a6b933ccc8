"""Whether a relation is a direction: how alike its offsets a* - a are, and what chance makes of it.

Fournier, Dupoux, Dunbar (2020), "Analogies minus analogy test", arXiv:2010.03446: the accuracy of
analogies mixes this with how near the words lie to each other; these scores do not. Their shuffled
pairs tell a pairing from none. That is less than a direction: words that lie near their own
targets, whichever way, pass it too. So a second test turns offsets round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import false_discovery_control, mannwhitneyu

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

OFFSETS = "offsets"
"""Stands for the method in rows that are of offsets."""

N_SHUFFLES = 999
"""Of each test: its least p is .001."""

FEWEST = 5
"""Offsets of a relation that say something."""

N_COMPARED = 50
"""Shuffles whose offsets are compared one by one with those of the relation."""

NONE = 1e-6
"""Of the length of the words: shorter offsets are rounding, in float32."""

_TIE = 1e-12  # scores that differ less are one but for rounding
_TOGETHER = 1 << 16  # numbers that are shuffled together: what a cache holds


@dataclass(frozen=True)
class Concentration:
    """How alike the offsets of a relation are.

    Parameters
    ----------
    ocs : float
        Offset concentration score: the mean cosine of two different offsets.
    shuffled : float
        The same where no source keeps its own target, by place and not by word, the mean over
        shuffles.
    pcs : float
        Pairing consistency score: how often two offsets of the relation are more alike than two
        offsets of a shuffled one (the area under the curve); .5 by chance.
    p_pairing : float
        Of the hypothesis that it does not matter which source has which target (`p_of_pairing`).
    p_flipped : float
        Of the hypothesis that offsets point either way alike (`p_of_direction`).
    n : int
        Number of offsets.
    n_zero : int
        Pairs that are left out, since source and target have one vector and so no direction.
    """

    ocs: float
    shuffled: float
    pcs: float
    p_pairing: float
    p_flipped: float
    n: int
    n_zero: int = 0

    @property
    def p(self) -> float:
        """Of the hypothesis that the relation is no direction: the larger of the two."""
        return max(self.p_pairing, self.p_flipped)


def concentration(
    sources: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    seed: int = 0,
    n_shuffles: int = N_SHUFFLES,
) -> Concentration | None:
    """Measure how alike the offsets of a relation are.

    Parameters
    ----------
    sources, targets : ndarray of shape (n_pairs, width)
        The two words of each pair.
    seed : int
        Of shuffles and signs.
    n_shuffles : int
        Of each kind.

    Returns
    -------
    Concentration or None
        Of vectors as they are given: an offset has the length that it has, and counts by its
        direction. None where fewer than `FEWEST` offsets have one.

    Notes
    -----
    Scores are compared with shuffles that leave no pair in its place, as Fournier et al. (2020)
    have them; p-values are not, since the relation itself is no such shuffle.
    """
    S, T = np.asarray(sources, np.float64), np.asarray(targets, np.float64)
    has = _has_direction(S, T)
    n = int(has.sum())
    if n < FEWEST:
        return None
    S, T = S[has], T[has]
    offsets = _directions(T - S)
    random = np.random.default_rng(seed)
    orders = np.array([deranged(n, random) for _ in range(n_shuffles)])
    return Concentration(
        ocs=float(_mean_cosine(offsets.sum(axis=0), n)),
        shuffled=float(np.mean(_paired(S, T, orders))),
        pcs=_area(offsets, [_directions(T[order] - S) for order in orders[:N_COMPARED]]),
        p_pairing=p_of_pairing(S, T, random, n_shuffles),
        p_flipped=p_of_direction(T - S, random, n_shuffles),
        n=n,
        n_zero=len(has) - n,
    )


def p_of_pairing(
    sources: Floats, targets: Floats, random: np.random.Generator, n: int = N_SHUFFLES
) -> float:
    """Test that it does not matter which source has which target.

    Parameters
    ----------
    sources, targets : ndarray of shape (n_pairs, width)
        The two words of each pair.
    random : Generator
        Draws orders of the targets, all of them alike.
    n : int
        Orders, beside the one that is given.

    Returns
    -------
    float
        The share of orders, the given one included, whose offsets are no less alike: no more than
        a share x of relations whose targets could stand in any order has x or less.
    """
    orders = random.permuted(np.tile(np.arange(len(sources)), (n, 1)), axis=1)
    (own,) = _paired(sources, targets, np.arange(len(sources))[None])
    return _p(own, _paired(sources, targets, orders))


def p_of_direction(offsets: Floats, random: np.random.Generator, n: int = N_SHUFFLES) -> float:
    """Test that offsets point either way alike: that they are symmetric about zero.

    Parameters
    ----------
    offsets : ndarray of shape (n_pairs, width)
        Of any length above zero.
    random : Generator
        Draws which of them are turned round.
    n : int
        Draws, beside the offsets as they are. Where there are no more ways than that to turn some
        of them round, all are taken, once each.

    Returns
    -------
    float
        The share of ways, the given offsets included, that are no less alike. Turning all round
        changes nothing, so it is 2^(1 - n_pairs) at the least: .06 of five offsets, .03 of six.
    """
    directions = _directions(offsets)
    n_pairs = len(directions)
    own = float(_mean_cosine(directions.sum(axis=0), n_pairs))
    if 2 ** (n_pairs - 1) <= n + 1:
        others = np.arange(1, 2 ** (n_pairs - 1))  # the last offset stays, 0 turns none round
        signs = 1.0 - 2.0 * (others[:, None] >> np.arange(n_pairs) & 1)
    else:
        signs = random.choice((-1.0, 1.0), size=(n, n_pairs))
    return _p(own, _mean_cosine(signs @ directions, n_pairs))


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
        One a relation: whether both tests reject, each by the larger p of the two, which is one of
        the hypothesis that either holds (Berger 1982, on the intersection of rejections).
    """
    if not found:
        return []
    adjusted = false_discovery_control([one.p for one in found])
    return [bool(p <= level) for p in adjusted]


def deranged(n: int, random: np.random.Generator) -> Ints:
    """Draw an order of n in which nothing stands at its own place, all equally likely."""
    while True:
        order = random.permutation(n)
        if not (order == np.arange(n)).any():
            return order


def _has_direction(S: Floats, T: Floats) -> npt.NDArray[np.bool_]:
    lengths = np.maximum(np.linalg.norm(S, axis=1), np.linalg.norm(T, axis=1))
    return np.asarray(np.linalg.norm(T - S, axis=1) > NONE * lengths)


def _directions(offsets: Floats) -> Floats:
    lengths = np.linalg.norm(offsets, axis=-1, keepdims=True)
    return offsets / np.where(lengths > 0, lengths, 1.0)


def _paired(S: Floats, T: Floats, orders: Ints) -> Floats:
    """Score sources with targets in other orders, shape (n_orders, n_pairs): (n_orders,)."""
    n_together = max(_TOGETHER // S.size, 1)

    def scores() -> Iterator[Floats]:
        for start in range(0, len(orders), n_together):
            offsets = _directions(T[orders[start : start + n_together]] - S)
            # A target may be another pair's source: that offset has no direction, and counts 0.
            own = (offsets**2).sum(axis=(1, 2))
            yield _mean_cosine(offsets.sum(axis=1), len(S), own)

    return np.concatenate([*scores()])


def _mean_cosine(total: Floats, n: int, own: Floats | None = None) -> Floats:
    """Average over all pairs of n directions, from their sum, shape (…, width)."""
    squares = (total**2).sum(axis=-1)
    return np.asarray((squares - (n if own is None else own)) / (n * (n - 1)))


def _area(own: Floats, others: Sequence[Floats]) -> float:
    """Average the area under the curve of cosines of the relation's offsets, against others'."""
    above = np.triu_indices(len(own), 1)
    mine, areas = (own @ own.T)[above], []
    for other in others:
        cosines = (other @ other.T)[above]
        statistic = mannwhitneyu(mine, cosines, method="asymptotic").statistic
        areas.append(float(statistic) / (len(mine) * len(cosines)))
    return float(np.mean(areas))


def _p(own: float, others: Floats) -> float:
    return (1 + int(np.sum(others >= own - _TIE))) / (1 + len(others))
