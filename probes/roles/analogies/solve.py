"""Vector arithmetic on encodings of sequences: whether they obey role-diagnostic analogies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.analogies.alike import number_vectors
from probes.roles.analogies.answers import METHODS, Answered, Flags, Floats, Posed, answer
from probes.roles.analogies.draw import Analogy
from probes.roles.sequences import Fillers

Sequences = Sequence[Fillers]
Encode = Callable[[Sequence[Any]], npt.NDArray[np.floating]]
Decode = Callable[[npt.NDArray[np.float32], Sequence[int]], Sequences]


@dataclass(frozen=True, eq=False)
class Outcome:
    """How an encoder does on the analogies of one kind; one value an analogy in each array.

    Parameters
    ----------
    kind : str
        Of the analogies.
    n_sequences, n_vectors : int
        Sequences that may be answers, and how many different vectors they have.
    answered : tuple of Answered
        What each method answers.
    cosine : ndarray of shape (n,)
        Between the offsets A − B and C − D.
    cosine_rival : ndarray of shape (n,), or None
        The same with the rival for D; None where there is no rival.
    apart : ndarray of shape (n,), or None
        The distance between D and its rival, by that between two sequences (the root of its mean
        square): near 0 the encoder hardly tells them apart, and which of them is answered says
        more of the vectors' lengths than of places. None where there is no rival.
    exact, exact_rival : ndarray of bool of shape (n,), or None
        Whether C − A + B is decoded as D, and as the rival; None without a decoder, or a rival.
    """

    kind: str
    n_sequences: int
    n_vectors: int
    answered: tuple[Answered, ...]
    cosine: Floats
    cosine_rival: Floats | None
    apart: Floats | None
    exact: Flags | None
    exact_rival: Flags | None


def evaluate(
    encode: Encode,
    decode: Decode | None,
    analogies: Sequence[Analogy],
    candidates: Sequences = (),
    *,
    methods: Sequence[str] = METHODS[:1],
    seed: int = 0,
) -> list[Outcome]:
    """Solve the analogies by vector arithmetic: the encoding of D should be E_C − E_A + E_B.

    Parameters
    ----------
    encode : callable
        From n sequences to vectors (n, width).
    decode : callable or None
        From vectors (n, width) and lengths to n sequences; None for an encoder without a decoder.
    analogies : sequence of Analogy
        Of any kinds.
    candidates : sequence of sequences, optional
        What may be answers, besides all sequences of the analogies of a kind.
    methods : sequence of str
        By which they are answered, of `answers.METHODS`.
    seed : int
        Of ties.

    Returns
    -------
    list of Outcome
        One a kind, in the order in which they come.

    Raises
    ------
    InputError
        If there is no such method, or the encoder gives another number of vectors than it was given
        sequences, or vectors that are not finite.

    Notes
    -----
    C − A + B is decoded to len(C) − len(A) + len(B) items, as it must; the page of McCoy et al.
    decodes len(A) − len(B) + len(C).
    """
    kinds: dict[str, list[Analogy]] = {}
    for analogy in analogies:
        kinds.setdefault(analogy.kind, []).append(analogy)
    outcomes = []
    for of_kind in kinds.values():
        posed = _pose(encode, of_kind, candidates)
        answered = answer(posed, methods, seed)
        outcomes.append(_outcome(posed, tuple(answered), decode, of_kind))
    return outcomes


def _pose(encode: Encode, analogies: list[Analogy], candidates: Sequences) -> Posed:
    places: dict[tuple[Hashable, ...], int] = {}
    for it in analogies:
        for sequence in (it.a, it.b, it.c, it.d, *([it.rival] if it.rival else [])):
            places.setdefault(sequence, len(places))
    for candidate in candidates:
        places.setdefault(tuple(candidate), len(places))
    E = np.asarray(encode(list(places)), dtype=np.float64)
    if E.ndim != 2 or len(E) != len(places):
        raise InputError(
            f"the encoder gave {E.shape} for {len(places)} sequences; expected one row for each"
        )
    finite = np.isfinite(E).all(axis=1)
    if not finite.all():
        wrong = list(places)[int(np.flatnonzero(~finite)[0])]
        raise InputError(
            f"the encoder gave {(~finite).sum()} of {len(E)} sequences vectors that are not "
            f"finite, such as {wrong!r}; leave out what it cannot encode"
        )
    vectors = number_vectors(E)
    _, first = np.unique(vectors, return_index=True)
    given = np.array([[places[s] for s in (it.a, it.b, it.c)] for it in analogies], np.int64)
    d = np.array([places[it.d] for it in analogies], np.int64)
    rivals = np.array([places[it.rival] for it in analogies if it.rival is not None], np.int64)
    return Posed(E[first][vectors], vectors, given, d, rivals if len(rivals) else None)


def _outcome(
    posed: Posed, answered: tuple[Answered, ...], decode: Decode | None, analogies: list[Analogy]
) -> Outcome:
    E = posed.E
    a, b, c = (E[column] for column in posed.given.T)
    cosine_rival = apart = exact = exact_rival = None
    if posed.rival is not None:
        cosine_rival = _cosine(a - b, c - E[posed.rival])
        apart = np.linalg.norm(E[posed.d] - E[posed.rival], axis=1) / _between_two(E)
    if decode is not None:
        lengths = [len(it.c) - len(it.a) + len(it.b) for it in analogies]
        decoded = [tuple(s) for s in decode((c - a + b).astype(np.float32), lengths)]
        pairs = list(zip(decoded, analogies, strict=True))
        exact = np.array([s == it.d for s, it in pairs])
        if posed.rival is not None:
            exact_rival = np.array([s == it.rival for s, it in pairs])
    return Outcome(
        kind=analogies[0].kind,
        n_sequences=len(E),
        n_vectors=int(posed.vectors.max()) + 1,
        answered=answered,
        cosine=_cosine(a - b, c - E[posed.d]),
        cosine_rival=cosine_rival,
        apart=apart,
        exact=exact,
        exact_rival=exact_rival,
    )


def _cosine(left: Floats, right: Floats) -> Floats:
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosine: Floats = (left * right).sum(1) / np.maximum(norms, np.finfo(np.float64).tiny)
    return cosine


def _between_two(E: Floats) -> float:
    """Give the root mean square distance between two sequences; a tiny one if all are equal."""
    squares = 2 * len(E) / (len(E) - 1) * np.square(E - E.mean(axis=0)).sum(axis=1).mean()
    return max(float(np.sqrt(squares)), np.finfo(np.float64).tiny)
