"""What may still be the best answer, as the words pass by in runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.analogy.summands import BLOCK, Summands

if TYPE_CHECKING:
    from probes.analogy.solve import Score

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

KEPT = 1 << 20
"""Words that may be answers, of all questions of a method, before they are told apart."""

TIE = 1e-12
"""Scores that differ by less are equal (of scores above 1, in relation to them): rounding in
float64 sets apart what is the same by its formula."""

AT_ONCE = 512
"""Questions whose blocks are looked at together."""

BLOCKS = 1 << 14
"""Blocks of words that are scored together."""


@dataclass(eq=False)
class Kept:
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
        if low and (high - low) % BLOCK == 0 and self._has_passed_over(low, high):
            return
        for rows in self.groups:
            self.look(rows, self.score.tile(rows), low, high)

    def _has_passed_over(self, low: int, high: int) -> bool:
        """Look at few blocks of words, if the method's scores are sums."""
        start, stop = self.groups[0].start, self.groups[-1].stop
        for first in range(start, stop, AT_ONCE):
            rows = slice(first, min(first + AT_ONCE, stop))
            summands = self.score.summands(rows)
            if summands is None:
                return False
            self._look_at_blocks(summands, rows, low, high)
        return True

    def _look_at_blocks(self, summands: Summands, rows: slice, low: int, high: int) -> None:
        """Look at those blocks of words alone in which one may come close to the best."""
        question, block = summands.reaching(self._best[rows] - self.score.tolerance)
        for start in range(0, len(question), BLOCKS):
            part = slice(start, start + BLOCKS)
            values = summands.sums(question[part], block[part])
            self._leave_out_of(values, rows, question[part], block[part], (low, high))
            top = values.amax(1)
            self._best[rows].scatter_reduce_(0, question[part], top, "amax")
            least = self._best[rows][question[part]] - self.score.tolerance
            near = torch.nonzero(top >= least)[:, 0]
            hit, within = torch.nonzero(values[near] >= least[near, None], as_tuple=True)
            hit = near[hit]
            self._keep(
                question[part][hit] + rows.start,
                block[part][hit] * BLOCK + within + low,
                values[hit, within],
            )

    def _leave_out_of(
        self, values: Tensor, rows: slice, question: Tensor, block: Tensor, run: tuple[int, int]
    ) -> None:
        given = self.score.left_out[rows]
        of, which = np.nonzero((given >= run[0]) & (given < run[1]))
        if not len(of):
            return
        word = given[of, which] - run[0]
        n_blocks = (run[1] - run[0]) // BLOCK
        there = (question * n_blocks + block).numpy()  # they rise
        wanted = of * n_blocks + word // BLOCK
        place = np.searchsorted(there, wanted)
        found = np.append(there, -1)[place] == wanted
        at = torch.from_numpy(place[found]), torch.from_numpy(word[found] % BLOCK)
        values[at] = -torch.inf

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
        self._keep(question + rows.start, word + low, tile[question, word])

    def _keep(self, question: Tensor, word: Tensor, value: Tensor) -> None:
        left_in = value > -torch.inf
        self._questions.append(question[left_in].numpy())
        self._words.append(word[left_in].numpy())
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
