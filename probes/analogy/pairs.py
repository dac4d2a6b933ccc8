"""Methods that learn a relation from all its other pairs, and then ask for the answer to b.

Each pair of a relation is asked for once, with that pair left out of what is learned.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.analogy.solve import ROUNDING, Floats, Ints, Score, Space, parts

ZERO = 1e-5
"""A learned vector that is shorter is zero, but for rounding and for `Procrustes.NEAR_IDENTITY`:
it has no direction."""


class OfPairs(Score):
    """A method whose questions are pairs b : b* of relations.

    Parameters
    ----------
    space : Space
        The words.
    pairs : ndarray of shape (n_pairs, 2), int64
        The source and the first answer of each pair, by their places.
    relations : ndarray of shape (n_pairs,), int64
        The relation of each; one with a single pair has nothing to learn from, and its pair gets
        the nearest word to b.

    Raises
    ------
    InputError
        If a pair has a word that is not of the space.
    """

    tolerance = 4 * ROUNDING

    def __init__(self, space: Space, pairs: npt.ArrayLike, relations: npt.ArrayLike) -> None:
        self.space, self.pairs = space, space.places(pairs, 2)
        self.relations = np.asarray(relations, np.int64)
        self.left_out = self.pairs[:, :1]
        self.groups = parts(0, len(self.pairs))
        self._learn()

    @abstractmethod
    def _learn(self) -> None:
        """Learn, for each pair, from the others of its relation."""

    def _others(self) -> Iterator[tuple[int, Ints]]:
        """Name each pair, and the other pairs of its relation."""
        for relation in np.unique(self.relations):
            mine = np.flatnonzero(self.relations == relation)
            for pair in mine:
                yield int(pair), mine[mine != pair]

    def begin(self, low: int, high: int) -> None:
        """As `Score.begin`."""
        self._words = self.space.unit[low:high].T


class OfDirections(OfPairs):
    """A method that learns a vector, in whose direction the answer lies."""

    def _learn(self) -> None:
        """As `OfPairs._learn`."""
        sources, targets = (self.space.exact(column) for column in self.pairs.T)
        learned = sources.copy()
        for pair, others in self._others():
            if len(others):
                learned[pair] = self._answer(sources[others], targets[others], sources[pair])
        lengths = np.linalg.norm(learned, axis=1)[:, None]
        self._queries = np.divide(
            learned, lengths, out=np.zeros_like(learned), where=lengths >= ZERO
        )
        self._directions = torch.from_numpy(self._queries.astype(np.float32))

    @abstractmethod
    def _answer(self, sources: Floats, targets: Floats, b: Floats) -> Floats:
        """Give the vector in whose direction the answer lies.

        Parameters
        ----------
        sources, targets : ndarray of shape (n_others, width)
            Directions of the other pairs.
        b : ndarray of shape (width,)
            The source that is asked about.

        Returns
        -------
        ndarray of shape (width,)
            Of any length.
        """

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        return self._directions[rows] @ self._words

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        return np.einsum("ij,ij->i", self.space.exact(words), self._queries[questions])


class CosAvg(OfDirections):
    """3CosAvg: cos(x, b + mean of a*_i - a_i over the other pairs) (Drozd et al. 2016)."""

    def _answer(self, sources: Floats, targets: Floats, b: Floats) -> Floats:
        return b + (targets - sources).mean(axis=0)


class LinearMap(OfDirections):
    """The offset as a ridge regression on the source, whose penalty the other pairs choose.

    As the penalty grows, the map becomes 3CosAvg's mean offset.
    """

    PENALTIES = tuple(float(x) for x in np.logspace(-3, 3, 13))

    def _answer(self, sources: Floats, targets: Floats, b: Floats) -> Floats:
        centre, offsets = sources.mean(axis=0), targets - sources
        mean = offsets.mean(axis=0)
        if len(sources) < 3:  # without one of them, any penalty gives the mean
            return b + mean
        X, Y = sources - centre, offsets - mean
        U, s, Vt = np.linalg.svd(X, full_matrices=False)
        projected = U.T @ Y
        errors = []
        for penalty in self.PENALTIES:
            shrink = s**2 / (s**2 + penalty)
            hat = np.einsum("ij,j,ij->i", U, shrink, U) + 1 / len(X)
            left_out = (Y - (U * shrink) @ projected) / (1 - hat)[:, None]
            errors.append(float((left_out**2).sum()))
        penalty = self.PENALTIES[int(np.argmin(errors))]
        weights = (s / (s**2 + penalty))[:, None] * projected
        return b + mean + ((b - centre) @ Vt.T) @ weights


class Procrustes(OfDirections):
    """The rotation of sources on targets, both centred (Schönemann 1966); reflections count.

    R = argmin |X R - Y|² + ε |R - I|²,  with R orthogonal: the other pairs say nothing of most
    directions, and there R is the identity, or as near to it as an orthogonal map can be.
    """

    NEAR_IDENTITY = 1e-6

    def _answer(self, sources: Floats, targets: Floats, b: Floats) -> Floats:
        source, target = sources.mean(axis=0), targets.mean(axis=0)
        X, Y = sources - source, targets - target
        basis, _ = np.linalg.qr(np.concatenate([X, Y]).T)  # of the directions they speak of
        products = (X @ basis).T @ (Y @ basis)
        products.flat[:: len(products) + 1] += self.NEAR_IDENTITY
        U, _, Vt = np.linalg.svd(products)
        within = (b - source) @ basis
        return target + (b - source) + (within @ U @ Vt - within) @ basis.T


class LRCos(OfPairs):
    """LRCos: P(x is a target of the relation) · cos(x, b) (Drozd et al. 2016).

    The classifier is a logistic regression that tells the other pairs' targets (positive) from
    their sources, four times each, and as many random words; classes weigh alike, C = 1.

    Parameters
    ----------
    space, pairs, relations
        As of `OfPairs`.
    seed : int
        Of the random words: a pair draws them by ``default_rng([seed, source, target])``, whatever
        other relations there are.
    """

    COPIES = 4

    def __init__(
        self, space: Space, pairs: npt.ArrayLike, relations: npt.ArrayLike, seed: int = 0
    ) -> None:
        self._seed = seed
        super().__init__(space, pairs, relations)

    def _learn(self) -> None:
        from sklearn.linear_model import LogisticRegression

        sources, targets = (self.space.exact(column) for column in self.pairs.T)
        self._queries = sources
        self._weights = np.zeros_like(sources)
        self._biases = np.zeros(len(sources))
        for pair, others in self._others():
            if not len(others):
                continue
            random = np.random.default_rng([self._seed, *self.pairs[pair].tolist()])
            drawn = random.integers(0, len(self.space), self.COPIES * len(others))
            negatives = [sources[others]] * self.COPIES + [self.space.exact(drawn)]
            X = np.concatenate([targets[others], *negatives])
            y = np.arange(len(X)) < len(others)
            fit = LogisticRegression(solver="liblinear", class_weight="balanced").fit(X, y)
            self._weights[pair], self._biases[pair] = fit.coef_[0], fit.intercept_[0]
        self._directions = torch.from_numpy(self._queries.astype(np.float32))
        self._planes = torch.from_numpy(self._weights.astype(np.float32))
        self._offsets = torch.from_numpy(self._biases.astype(np.float32))
        steepest = float(np.linalg.norm(self._weights, axis=1).max(initial=0.0)) / 4
        self.tolerance = 4 * ROUNDING * (1 + steepest)

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        inside = torch.addmm(self._offsets[rows, None], self._planes[rows], self._words)
        return inside.sigmoid_().mul_(self._directions[rows] @ self._words)

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        x = self.space.exact(words)
        inside = np.einsum("ij,ij->i", x, self._weights[questions]) + self._biases[questions]
        return np.einsum("ij,ij->i", x, self._queries[questions]) / (1 + np.exp(-inside))
