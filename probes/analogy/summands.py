"""Scores that are sums: words are passed over in blocks, by what the sum cannot exceed.

max over a block of (f + g) ≤ max f + max g; in float32 too, since rounding keeps order. Where words
are ordered by frequency the best answer is mostly met early, and few blocks can reach it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64
"""Words of a block."""


@dataclass(frozen=True, eq=False)
class Summands:
    """Scores of some questions for the words of a run, as sums of two rows.

    Parameters
    ----------
    first : Tensor of shape (n_first, n_words), float32
        Rows of which each question has one; `BLOCK` divides the number of words.
    peaks : Tensor of shape (n_first, n_blocks), float32
        The largest of each block, as `peaks_of` gives them.
    first_of : Tensor of shape (n_questions,), int64
        The row of each question.
    second : Tensor of shape (n_second, n_words), float32
        Likewise.
    second_of : Tensor of shape (n_questions,), int64
        Likewise.
    """

    first: Tensor
    peaks: Tensor
    first_of: Tensor
    second: Tensor
    second_of: Tensor

    def reaching(self, least: Tensor) -> tuple[Tensor, Tensor]:
        """Find the blocks in which a sum may be so large.

        Parameters
        ----------
        least : Tensor of shape (n_questions,), float32
            Of each question.

        Returns
        -------
        question, block : Tensor of shape (n,), int64
            In rising order, of questions first. No other block has such a sum.
        """
        bound = self.peaks.index_select(0, self.first_of)
        bound += peaks_of(self.second).index_select(0, self.second_of)
        question, block = torch.nonzero(bound >= least[:, None], as_tuple=True)
        return question, block

    def sums(self, question: Tensor, block: Tensor) -> Tensor:
        """Add the two rows of some questions in some blocks, shape (n, BLOCK), float32."""
        first, second = (part.view(len(part), -1, BLOCK) for part in (self.first, self.second))
        values = first[self.first_of[question], block]
        values += second[self.second_of[question], block]
        return values


def peaks_of(rows: Tensor) -> Tensor:
    """Give the largest of each block of each row, shape (n_rows, n_blocks)."""
    return rows.view(len(rows), -1, BLOCK).amax(2)
