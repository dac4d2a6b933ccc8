"""The best answer of a method among all words, for all questions, with the words of a question
left out of the answers and with them.

Words are looked at in runs. Over a run, questions of one given pair are scored in a tile, and what
comes within rounding of a question's best is kept. What is kept is scored again in float64, so
that the answer does not depend on runs, tiles or threads; of equals the word that comes first is
the answer, and the one that comes last is told, too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.analogy.vectors import blocks
from probes.errors import InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RUN = 1 << 14
"""Words that are looked at together, at most."""

TABLE = 1 << 24
"""Numbers of a table of the questions' words by the words of a run, at most."""

TOGETHER = 64
"""Questions that are scored together, at most."""

KEPT = 1 << 20
"""Words that may be answers, of all questions of a method, before they are told apart."""

EXACT = 1 << 19
"""Numbers of an array in float64, at most, where words are told apart."""

ROUNDING = 1e-6
"""How far a cosine in float32 may be from the exact one: 6e-7 was seen, of widths up to 4,096."""

TIE = 1e-12
"""Scores that differ by less are equal (of scores above 1, in relation to them): rounding in
float64 sets apart what is the same by its formula."""


class Space:
    """Words as directions.

    Parameters
    ----------
    X : ndarray of shape (n_words, width)
        Their vectors, finite. A zero vector has no direction: its cosine with every other is 0.

    Attributes
    ----------
    unit : Tensor of shape (n_words, width), float32
        The directions.
    lengths : Tensor of shape (n_words,), float32
        Their lengths: 1, or 0 of a zero vector.
    norms : ndarray of shape (n_words,), float64
        The lengths of the vectors, by which `exact` divides them: 1 of a zero vector.
    """

    def __init__(self, X: npt.NDArray[np.floating]) -> None:
        self._X = X
        norms = np.concatenate(
            [np.empty(0)]
            + [np.sqrt(np.einsum("ij,ij->i", b, b, dtype=np.float64)) for _, b in blocks(X)]
        )
        self.norms = np.where(norms > 0, norms, 1.0)
        unit = np.empty(X.shape, np.float32)
        for start, block in blocks(X):
            stop = start + len(block)
            unit[start:stop] = block / self.norms[start:stop, None]
        self.unit = torch.from_numpy(unit)
        self.lengths = torch.from_numpy((norms > 0).astype(np.float32))

    def __len__(self) -> int:
        return len(self.norms)

    def places(self, words: npt.ArrayLike, k: int) -> Ints:
        """Check that words are words of this space.

        Parameters
        ----------
        words : array_like of int of shape (n, k)
            Their places.
        k : int
            Words of a question.

        Returns
        -------
        ndarray of shape (n, k), int64
            The same.

        Raises
        ------
        InputError
            If there is no such word.
        """
        places = np.asarray(words, np.int64).reshape(-1, k)
        if places.size and not 0 <= places.min() <= places.max() < len(self):
            wrong = places[(places < 0) | (places >= len(self))][0]
            raise InputError(
                f"a question with word {wrong} of {len(self):,} words, from 0 on; leave out "
                "questions whose words the vocabulary lacks"
            )
        return places

    def exact(self, words: Ints) -> Floats:
        """Give the directions of some words in float64, shape (n, width)."""
        rows: Floats = np.asarray(self._X[words], np.float64, order="C")
        return rows / self.norms[words][:, None]


class Score(ABC):
    """What a method gives words as answers to its questions.

    Attributes
    ----------
    space : Space
        The words.
    left_out : ndarray of shape (n_questions, k), int64
        The words of each question, which are no answers where answers are filtered.
    groups : sequence of slice
        Questions that are scored together.
    tolerance : float
        Two words whose scores in tiles lie further apart are in that order exactly: twice what a
        score of a tile may be off.
    """

    space: Space
    left_out: Ints
    groups: Sequence[slice]
    tolerance: float

    @abstractmethod
    def begin(self, low: int, high: int) -> None:
        """Turn to the words from `low` to `high`."""

    @abstractmethod
    def tile(self, rows: slice) -> Tensor:
        """Score the words of the run for some questions, shape (n_rows, n_words), float32.

        In the order of the exact scores; a new array, which may be written over.
        """

    @abstractmethod
    def exact(self, questions: Ints, words: Ints) -> Floats:
        """Score pairs of a question and a word, shape (n,), in float64."""

    def exact_in_parts(self, questions: Ints, words: Ints) -> Floats:
        """Score as `exact`, any number of pairs, in little memory."""
        size = max(EXACT // self.space.unit.shape[1], 1)
        scores = np.empty(len(questions))
        for k in range(0, len(questions), size):
            scores[k : k + size] = self.exact(questions[k : k + size], words[k : k + size])
        return scores


def parts(start: int, stop: int) -> list[slice]:
    """Cut questions into those that are scored together."""
    return [slice(k, min(k + TOGETHER, stop)) for k in range(start, stop, TOGETHER)]


@dataclass(frozen=True, eq=False)
class Answers:
    """The words that a method answers with.

    Parameters
    ----------
    filtered : ndarray of shape (n_questions,), int64
        The best word that does not stand in the question; -1 where there is no other word.
    honest : ndarray of shape (n_questions,), int64
        The best of all words.
    last_filtered, last_honest : ndarray of shape (n_questions,), int64
        Of equals the answer is the first; this is the last of them. The same word as the answer
        where no other is as good.
    """

    filtered: Ints
    honest: Ints
    last_filtered: Ints
    last_honest: Ints


def solve(space: Space, scores: Sequence[Score], run: int | None = None) -> list[Answers]:
    """Answer all questions by all methods.

    Parameters
    ----------
    space : Space
        The words that may be answers.
    scores : sequence of Score
        The methods, with their questions.
    run : int, optional
        Words that are looked at together; as many as memory is meant for if None.

    Returns
    -------
    list of Answers
        One a method.

    Notes
    -----
    Takes memory for the directions, for some tables of at most 64 MB (`TABLE`), and for what may
    be the answer: never for all questions by all words.
    """
    if run is None:
        n_rows = max((len(np.unique(score.left_out)) for score in scores), default=0)
        run = max(min(RUN, TABLE // max(n_rows, 1)), 1)
    n_threads = torch.get_num_threads()
    kept = [[_Kept(score, part) for part in _shared(score, n_threads)] for score in scores]
    with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for low in range(0, len(space), run):
            high = min(low + run, len(space))
            for score, parts_of in zip(scores, kept, strict=True):
                score.begin(low, high)
                for done in [pool.submit(part.look_at_all, low, high) for part in parts_of]:
                    done.result()
    return [_joined(score, parts_of) for score, parts_of in zip(scores, kept, strict=True)]


def _shared(score: Score, n: int) -> list[Sequence[slice]]:
    """Cut a method's groups into n parts at most, each for a thread, of about as many questions."""
    edges = np.array([group.stop for group in score.groups])
    if not len(edges):
        return []
    cuts = np.unique(np.searchsorted(edges, edges[-1] * np.arange(1, n) / n))
    parts_of = np.split(np.arange(len(edges)), cuts)
    return [score.groups[part[0] : part[-1] + 1] for part in parts_of if len(part)]


def _joined(score: Score, parts_of: Sequence[_Kept]) -> Answers:
    answers = np.full((4, len(score.left_out)), -1, np.int64)
    for part in parts_of:
        rows = slice(part.groups[0].start, part.groups[-1].stop)
        answers[:, rows] = part.decide()[:, rows]
    filtered, last_filtered, honest, last_honest = answers
    return Answers(filtered, honest, last_filtered, last_honest)


@dataclass(eq=False)
class _Kept:
    """What may still be the best answer to some questions of a method, of those left in."""

    score: Score
    groups: Sequence[slice]
    _questions: list[Ints] = field(default_factory=list)
    _words: list[Ints] = field(default_factory=list)
    _values: list[npt.NDArray[np.float32]] = field(default_factory=list)
    _n: int = 0

    def __post_init__(self) -> None:
        self._best = torch.full((len(self.score.left_out),), -torch.inf)

    def look_at_all(self, low: int, high: int) -> None:
        """Look at the words of a run for all questions of this part."""
        for rows in self.groups:
            self.look(rows, self.score.tile(rows), low, high)

    def look(self, rows: slice, tile: Tensor, low: int, high: int) -> None:
        """Keep what comes close to the best that is known; the tile is written over."""
        self._leave_out(rows, tile, low, high)
        best, top = self._best[rows], tile.amax(1)
        near = torch.nonzero(top >= best - self.score.tolerance)[:, 0]
        if not len(near):
            return
        best[near] = torch.maximum(best[near], top[near])
        hit = torch.nonzero(tile[near] >= (best[near] - self.score.tolerance)[:, None])
        question, word = near[hit[:, 0]], hit[:, 1]
        value = tile[question, word]
        left_in = value > -torch.inf
        self._questions.append(question[left_in].numpy() + rows.start)
        self._words.append(word[left_in].numpy() + low)
        self._values.append(value[left_in].numpy())
        self._n += len(self._words[-1])
        if self._n > KEPT + 3 * len(self._best):
            self._narrow()

    def _leave_out(self, rows: slice, tile: Tensor, low: int, high: int) -> None:
        given = self.score.left_out[rows]
        question, which = np.nonzero((given >= low) & (given < high))
        if len(question):
            words = torch.from_numpy(given[question, which] - low)
            tile[torch.from_numpy(question), words] = -torch.inf

    def _narrow(self) -> None:
        """Keep the best words of each question alone, the first and the last of equals.

        Where many come close, they are many.
        """
        question, word, value = self._close()
        scores = self.score.exact_in_parts(question, word)
        best = np.unique(np.concatenate(_ends(question, word, scores, len(self._best))))
        self._questions, self._words, self._values = [question[best]], [word[best]], [value[best]]
        self._n = len(best)

    def _close(self) -> tuple[Ints, Ints, npt.NDArray[np.float32]]:
        """Give what was kept and is close to the best that is known by now."""
        question = np.concatenate([*self._questions, np.empty(0, np.int64)])
        word = np.concatenate([*self._words, np.empty(0, np.int64)])
        value = np.concatenate([*self._values, np.empty(0, np.float32)])
        close = value >= (self._best.numpy() - self.score.tolerance)[question]
        return question[close], word[close], value[close]

    def decide(self) -> Ints:
        """Score what was kept, and the words of the questions, in float64.

        Gives the first and the last of the best words, filtered and then honest: shape (4, n).
        """
        n, k = self.score.left_out.shape
        question, word, _ = self._close()
        n_left_in = len(question)
        mine = np.arange(self.groups[0].start, self.groups[-1].stop)
        question = np.concatenate([question, np.repeat(mine, k)])
        word = np.concatenate([word, self.score.left_out[mine].reshape(-1)])
        score = self.score.exact_in_parts(question, word)
        answers = np.full((4, n), -1, np.int64)
        for at, among in ((0, slice(n_left_in)), (2, slice(None))):
            for row, best in enumerate(_ends(question[among], word[among], score[among], n), at):
                answers[row, question[best]] = word[best]
        return answers


def _ends(questions: Ints, words: Ints, scores: Floats, n: int) -> tuple[Ints, Ints]:
    """Find where the best word of each of `n` questions stands: of equals the first and the last.

    Of the questions of which there are words, in order.
    """
    best = np.full(n, -np.inf)
    np.maximum.at(best, questions, scores)
    floor = best - TIE * np.maximum(np.abs(best), 1)
    equal = np.flatnonzero(scores >= floor[questions])
    order = equal[np.lexsort((words[equal], questions[equal]))]
    _, first = np.unique(questions[order], return_index=True)
    last = np.append(first, len(order))[1:] - 1
    return order[first], order[last]
