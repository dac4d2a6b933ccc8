"""A sequence with what is known of it: annotations of its items, and a tree over them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.trees import Tree

Fillers = Sequence[Hashable]
"""What a role scheme takes: a list of fillers, or a `Sentence`, which is one and knows more."""


@dataclass(frozen=True)
class Sentence(Sequence[Hashable]):
    """Words, what is said of each, and a tree over them.

    A sentence is a sequence of its words, so that schemes that need nothing else take it and a
    plain list alike.

    Parameters
    ----------
    words : tuple of str
        The fillers.
    annotations : mapping of str to tuple of str
        By the name of the annotation (``"upos"``), one a word.
    tree : Tree, optional
        A binary tree over the words (`probes.roles.trees`).

    Raises
    ------
    InputError
        If an annotation or the tree has not as many items as there are words.
    """

    words: tuple[str, ...]
    annotations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tree: Tree | None = None

    def __post_init__(self) -> None:
        for name, values in self.annotations.items():
            if len(values) != len(self.words):
                raise InputError(
                    f"annotation {name!r} has {len(values)} items for the {len(self.words)} words "
                    f"{' '.join(self.words)!r}; give one a word"
                )
        if self.tree is not None and len(self.tree) != max(len(self.words) - 1, 0):
            raise InputError(
                f"a tree of {len(self.tree) + 1} leaves for the {len(self.words)} words "
                f"{' '.join(self.words)!r}"
            )

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, index: Any) -> Any:
        return self.words[index]


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


def lengths_of(sequences: Sequence[Fillers]) -> Ints:
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
