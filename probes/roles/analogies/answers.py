"""Answers to role-diagnostic analogies, by the solver of word analogies.

A − B = C − D is the question a : a* :: b : ? with A, B and C for a, a* and b; D is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.analogy.methods import OF_WORDS
from probes.analogy.solve import Answers, Score, Space, solve
from probes.analogy.words import Cosines
from probes.errors import unknown
from probes.roles.analogies.nearest import Nearest

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

METHODS = ("3CosAdd", "3CosMul", "PairDirection", "nearest")

ENOUGH = 4
"""Sequences of one vector, of which one is left when A, B and C are left out."""


@dataclass(frozen=True, eq=False)
class Posed:
    """Analogies among sequences, and the vectors of these.

    Parameters
    ----------
    E : ndarray of shape (n_sequences, width)
        Of all sequences that may be answers: equal ones the same to the digit.
    vectors : ndarray of shape (n_sequences,), int64
        The number of each sequence's vector; equal where vectors are.
    given : ndarray of shape (n, 3), int64
        A, B and C of each analogy, by their places among the sequences.
    d : ndarray of shape (n,), int64
        D likewise.
    rival : ndarray of shape (n,), int64, or None
        Of ambiguous analogies the other scheme's answer.
    """

    E: Floats
    vectors: Ints
    given: Ints
    d: Ints
    rival: Ints | None = None


@dataclass(frozen=True, eq=False)
class Answered:
    """What a method answers; one value an analogy in each array.

    Parameters
    ----------
    method : str
        Its name.
    right, honest : ndarray of bool of shape (n,)
        Whether D is the answer; A, B and C are left out of the answers, and honestly, not left out.
    on : dict of str to ndarray of bool of shape (n,)
        Whether the honest answer is A (``a``), B (``a*``) or C (``b``).
    tied : ndarray of bool of shape (n,)
        Whether one of the two answers was chosen by chance, since another vector is as good.
    rival, rival_honest : ndarray of bool of shape (n,), or None
        Whether the other scheme's answer is given; None where there is none.
    """

    method: str
    right: Flags
    honest: Flags
    on: dict[str, Flags]
    tied: Flags
    rival: Flags | None
    rival_honest: Flags | None


def answer(posed: Posed, methods: Sequence[str] = METHODS[:1], seed: int = 0) -> list[Answered]:
    """Answer analogies by several methods in one pass over the sequences.

    Parameters
    ----------
    posed : Posed
        The analogies.
    methods : sequence of str
        Of `METHODS`.
    seed : int
        Of ties.

    Returns
    -------
    list of Answered
        One a method, in their order.

    Raises
    ------
    InputError
        If there is no such method.

    Notes
    -----
    An answer is a vector: it is right if it is D's, whichever sequence has it. What is left out
    are three sequences; a vector of theirs remains if another sequence has it. Of different vectors
    with equal scores, one is chosen by chance: the sequences stand in an order that is drawn.
    """
    for name in methods:
        if name not in METHODS:
            raise unknown("method", name, METHODS)
    words, place = _stand_in(posed.vectors, seed)
    space = Space(posed.E[words])
    cosines = Cosines(space, place[posed.given])
    scores: list[Score] = [
        Nearest(cosines) if name == "nearest" else OF_WORDS[name](cosines) for name in methods
    ]
    return [
        _answered(name, posed, found, posed.vectors[words])
        for name, found in zip(methods, solve(space, scores), strict=True)
    ]


def _stand_in(vectors: Ints, seed: int) -> tuple[Ints, Ints]:
    """Choose the sequences that are words of the solver: all, or of one vector the first few.

    So many that one is left when those of a question are left out; the others are stood in for by
    the first. Equal vectors stand together, in an order of the vectors that is drawn.

    Returns
    -------
    words : ndarray of shape (n_words,), int64
        The sequences that are words.
    place : ndarray of shape (n_sequences,), int64
        The word of each sequence.
    """
    drawn = np.random.default_rng(seed).permutation(int(vectors.max()) + 1)
    order = np.argsort(drawn[vectors], kind="stable")
    counts = np.bincount(drawn[vectors])
    n_words = np.minimum(counts, ENOUGH)
    start, start_of_words = np.cumsum(counts) - counts, np.cumsum(n_words) - n_words
    of = drawn[vectors[order]]
    within = np.arange(len(order)) - start[of]
    place = np.empty_like(order)
    place[order] = start_of_words[of] + np.where(within < ENOUGH, within, 0)
    return order[within < ENOUGH], place


def _answered(method: str, posed: Posed, found: Answers, vectors: Ints) -> Answered:
    """Compare the vectors of answers, by their numbers in the order of the solver's space."""
    filtered, honest, *last = (
        np.where(words < 0, -1, vectors[words])
        for words in (found.filtered, found.honest, found.last_filtered, found.last_honest)
    )
    d, given = posed.vectors[posed.d], posed.vectors[posed.given]
    rivals = None if posed.rival is None else posed.vectors[posed.rival]
    return Answered(
        method,
        filtered == d,
        honest == d,
        {name: honest == of for name, of in zip(("a", "a*", "b"), given.T, strict=True)},
        (filtered != last[0]) | (honest != last[1]),
        None if rivals is None else filtered == rivals,
        None if rivals is None else honest == rivals,
    )
