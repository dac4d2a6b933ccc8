"""Values of many sequences as numbers, one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence, Sized
from itertools import count

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Numbered = tuple[dict[Hashable, int], Ints]
"""The number of each different value, as they first come, and those of all values in order."""


def numbered(values: Iterable[Hashable]) -> Numbered:
    """Number values as they first come.

    Parameters
    ----------
    values : iterable of hashable
        As often as they occur.

    Returns
    -------
    dict of hashable to int, ndarray of shape (n,), int64
        The number of each different value from 0 on, and those of all values in order.
    """
    known: dict[Hashable, int] = defaultdict(count().__next__)
    numbers = np.fromiter(map(known.__getitem__, values), np.int64)
    return dict(known), numbers


def lengths_of(sequences: Sequence[Sized]) -> Ints:
    """Give the length of each sequence."""
    return np.fromiter(map(len, sequences), np.int64, len(sequences))


def places(lengths: Ints) -> Ints:
    """Count the items of each sequence from 0 on."""
    starts = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) - np.repeat(starts, lengths)


def number_codes(codes: Ints, value: Callable[[int], Hashable]) -> Numbered:
    """Number codes as they first come; `value` says what a code stands for."""
    n, most = len(codes), int(codes.max(initial=-1)) + 1
    if most > 4 * n:  # so many numbers are not worth a table
        found, codes = np.unique(codes, return_inverse=True)
    else:
        found = np.arange(most)
    first = np.full(len(found), n)
    first[codes[::-1]] = np.arange(n)[::-1]  # what is written last is the first place
    order = np.argsort(first)[: int((first < n).sum())]
    number = np.empty_like(first)
    number[order] = np.arange(len(order))
    return {value(int(code)): k for k, code in enumerate(found[order])}, number[codes]
