"""The methods by name, and what is answered and right by each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from probes.analogy.ask import Asked, Flags, Ints
from probes.analogy.pairs import CosAvg, LinearMap, LRCos, Procrustes
from probes.analogy.solve import Answers, Score, Space, solve
from probes.analogy.words import CosAdd, Cosines, CosMul, OnlyB, PairDirection, SimilarToAny
from probes.errors import unknown

ONLY_B = "ONLY-B"
"""The nearest words to b alone: the baseline that others are compared with."""

OF_WORDS: dict[str, Callable[[Cosines], Score]] = {
    "3CosAdd": CosAdd,
    "3CosMul": CosMul,
    "PairDirection": PairDirection,
    ONLY_B: OnlyB,
    "similar-to-any": SimilarToAny,
}
OF_PAIRS: dict[str, Callable[[Space, Ints, Ints], Score]] = {
    "3CosAvg": CosAvg,
    "LRCos": LRCos,
    "linear": LinearMap,
    "Procrustes": Procrustes,
}
BASELINES = (ONLY_B, "similar-to-any")
METHODS = ("3CosAdd", "3CosMul", "PairDirection", *OF_PAIRS, *BASELINES)


def counted(method: str) -> str:
    """Say what a method answers once each, and so what its n counts."""
    return "pairs" if method in OF_PAIRS else "questions"


@dataclass(frozen=True, eq=False)
class Answered:
    """What a method answers.

    Parameters
    ----------
    method : str
        Its name.
    ends : tuple of ndarray of shape (n,), int64
        The pairs that each answer rests on: given and asked, or of a method that learns from all
        other pairs the asked one alone.
    answers : Answers
        The words.
    right, honest : ndarray of shape (n,), bool
        Whether the filtered and the honest answer is right.
    on : dict of str to ndarray of shape (n,), bool
        Whether the honest answer is a, a* or b; of the methods that learn from pairs, b.
    """

    method: str
    ends: tuple[Ints, ...]
    answers: Answers
    right: Flags
    honest: Flags
    on: dict[str, Flags]


def answer(
    space: Space, asked: Asked, methods: Sequence[str] = METHODS, seed: int = 0
) -> list[Answered]:
    """Answer a set's questions by several methods in one pass over the words.

    Parameters
    ----------
    space : Space
        The vocabulary's vectors.
    asked : Asked
        The questions.
    methods : sequence of str
        Of `METHODS`.
    seed : int
        Of the random words of LRCos.

    Returns
    -------
    list of Answered
        One a method, in their order.

    Raises
    ------
    InputError
        If there is no such method.
    """
    for name in methods:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    cosines = Cosines(space, asked.words)
    whole = asked.whole
    of_pairs = space, asked.pairs[whole], asked.relation[whole]
    scores: list[Score] = []
    for name in methods:
        if name == "LRCos":
            scores.append(LRCos(*of_pairs, seed))
        elif name in OF_PAIRS:
            scores.append(OF_PAIRS[name](*of_pairs))
        else:
            scores.append(OF_WORDS[name](cosines))
    found = []
    for name, one in zip(methods, solve(space, scores), strict=True):
        if name in OF_WORDS:
            ends: tuple[Ints, ...] = (asked.ends[:, 0], asked.ends[:, 1])
            given = dict(zip(("a", "a*", "b"), asked.words.T, strict=True))
        else:
            ends, given = (whole,), {"b": asked.pairs[whole, 0]}
        on = {word: np.asarray(one.honest == places) for word, places in given.items()}
        right, honest = (asked.right(ends[-1], by) for by in (one.filtered, one.honest))
        found.append(Answered(name, ends, one, right, honest, on))
    return found
