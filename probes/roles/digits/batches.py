"""Digit sequences of one length, as tensors, with where their trees' nodes stand."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from probes.errors import InputError
from probes.roles.trees import smallest_first

Digits = Sequence[int]
MOST_ROWS = 4096
"""Of a batch, where only memory bounds it."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences of one length.

    Parameters
    ----------
    digits : Tensor of shape (length, n), int64
        One column a sequence, as recurrent networks read them.
    """

    digits: Tensor

    @property
    def length(self) -> int:
        """Number of digits of each sequence."""
        return self.digits.shape[0]

    @property
    def n(self) -> int:
        """Number of sequences."""
        return self.digits.shape[1]

    @functools.cached_property
    def _merges(self) -> Tensor:
        """The sequences' trees, shape (length - 1, 2, n): which nodes a merge takes."""
        trees = [smallest_first(sequence) for sequence in self.digits.T.tolist()]
        return torch.tensor(trees, dtype=torch.int64).reshape(self.n, -1, 2).permute(1, 2, 0)

    @functools.cached_property
    def upwards(self) -> Tensor:
        """Rows to read for each merge, from the leaves to the root.

        Returns
        -------
        Tensor of shape (length - 1, 2 · n), int64
            Node j of sequence i is row j · n + i of the nodes that there are: all left children,
            then all right ones.
        """
        return (self._merges * self.n + torch.arange(self.n)).reshape(-1, 2 * self.n)

    @functools.cached_property
    def _made(self) -> Tensor:
        """In which place, from the root down, each node is made, shape (2 · length - 1, n).

        The root is place 0; the s-th merge that is undone makes the places 2 s + 1 and 2 s + 2.
        """
        place = torch.zeros(2 * self.length - 1, self.n, dtype=torch.int64)
        for step, children in enumerate(self._merges.flip(0)):
            place.scatter_(
                0, children, torch.tensor([[2 * step + 1], [2 * step + 2]]).expand(2, self.n)
            )
        return place

    @functools.cached_property
    def downwards(self) -> Tensor:
        """Rows to read for each merge that is undone, from the root to the leaves.

        Returns
        -------
        Tensor of shape (length - 1, n), int64
            The node to divide, among the rows made so far: the root, then left and right children
            in turn, n rows each.
        """
        parents = self._made[self.length :].flip(0)
        return parents * self.n + torch.arange(self.n)

    @functools.cached_property
    def leaves(self) -> Tensor:
        """Rows of the leaves in the order of the digits, shape (length · n,), int64."""
        return (self._made[: self.length] * self.n + torch.arange(self.n)).reshape(-1)


def batch_of(sequences: Sequence[Digits], n_digits: int) -> Batch:
    """Lay out sequences of one length.

    Parameters
    ----------
    sequences : sequence of sequence of int
        All of one length, 1 or more.
    n_digits : int
        How many digits there are: 0 … n_digits - 1.

    Returns
    -------
    Batch
        In the same order.

    Raises
    ------
    InputError
        If an item is no such digit. The message names it.
    """
    for sequence in sequences:
        for item in sequence:
            if not (isinstance(item, (int, np.integer)) and 0 <= item < n_digits):
                raise InputError(
                    f"the item {item!r} of the sequence {tuple(sequence)} is no digit; expected "
                    f"whole numbers from 0 to {n_digits - 1}"
                )
    return Batch(torch.tensor([list(sequence) for sequence in sequences]).T.contiguous())


def by_length(
    sequences: Sequence[Digits], n_digits: int, most: int = MOST_ROWS
) -> Iterator[tuple[list[int], Batch]]:
    """Divide sequences into batches of one length.

    Parameters
    ----------
    sequences : sequence of sequence of int
        Of any lengths.
    n_digits : int
        How many digits there are.
    most : int
        The most sequences of a batch.

    Yields
    ------
    rows : list of int
        Where the batch's sequences stand.
    batch : Batch
        From the shortest to the longest; within a length in the order given.

    Raises
    ------
    InputError
        If a sequence is empty, or an item is no digit.
    """
    rows_of: dict[int, list[int]] = {}
    for row, sequence in enumerate(sequences):
        rows_of.setdefault(len(sequence), []).append(row)
    if 0 in rows_of:
        raise InputError(f"sequence {rows_of[0][0]} is empty; give at least one digit")
    for _, rows in sorted(rows_of.items()):
        for start in range(0, len(rows), most):
            part = rows[start : start + most]
            yield part, batch_of([sequences[row] for row in part], n_digits)
