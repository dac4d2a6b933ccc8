"""Methods that answer a : a* :: b : ? from the three words alone."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from probes.analogy.solve import Floats, Ints, Score, Space

EPSILON = 1e-3
"""Of 3CosMul's denominator (Levy & Goldberg 2014)."""

NEAR = 1e-4
"""A word at less than this squared distance from b has no direction from there in float32."""

SHORT = 1e-5
"""An offset that is shorter has no direction in float32."""


class OfWords(Score):
    """A method that sees the cosines of a word with a, a* and b.

    Parameters
    ----------
    cosines : Cosines
        Of the questions, shared by all methods.
    """

    tolerance = 4e-6

    def __init__(self, cosines: Cosines) -> None:
        self.cosines = cosines
        self.left_out = cosines.questions
        self.groups = cosines.groups

    def begin(self, low: int, high: int) -> None:
        """As `Score.begin`."""
        self.cosines.begin(low, high)

    def _rows(self, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Give the rows of a table for a and a*, which are those of the whole group, and all b."""
        place = self.cosines.places[rows]
        return place[0, 0], place[0, 1], place[:, 2]

    def _of(self, questions: Ints) -> tuple[Floats, Floats, Floats]:
        a, a_star, b = (self.cosines.space.exact(column) for column in self.left_out[questions].T)
        return a, a_star, b


class Cosines:
    """The cosines of the questions' words with the words of a run.

    Parameters
    ----------
    space : Space
        The words.
    questions : ndarray of shape (n_questions, 3), int64
        a, a* and b of each by their places; questions of one pair a : a* stand together.
    """

    def __init__(self, space: Space, questions: Ints) -> None:
        self.space, self.questions = space, questions
        words, places = np.unique(questions, return_inverse=True)
        self.places = torch.from_numpy(places.reshape(questions.shape))
        self._directions = space.unit[torch.from_numpy(words)]
        begins = np.flatnonzero(np.any(np.diff(questions[:, :2], axis=0) != 0, axis=1)) + 1
        edges = [0, *begins.tolist(), len(questions)] if len(questions) else [0]
        self.groups = [slice(i, j) for i, j in itertools.pairwise(edges)]
        self._run: tuple[int, int] | None = None

    def begin(self, low: int, high: int) -> None:
        """Turn to the words from `low` to `high`."""
        if self._run != (low, high):
            self._run = (low, high)
            self.table = self._directions @ self.space.unit[low:high].T


class CosAdd(OfWords):
    """3CosAdd: cos(x, a* - a + b), over unit vectors (Mikolov et al. 2013)."""

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        a, a_star, b = self._rows(rows)
        table = self.cosines.table
        return table.index_select(0, b).add_(table[a_star] - table[a])

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        a, a_star, b = self._of(questions)
        return _dot(self.cosines.space.exact(words), a_star - a + b)


class CosMul(OfWords):
    """3CosMul: cos'(x, a*) cos'(x, b) / (cos'(x, a) + ε), cos' = (cos + 1) / 2.

    Levy & Goldberg (2014), section 6; compared by its logarithm.
    """

    tolerance = 2e-4  # of a logarithm, where ε is all there is

    def begin(self, low: int, high: int) -> None:
        """As `Score.begin`."""
        super().begin(low, high)
        positive = (self.cosines.table + 1).div_(2).clamp_(min=0)
        self._above = torch.log(positive)
        self._below = positive.add_(EPSILON).log_()

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        a, a_star, b = self._rows(rows)
        return self._above.index_select(0, b).add_(self._above[a_star] - self._below[a])

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        x = self.cosines.space.exact(words)
        below, *above = ((_dot(x, of) + 1) / 2 for of in self._of(questions))
        return above[0] * above[1] / (below + EPSILON)


class PairDirection(OfWords):
    """PairDirection: cos(x - b, a* - a) (Levy & Goldberg 2014, section 4); 0 at b itself."""

    tolerance = 4e-5  # the rounding of a product, over a distance of the root of NEAR or more

    def begin(self, low: int, high: int) -> None:
        """As `Score.begin`."""
        super().begin(low, high)
        self._first = low == 0
        squares = 2 - 2 * self.cosines.table
        word, column = torch.nonzero(squares <= NEAR).numpy().T
        self._near = np.searchsorted(word, np.arange(len(squares) + 1)), column
        self._per_length = squares.clamp_(min=NEAR).rsqrt_()

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`; up to the length of a* - a, which is the same for all words."""
        a, a_star, b = self._rows(rows)
        offset, from_b = self.cosines.table[a_star] - self.cosines.table[a], self._along(rows)
        tile = self._per_length.index_select(0, b)
        if from_b is None:  # a* lies where a lies, and all words do equally well: the first ones
            tile.fill_(-torch.inf)[:, : 4 * self._first] = 0
            return tile
        return tile.mul_(offset[None] - from_b[:, None])

    def _along(self, rows: slice) -> Tensor | None:
        """Project each b on a* - a; None if that has no length."""
        a, a_star = self.cosines.space.unit[self.left_out[rows.start, :2]]
        if torch.linalg.norm(a_star - a) < SHORT:
            return None
        return self.cosines.space.unit[self.left_out[rows, 2]] @ (a_star - a)

    def unsure(self, rows: slice) -> tuple[Ints, Ints]:
        """Name the words that lie where b lies."""
        starts, column = self._near
        b = self._rows(rows)[2].numpy()
        n = starts[b + 1] - starts[b]
        question = np.repeat(np.arange(len(b)), n)
        within = np.arange(len(question)) - np.repeat(np.cumsum(n) - n, n)
        return question, column[np.repeat(starts[b], n) + within]

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        a, a_star, b = self._of(questions)
        x, offset = self.cosines.space.exact(words) - b, a_star - a
        lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(offset, axis=1)
        return np.where(lengths > 0, _dot(x, offset) / np.where(lengths > 0, lengths, 1.0), 0.0)


class OnlyB(OfWords):
    """ONLY-B: cos(x, b), which takes no notice of a and a*: a baseline (Linzen 2016)."""

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        return self.cosines.table.index_select(0, self._rows(rows)[2])

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        return _dot(self.cosines.space.exact(words), self._of(questions)[2])


class SimilarToAny(OfWords):
    """Similar to any: the greatest of cos(x, a), cos(x, a*) and cos(x, b): a baseline."""

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        a, a_star, b = self._rows(rows)
        table = self.cosines.table
        tile = table.index_select(0, b)
        return torch.maximum(tile, torch.maximum(table[a], table[a_star]), out=tile)

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        x = self.cosines.space.exact(words)
        return np.max([_dot(x, of) for of in self._of(questions)], axis=0)


def _dot(x: Floats, y: Floats) -> Floats:
    """Multiply row by row; equal rows give equal products, bit for bit."""
    return np.einsum("ij,ij->i", x, y)
