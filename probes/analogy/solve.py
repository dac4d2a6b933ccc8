"""The best answer of a method among all words, for all questions, with the words of a question
left out of the answers and with them.

Words are looked at in runs. Over a run, all questions of one given pair are scored in a tile, and
what comes within rounding of a question's best is kept. What is left at the end is scored again
in float64, so that the answer does not depend on runs, tiles or threads; of equals the word that
comes first is the answer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RUN = 1 << 14
"""Words that are looked at together."""

EXACT = 1 << 18
"""Numbers of float64 that are held at once, in thousands, where near ties are decided."""


class Space:
    """Words as directions.

    Parameters
    ----------
    X : ndarray of shape (n_words, width)
        Their vectors. A zero vector has no direction: its cosine with every other is 0.

    Attributes
    ----------
    unit : Tensor of shape (n_words, width), float32
        The directions.
    """

    def __init__(self, X: npt.NDArray[np.floating]) -> None:
        self._X = X
        norms = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))
        self._norms = np.where(norms > 0, norms, 1.0)
        self.unit = torch.from_numpy((X / self._norms[:, None]).astype(np.float32))

    def __len__(self) -> int:
        return len(self._norms)

    def exact(self, words: Ints) -> Floats:
        """Give the directions of some words in float64, shape (n, width)."""
        rows: Floats = np.asarray(self._X[words], np.float64) / self._norms[words][:, None]
        return rows


class Score(ABC):
    """What a method gives words as answers to its questions.

    Attributes
    ----------
    left_out : ndarray of shape (n_questions, k), int64
        The words of each question, which are no answers where answers are filtered.
    groups : sequence of slice
        Questions that are scored together.
    tolerance : float
        How far a score of a tile may be from the exact one.
    """

    left_out: Ints
    groups: Sequence[slice]
    tolerance: float

    @abstractmethod
    def begin(self, low: int, high: int) -> None:
        """Turn to the words from `low` to `high`."""

    @abstractmethod
    def tile(self, rows: slice) -> Tensor:
        """Score the words of the run for some questions, shape (n_rows, n_words), float32."""

    def unsure(self, rows: slice) -> tuple[Ints, Ints]:
        """Name questions (from 0 on in the group) and words of the run whose score is no score."""
        nothing = np.empty(0, np.int64)
        return nothing, nothing

    @abstractmethod
    def exact(self, questions: Ints, words: Ints) -> Floats:
        """Score pairs of a question and a word, shape (n,), in float64."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The words that a method answers with.

    Parameters
    ----------
    filtered : ndarray of shape (n_questions,), int64
        The best word that does not stand in the question; -1 where there is none.
    honest : ndarray of shape (n_questions,), int64
        The best of all words.
    """

    filtered: Ints
    honest: Ints


def solve(space: Space, scores: Sequence[Score], run: int = RUN) -> list[Answers]:
    """Answer all questions by all methods.

    Parameters
    ----------
    space : Space
        The words that may be answers.
    scores : sequence of Score
        The methods, with their questions.
    run : int
        Words that are looked at together.

    Returns
    -------
    list of Answers
        One a method.

    Notes
    -----
    Takes memory for the directions and for some tens of MB of tiles, whatever the number of
    questions and words.
    """
    kept = [_Kept(score) for score in scores]
    for low in range(0, len(space), run):
        high = min(low + run, len(space))
        for score, keep in zip(scores, kept, strict=True):
            score.begin(low, high)
            for rows in score.groups:
                keep.look(rows, score.tile(rows), low, high)
    return [keep.decide(space) for keep in kept]


@dataclass(eq=False)
class _Kept:
    """What may still be the best answer to each question of a method."""

    score: Score
    _questions: list[Ints] = field(default_factory=list)
    _words: list[Ints] = field(default_factory=list)
    _values: list[npt.NDArray[np.float32]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._best = torch.full((len(self.score.left_out),), -torch.inf)

    def look(self, rows: slice, tile: Tensor, low: int, high: int) -> None:
        """Keep what comes close to the best that is known; the tile is written over."""
        question, word = self.score.unsure(rows)
        if len(question):
            tile[torch.from_numpy(question), torch.from_numpy(word)] = -torch.inf
            self._keep(question + rows.start, word + low, np.full(len(word), np.inf, np.float32))
        self._leave_out(rows, tile, low, high)
        best, top = self._best[rows], tile.amax(1)
        near = torch.nonzero(top >= best - self.score.tolerance)[:, 0]
        if len(near):
            floor = torch.maximum(top[near], best[near]) - self.score.tolerance
            hit = torch.nonzero(tile[near] >= floor[:, None])
            chosen, column = near[hit[:, 0]], hit[:, 1]
            values = tile[chosen, column]
            real = values > -torch.inf
            self._keep(
                chosen[real].numpy() + rows.start, column[real].numpy() + low, values[real].numpy()
            )
            best[near] = torch.maximum(best[near], top[near])

    def _keep(self, questions: Ints, words: Ints, values: npt.NDArray[np.float32]) -> None:
        self._questions.append(questions)
        self._words.append(words)
        self._values.append(values)

    def _leave_out(self, rows: slice, tile: Tensor, low: int, high: int) -> None:
        given = self.score.left_out[rows]
        question, which = np.nonzero((given >= low) & (given < high))
        if len(question):
            words = torch.from_numpy(given[question, which] - low)
            tile[torch.from_numpy(question), words] = -torch.inf

    def decide(self, space: Space) -> Answers:
        """Score what was kept, and the words of the questions, in float64."""
        n, k = self.score.left_out.shape
        question, word, value = (
            np.concatenate([*part, np.empty(0, kind)])
            for part, kind in (
                (self._questions, np.int64),
                (self._words, np.int64),
                (self._values, np.float32),
            )
        )
        close = value >= self._best.numpy()[question] - self.score.tolerance
        question, word = question[close], word[close]
        own = (self.score.left_out[question] == word[:, None]).any(axis=1)
        question, word = question[~own], word[~own]
        filtered = self._first(question, word, space, n)
        every = np.concatenate([question, np.repeat(np.arange(n), k)])
        words = np.concatenate([word, self.score.left_out.reshape(-1)])
        real = words >= 0
        return Answers(filtered, self._first(every[real], words[real], space, n))

    def _first(self, questions: Ints, words: Ints, space: Space, n: int) -> Ints:
        """Find the best word of each question; of equals the first."""
        size = max(EXACT * 1000 // 8 // max(space.unit.shape[1], 1) // 64, 1)
        scores = np.concatenate(
            [
                np.empty(0),
                *(
                    self.score.exact(questions[k : k + size], words[k : k + size])
                    for k in range(0, len(questions), size)
                ),
            ]
        )
        order = np.lexsort((words, -scores, questions))
        answers = np.full(n, -1, np.int64)
        places, first = np.unique(questions[order], return_index=True)
        answers[places] = words[order][first]
        return answers
