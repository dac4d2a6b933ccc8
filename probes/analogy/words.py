"""Methods that answer a : a* :: b : ? from the three words alone."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.analogy.kept import TIE
from probes.analogy.solve import ROUNDING, Floats, Ints, Score, Space, parts
from probes.analogy.summands import BLOCK, Summands, peaks_of

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

FEW = 8
"""Questions of one pair, below which they are scored together with those of other pairs."""


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
        """Give the rows of a table for a and a*, once for a group of one pair, and for all b."""
        place = self.cosines.places[rows]
        pair = place[:1] if bool((place[:, :2] == place[0, :2]).all()) else place
        return pair[:, 0], pair[:, 1], place[:, 2]

    def _offset(self, table: Tensor, a: Tensor, a_star: Tensor) -> Tensor:
        """Subtract rows of a table, those of a from those of a*."""
        return table.index_select(0, a_star).sub_(table.index_select(0, a))

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
        a, a* and b of each by their places; many questions of one pair a : a* should stand
        together, for they are scored together in less time.

    Attributes
    ----------
    places : Tensor of shape (n_questions, 3), int64
        The rows of the table of each question's words.
    groups : list of slice
        Questions of one pair, or of several that have few.
    lengths : Tensor of shape (n_rows,), float32
        Of the directions of the table's rows: 1, or 0 of a zero vector.
    run : tuple of int
        Where the words of the run begin and end.
    table : Tensor of shape (n_rows, n_words_of_run), float32
        The cosines.
    peaks : Tensor of shape (n_rows, n_blocks), float32
        Their largest in each block of `BLOCK` words, where these divide the run.

    Raises
    ------
    InputError
        If a question has a word that is not of the space.
    """

    run: tuple[int, int] = (0, 0)
    table: Tensor
    peaks: Tensor

    def __init__(self, space: Space, questions: npt.ArrayLike) -> None:
        self.space, self.questions = space, space.places(questions, 3)
        words, places = np.unique(self.questions, return_inverse=True)
        self.places = torch.from_numpy(places.reshape(self.questions.shape))
        self.lengths = space.lengths[torch.from_numpy(words)]
        self._directions = space.unit[torch.from_numpy(words)]
        self.groups = _grouped(self.questions)

    def begin(self, low: int, high: int) -> None:
        """Turn to the words from `low` to `high`."""
        if self.run != (low, high):
            self.run = (low, high)
            self.table = self._directions @ self.space.unit[low:high].T
            if (high - low) % BLOCK == 0:
                self.peaks = peaks_of(self.table)


class CosAdd(OfWords):
    """3CosAdd: cos(x, a* - a + b), over unit vectors (Mikolov et al. 2013)."""

    def summands(self, rows: slice) -> Summands:
        """As `Score.summands`: the cosine with b, and the difference of those with a* and a."""
        place = self.cosines.places[rows]
        is_new = torch.ones(len(place), dtype=torch.bool)
        is_new[1:] = (place[1:, :2] != place[:-1, :2]).any(1)
        pair = place[is_new]
        table = self.cosines.table
        offset = self._offset(table, pair[:, 0], pair[:, 1])
        return Summands(table, self.cosines.peaks, place[:, 2], offset, is_new.cumsum(0) - 1)

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`."""
        a, a_star, b = self._rows(rows)
        table = self.cosines.table
        return table.index_select(0, b).add_(self._offset(table, a, a_star))

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
        a_star_over_a = self._above.index_select(0, a_star).sub_(self._below.index_select(0, a))
        tile = self._above.index_select(0, b).add_(a_star_over_a)
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
        a, a_star, b = self._rows(rows)
        given = self.left_out[rows]
        pairs = given[: len(a), :2]
        offsets = self.space.exact(pairs[:, 1]) - self.space.exact(pairs[:, 0])
        directions, lengths = _unit(offsets), np.linalg.norm(offsets, axis=1)
        along = self._offset(self.cosines.table, a, a_star)
        self._project(along, directions, lengths)
        from_b = (self.space.exact(given[:, 2]) * directions).sum(axis=1)
        tile = self._per_length.index_select(0, b)
        tile.mul_(along - torch.from_numpy(from_b.astype(np.float32))[:, None])
        question, word = self._near.among(b.numpy())
        tile.numpy()[question, word] = self._again(rows, question, word)
        nowhere = np.broadcast_to(lengths < SAME, len(tile))
        if nowhere.any():
            self._level(tile, torch.from_numpy(np.flatnonzero(nowhere)))
        return tile

    def _project(self, along: Tensor, directions: Floats, lengths: Floats) -> None:
        """Turn products of the words of the run with offsets into those with their directions."""
        along.div_(torch.from_numpy(np.maximum(lengths, SHORT).astype(np.float32))[:, None])
        short = np.flatnonzero(lengths < SHORT)
        if len(short):
            low, high = self.cosines.run
            exact = torch.from_numpy(directions[short].astype(np.float32))
            along[torch.from_numpy(short)] = exact @ self.space.unit[low:high].T

    def _level(self, tile: Tensor, rows: Tensor) -> None:
        """Let all words do equally well: the first and the last answers are at the two ends."""
        low = self.cosines.run[0]
        n_ends = self.left_out.shape[1] + 1
        level = torch.full((tile.shape[1],), -torch.inf)
        level[: max(n_ends - low, 0)] = 0
        level[max(len(self.space) - n_ends - low, 0) :] = 0
        tile[rows] = level

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
        for other in (a, a_star):
            torch.maximum(tile, table.index_select(0, other), out=tile)
        return tile

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        x = self.space.exact(words)
        return np.max([_dot(x, of) for of in self._of(questions)], axis=0)


def _grouped(questions: Ints) -> list[slice]:
    """Cut questions into those of one pair and, between them, those of pairs that have few."""
    changes = np.any(np.diff(questions[:, :2], axis=0) != 0, axis=1)
    edges = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(questions)]])
    many = np.flatnonzero(np.diff(edges) >= FEW)
    cuts = np.unique(np.concatenate([[0], edges[many], edges[many + 1], [len(questions)]]))
    return [part for cut in itertools.pairwise(cuts.tolist()) for part in parts(*cut)]


def _dot(x: Floats, y: Floats) -> Floats:
    """Multiply row by row."""
    return np.asarray(np.einsum("ij,ij->i", x, y))


def _unit(x: Floats) -> Floats:
    """Scale differences of directions to unit length; to 0 where there is no difference."""
    lengths = np.linalg.norm(x, axis=1)[:, None]
    return np.divide(x, lengths, out=np.zeros_like(x), where=lengths >= SAME)
