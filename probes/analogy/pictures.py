"""Two-dimensional pictures of a relation: its words, and its offsets moved to one origin.

Both planes are those that lose least (PCA); what they lose is said, since two vectors of several
hundred dimensions that lie together in a plane may lie far apart. Beside the offsets stand those of
the same words paired at random: their mean is the same, whatever the words, so that only a fan
narrower than theirs says that a relation is a direction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.analogy.ask import Asked
from probes.analogy.offsets import FEWEST, Floats, deranged
from probes.analogy.solve import Space

NOTHING = 1e-6
"""Of the longest coordinate along an axis: what is below it is rounding."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A relation in two dimensions.

    Parameters
    ----------
    sources, targets : ndarray of shape (n_pairs, 2)
        The words of each pair, about their common mean.
    words_share : float
        Of the variance of the words, what the plane holds.
    offsets, shuffled : ndarray of shape (n_pairs, 2)
        target - source of each pair, and of each source with another's target.
    offsets_share : float
        Of the squared lengths of both, what their plane holds.
    """

    sources: Floats
    targets: Floats
    words_share: float
    offsets: Floats
    shuffled: Floats
    offsets_share: float


def picture(
    sources: npt.NDArray[np.floating], targets: npt.NDArray[np.floating], seed: int = 0
) -> Picture:
    """Lay a relation out in two dimensions.

    Parameters
    ----------
    sources, targets : ndarray of shape (n_pairs, width)
        The two words of each pair, as directions; at least two pairs.
    seed : int
        Of the shuffle: the first one of `probes.analogy.offsets.concentration`.

    Returns
    -------
    Picture
        Turning or mirroring the space changes nothing: of each axis, the positive end is the one to
        which the mean offset points; where it has no part along the axis, as of pairs (a, b) and
        (b, a), the one to which the first word or offset points that has. Two axes that hold just
        as much as one another may be turned in their plane: which is drawn is not determined.
    """
    S, T = np.asarray(sources, np.float64), np.asarray(targets, np.float64)
    n = len(S)
    wrong = T[deranged(n, np.random.default_rng(seed))] - S
    words = np.concatenate([S, T])
    mean = (T - S).mean(axis=0)
    at, words_share = _plane(words - words.mean(axis=0), mean)
    fan, offsets_share = _plane(np.concatenate([T - S, wrong]), mean)
    return Picture(at[:n], at[n:], words_share, fan[:n], fan[n:], offsets_share)


COLUMNS = (
    *("layer", "how", "space", "relation", "category", "source", "target"),
    *("source_x", "source_y", "target_x", "target_y"),
    *("offset_x", "offset_y", "shuffled_x", "shuffled_y"),
    *("words_share", "offsets_share"),
)
"""Of ``pictures.parquet``, a row a pair: which picture, as in the results; the words; where they
lie; their offset, and that of the source with another's target; what the two planes hold."""


def drawn(
    directions: Space, asked: Asked, seed: int, *, layer: str, how: str, space: str
) -> Iterator[dict[str, object]]:
    """Give the rows of the pictures of all relations of which enough pairs are known.

    Parameters
    ----------
    directions : Space
        The vocabulary's vectors.
    asked : Asked
        The set, looked up in it.
    seed : int
        Of the shuffles.
    layer, how, space : str
        Where the vectors come from.

    Yields
    ------
    dict
        By `COLUMNS`.
    """
    pairs = [pair for relation in asked.of.relations for pair in relation.pairs]
    whole = asked.whole
    for number, relation in enumerate(asked.of.relations):
        mine = whole[asked.relation[whole] == number]
        if len(mine) < FEWEST:
            continue
        sources, targets = (directions.exact(end) for end in asked.pairs[mine].T)
        shown = picture(sources, targets, seed)
        named = (layer, how, space, relation.name, relation.category)
        shares = (shown.words_share, shown.offsets_share)
        places = np.hstack([shown.sources, shown.targets, shown.offsets, shown.shuffled])
        for pair, at in zip((pairs[k] for k in mine), places.tolist(), strict=True):
            row = (*named, pair.source, pair.target, *at, *shares)
            yield dict(zip(COLUMNS, row, strict=True))


def _plane(rows: Floats, mean: Floats) -> tuple[Floats, float]:
    """Lay rows out in the plane through the origin that holds most of their squared lengths."""
    U, s, Vt = np.linalg.svd(rows, full_matrices=False)
    at = np.zeros((len(rows), 2))
    held = min(2, len(s))
    at[:, :held] = U[:, :held] * s[:held]
    at[:, :held] *= _signs(at[:, :held], Vt[:held] @ mean)
    total = float((s**2).sum())
    return at, float((s[:held] ** 2).sum()) / total if total else 1.0


def _signs(at: Floats, mean: Floats) -> Floats:
    """Point each axis to the mean, or where that is rounding to the first row that is none.

    Shapes (n, n_axes) and (n_axes,): (n_axes,).
    """
    signs = np.ones(len(mean))
    for axis, along in enumerate(mean):
        ends = np.array([along, *at[:, axis]])
        far = np.abs(ends) > NOTHING * np.abs(ends).max()
        signs[axis] = -1.0 if far.any() and ends[far.argmax()] < 0 else 1.0
    return signs
