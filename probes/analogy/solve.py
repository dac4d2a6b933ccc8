"""The best answer of a method among all words, for all questions, with the words of a question
left out of the answers and with them.

Words are looked at in runs. Over a run, questions of one given pair are scored in a tile, and what
comes within rounding of a question's best is kept. What is kept is scored again in float64, so
that the answer does not depend on runs, tiles or threads; of equals the word that comes first is
the answer, and the one that comes last is told, too.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.analogy.kept import Kept
from probes.analogy.summands import BLOCK, Summands
from probes.analogy.vectors import blocks
from probes.errors import InputError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RUN = 1 << 14
"""Words that are looked at together, at most."""

FIRST = 1 << 12
"""Words that are looked at first."""

TABLE = 1 << 24
"""Numbers of a table of the questions' words by the words of a run, at most."""

TOGETHER = 64
"""Questions that are scored together, at most."""

EXACT = 1 << 19
"""Numbers of an array in float64, at most, where words are told apart."""

ROUNDING = 1e-6
"""How far a cosine in float32 may be from the exact one: 6e-7 was seen, of widths up to 4,096."""


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

    def summands(self, rows: slice) -> Summands | None:
        """Give the scores of a tile as sums, where they are: most words are passed over then."""
        return None

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
    kept = [[Kept(score, part) for part in _shared(score, n_threads)] for score in scores]
    with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for low, high in _runs(len(space), run):
            for score, parts_of in zip(scores, kept, strict=True):
                score.begin(low, high)
                for done in [pool.submit(part.look_at_all, low, high) for part in parts_of]:
                    done.result()
    return [_joined(score, parts_of) for score, parts_of in zip(scores, kept, strict=True)]


def _runs(n: int, run: int) -> list[tuple[int, int]]:
    """Cut words into runs: a short one first, that the best be known early, then whole blocks."""
    edges = [0, *range(min(FIRST, run), n, run), n]
    last = edges[-2] + (n - edges[-2]) // BLOCK * BLOCK
    edges = sorted({*edges, last})
    return list(itertools.pairwise(edges))


def _shared(score: Score, n: int) -> list[Sequence[slice]]:
    """Cut a method's groups into n parts at most, each for a thread, of about as many questions."""
    edges = np.array([group.stop for group in score.groups])
    if not len(edges):
        return []
    cuts = np.unique(np.searchsorted(edges, edges[-1] * np.arange(1, n) / n))
    parts_of = np.split(np.arange(len(edges)), cuts)
    return [score.groups[part[0] : part[-1] + 1] for part in parts_of if len(part)]


def _joined(score: Score, parts_of: Sequence[Kept]) -> Answers:
    answers = np.full((4, len(score.left_out)), -1, np.int64)
    for part in parts_of:
        rows = slice(part.groups[0].start, part.groups[-1].stop)
        answers[:, rows] = part.decide()[:, rows]
    filtered, last_filtered, honest, last_honest = answers
    return Answers(filtered, honest, last_filtered, last_honest)
