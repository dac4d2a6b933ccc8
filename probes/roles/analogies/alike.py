"""Sequences that an encoder gives one vector, as a bag of words does to anagrams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ROUNDING = 1e-6
"""Vectors whose distance is less, by the length of the longer one, are equal: float32 sets apart
sums of the same terms in another order, by some 1e-7."""


def number_vectors(E: Floats) -> Ints:
    """Number the different vectors.

    Parameters
    ----------
    E : ndarray of shape (n_sequences, width)
        Finite.

    Returns
    -------
    ndarray of shape (n_sequences,), int64
        0 … n_vectors - 1 as they come; of two sequences the same where their vectors are equal but
        for rounding, or equal to a third one's.

    Notes
    -----
    Equal vectors have equal projections on any direction, so that only sequences that are
    neighbours along one are compared.
    """
    n = len(E)
    direction = np.random.default_rng(0).normal(size=E.shape[1])
    along = E @ (direction / np.linalg.norm(direction))
    order = np.argsort(along, kind="stable")
    along, norms = along[order], np.linalg.norm(E, axis=1)[order]
    reach = ROUNDING * norms.max(initial=0)
    number, links = np.arange(n), np.empty((2, 0), np.int64)
    for k in range(1, n):
        near = np.flatnonzero(along[k:] - along[:-k] <= reach)
        if not len(near):
            break
        near = near[number[near] != number[near + k]]
        distances = np.linalg.norm(E[order[near + k]] - E[order[near]], axis=1)
        near = near[distances <= ROUNDING * np.maximum(norms[near], norms[near + k])]
        if len(near):
            links = np.concatenate([links, [near, near + k]], axis=1)
            graph = coo_array((np.ones(links.shape[1]), tuple(links)), (n, n))
            number = connected_components(graph, directed=False)[1]
    unordered = np.empty(n, np.int64)
    unordered[order] = number
    _, first, inverse = np.unique(unordered, return_index=True, return_inverse=True)
    numbers: Ints = np.argsort(np.argsort(first))[inverse]
    return numbers
