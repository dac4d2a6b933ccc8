"""Random choices that are the same on every platform and in every version of Python."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Random choices by one seed, from `random.Random.random` alone.

    Python promises that the numbers of ``random()`` never change for a seed; it does not promise
    so for ``choice`` or ``shuffle``.

    Parameters
    ----------
    seed : int
        Any integer.
    """

    def __init__(self, seed: int) -> None:
        self._next = random.Random(seed).random

    def one(self, items: Sequence[T]) -> T:
        """Draw one of the items, all equally likely."""
        return items[int(self._next() * len(items))]

    def chance(self, probability: float) -> bool:
        """Say yes with this probability."""
        return self._next() < probability

    def weighted(self, weights: dict[T, float]) -> T:
        """Draw one of the keys; the weights need not sum to one."""
        left = self._next() * sum(weights.values())
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return next(reversed(weights))

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Put the items in a random order."""
        keyed = sorted((self._next(), at) for at in range(len(items)))
        return [items[at] for _, at in keyed]
