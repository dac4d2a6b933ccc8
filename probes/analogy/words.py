"""Methods that answer a : a* :: b : ? from the three words alone."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.analogy.solve import ROUNDING, TIE, Floats, Ints, Score, Space, parts

EPSILON = 1e-3
"""Of 3CosMul's denominator (Levy & Goldberg 2014)."""

LOW = 1e-2
"""Below it, a cos' of 3CosMul is too coarse in float32 to divide or compare by."""

NEAR = 1e-3
"""Squared distance from b, within which the direction from b is too coarse in float32."""

SHORT = 0.2
"""Length of an offset, below which a difference of two cosines in float32 is too coarse."""

SAME = 1e-12
"""Directions that lie as close are one, but for rounding in float64."""


class OfWords(Score):
    """A method that sees the cosines of a word with a, a* and b.

    Parameters
    ----------
    cosines : Cosines
        Of the questions, shared by all methods.
    """

    tolerance = 8 * ROUNDING  # of a score that is the sum of three cosines, and twice

    def __init__(self, cosines: Cosines) -> None:
        self.cosines, self.space = cosines, cosines.space
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
        """Give the directions of a, a* and b of some questions, each of shape (n, width)."""
        a, a_star, b = (self.space.exact(column) for column in self.left_out[questions].T)
        return a, a_star, b

    def _again(self, rows: slice, question: Ints, word: Ints) -> Floats:
        """Score some words of the run for some questions of a tile in float64."""
        return self.exact_in_parts(question + rows.start, word + self.cosines.run[0])


class Coarse:
    """Where a table is too coarse in float32.

    Parameters
    ----------
    where : Tensor of shape (n_rows, n_words), bool
        Few of all.
    """

    def __init__(self, where: Tensor) -> None:
        row, self._words = torch.nonzero(where).numpy().T
        self._starts = np.searchsorted(row, np.arange(len(where) + 1))

    def among(self, rows: Ints) -> tuple[Ints, Ints]:
        """Say where in some rows: by their places among these, and the words."""
        starts, n = self._starts[rows], self._starts[rows + 1] - self._starts[rows]
        place = np.repeat(np.arange(len(rows)), n)
        within = np.arange(len(place)) - np.repeat(np.cumsum(n) - n, n)
        return place, self._words[np.repeat(starts, n) + within]


class Cosines:
    """The cosines of the questions' words with the words of a run.

    Parameters
    ----------
    space : Space
        The words.
    questions : ndarray of shape (n_questions, 3), int64
        a, a* and b of each by their places; questions of one pair a : a* should stand together,
        for they are scored together.

    Attributes
    ----------
    places : Tensor of shape (n_questions, 3), int64
        The rows of the table of each question's words.
    groups : list of slice
        Questions of one pair, in runs.
    lengths : Tensor of shape (n_rows,), float32
        Of the directions of the table's rows: 1, or 0 of a zero vector.
    run : tuple of int
        Where the words of the run begin and end.
    table : Tensor of shape (n_rows, n_words_of_run), float32
        The cosines.

    Raises
    ------
    InputError
        If a question has a word that is not of the space.
    """

    run: tuple[int, int] = (0, 0)
    table: Tensor

    def __init__(self, space: Space, questions: npt.ArrayLike) -> None:
        self.space, self.questions = space, space.places(questions, 3)
        words, places = np.unique(self.questions, return_inverse=True)
        self.places = torch.from_numpy(places.reshape(self.questions.shape))
        self.lengths = space.lengths[torch.from_numpy(words)]
        self._directions = space.unit[torch.from_numpy(words)]
        changes = np.any(np.diff(self.questions[:, :2], axis=0) != 0, axis=1)
        edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(self.questions)]
        self.groups = [part for pair in itertools.pairwise(edges) for part in parts(*pair)]

    def begin(self, low: int, high: int) -> None:
        """Turn to the words from `low` to `high`."""
        if self.run != (low, high):
            self.run = (low, high)
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
        return _dot(self.space.exact(words), a_star - a + b)


class CosMul(OfWords):
    """3CosMul: cos'(x, a*) cos'(x, b) / (cos'(x, a) + ε), cos' = (cos + 1) / 2.

    Levy & Goldberg (2014), section 6; compared by its logarithm.
    """

    tolerance = 4 * ROUNDING / LOW  # of the logarithms of three halves of cosines, and twice

    def begin(self, low: int, high: int) -> None:
        """As `Score.begin`."""
        super().begin(low, high)
        positive = (self.cosines.table + 1).div_(2)
        self._low = Coarse(positive < LOW)
        self._above = torch.log(positive.clamp_(min=LOW))
        self._below = positive.add_(EPSILON).log_()

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        a, a_star, b = self._rows(rows)
        tile = self._above.index_select(0, b).add_(self._above[a_star] - self._below[a])
        for place in self.cosines.places[rows].numpy().T:
            question, word = self._low.among(place)
            scores = np.maximum(self._again(rows, question, word), 10 * TIE)
            tile.numpy()[question, word] = np.log(scores)
        return tile

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        x = self.space.exact(words)
        below, *above = ((_dot(x, of) + 1) / 2 for of in self._of(questions))
        return above[0] * above[1] / (below + EPSILON)


class PairDirection(OfWords):
    """PairDirection: cos(x - b, a* - a) (Levy & Goldberg 2014, section 4).

    0 where b lies, and everywhere if a* lies where a lies.
    """

    # A difference of cosines over two lengths, and a square of a length, and twice.
    tolerance = 4 * ROUNDING / (SHORT * NEAR**0.5) + 2 * ROUNDING / NEAR

    def begin(self, low: int, high: int) -> None:
        """As `Score.begin`."""
        super().begin(low, high)
        squares = self.space.lengths[low:high] + self.cosines.lengths[:, None]
        squares.sub_(self.cosines.table, alpha=2)
        self._near = Coarse(squares < NEAR)
        self._per_length = squares.clamp_(min=NEAR).rsqrt_()

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        b = self._rows(rows)[2]
        tile = self._per_length.index_select(0, b)
        a, a_star = self.space.exact(self.left_out[rows.start, :2])
        offset = a_star - a
        length = float(np.linalg.norm(offset))
        if length < SAME:  # all words do equally well: the answer is among the first ones
            n_first = max(self.left_out.shape[1] + 1 - self.cosines.run[0], 0)
            tile.fill_(-torch.inf)[:, :n_first] = 0
            return tile
        along = self._along(rows, offset / length, length)
        from_b = self.space.exact(self.left_out[rows, 2]) @ (offset / length)
        tile.mul_(along - torch.from_numpy(from_b.astype(np.float32))[:, None])
        question, word = self._near.among(b.numpy())
        tile.numpy()[question, word] = self._again(rows, question, word)
        return tile

    def _along(self, rows: slice, direction: Floats, length: float) -> Tensor:
        """Project the words of the run on the direction from a to a*, shape (n_words,)."""
        if length < SHORT:
            low, high = self.cosines.run
            return self.space.unit[low:high] @ torch.from_numpy(direction.astype(np.float32))
        a, a_star, _ = self._rows(rows)
        return (self.cosines.table[a_star] - self.cosines.table[a]) / length

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        a, a_star, b = self._of(questions)
        return _dot(_unit(self.space.exact(words) - b), _unit(a_star - a))


class OnlyB(OfWords):
    """ONLY-B: cos(x, b), which takes no notice of a and a*: a baseline (Linzen 2016)."""

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        return self.cosines.table.index_select(0, self._rows(rows)[2])

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        return _dot(self.space.exact(words), self._of(questions)[2])


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
        x = self.space.exact(words)
        return np.max([_dot(x, of) for of in self._of(questions)], axis=0)


def _dot(x: Floats, y: Floats) -> Floats:
    """Multiply row by row."""
    return np.asarray(np.einsum("ij,ij->i", x, y))


def _unit(x: Floats) -> Floats:
    """Scale differences of directions to unit length; to 0 where there is no difference."""
    lengths = np.linalg.norm(x, axis=1)[:, None]
    return np.divide(x, lengths, out=np.zeros_like(x), where=lengths >= SAME)
