"""Vector arithmetic on encodings of sequences: whether they obey role-diagnostic analogies."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.analogies.draw import Analogy
from probes.roles.sequences import Fillers

Sequences = Sequence[Fillers]
Encode = Callable[[Sequence[Any]], npt.NDArray[np.floating]]
Decode = Callable[[npt.NDArray[np.float32], Sequence[int]], Sequences]


@dataclass(frozen=True)
class Outcome:
    """How an encoder does on the analogies of one kind; one value an analogy in each array.

    Parameters
    ----------
    kind : str
        Of the analogies.
    cosine : ndarray of shape (n,)
        Between the offsets A − B and C − D.
    exact : ndarray of bool of shape (n,), or None
        Whether C − A + B is decoded as D; None without a decoder.
    rival : ndarray of bool of shape (n,), or None
        Whether it is decoded as the rival; None without a decoder, or where there is no rival.
    rank : ndarray of int of shape (n,)
        The place of D among all candidates by distance from C − A + B, from 1 on.
    rank_of_others : ndarray of int of shape (n,)
        The same with A, B and C left out, as is usual. It flatters: read it beside `rank`.
    rank_of_rival : ndarray of int of shape (n,), or None
        The place of the rival among all candidates; None where there is no rival.
    """

    kind: str
    cosine: npt.NDArray[np.float64]
    exact: npt.NDArray[np.bool_] | None
    rival: npt.NDArray[np.bool_] | None
    rank: npt.NDArray[np.int64]
    rank_of_others: npt.NDArray[np.int64]
    rank_of_rival: npt.NDArray[np.int64] | None


def evaluate(
    encode: Encode,
    decode: Decode | None,
    analogies: Sequence[Analogy],
    candidates: Sequences = (),
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
        What D is ranked among, besides all sequences of the analogies of its kind.

    Returns
    -------
    list of Outcome
        One a kind, in the order in which they come.

    Raises
    ------
    InputError
        If the encoder gives another number of vectors than it was given sequences.

    Notes
    -----
    C − A + B is decoded to len(C) − len(A) + len(B) items, as it must; the page of McCoy et al.
    decodes len(A) − len(B) + len(C).
    """
    kinds: dict[str, list[Analogy]] = {}
    for analogy in analogies:
        kinds.setdefault(analogy.kind, []).append(analogy)
    return [_outcome(encode, decode, of_kind, candidates) for of_kind in kinds.values()]


def _outcome(
    encode: Encode, decode: Decode | None, analogies: list[Analogy], candidates: Sequences
) -> Outcome:
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
    a, b, c, d = (
        np.array([places[s] for s in column])
        for column in zip(*((it.a, it.b, it.c, it.d) for it in analogies), strict=True)
    )
    left, right, answer = E[a] - E[b], E[c] - E[d], E[c] - E[a] + E[b]
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    cosine = (left * right).sum(1) / np.maximum(norms, np.finfo(np.float64).tiny)
    exact = rival = rank_of_rival = None
    given = np.stack([a, b, c], 1)
    rivals = [it.rival for it in analogies if it.rival is not None]
    if rivals:
        rank_of_rival, _ = _ranks(E, answer, np.array([places[s] for s in rivals]), given)
    if decode is not None:
        lengths = [len(it.c) - len(it.a) + len(it.b) for it in analogies]
        decoded = [tuple(s) for s in decode(answer.astype(np.float32), lengths)]
        exact = np.array([s == it.d for s, it in zip(decoded, analogies, strict=True)])
        if rivals:
            rival = np.array([s == r for s, r in zip(decoded, rivals, strict=True)])
    ranks = _ranks(E, answer, d, given)
    return Outcome(analogies[0].kind, cosine, exact, rival, *ranks, rank_of_rival)


_BLOCK = 256


def _ranks(
    E: npt.NDArray[np.float64],
    answer: npt.NDArray[np.float64],
    d: npt.NDArray[np.intp],
    given: npt.NDArray[np.intp],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count the candidates at least as near as D, itself included; and without those given."""
    squares = (E**2).sum(1)
    ranks, others = [], []
    for start in range(0, len(d), _BLOCK):
        rows = slice(start, start + _BLOCK)
        distance = squares - 2 * answer[rows] @ E.T
        nearer = distance <= np.take_along_axis(distance, d[rows, None], 1)
        ranks.append(nearer.sum(1))
        np.put_along_axis(nearer, given[rows], False, 1)
        np.put_along_axis(nearer, d[rows, None], True, 1)  # if D is one of them, it stays
        others.append(nearer.sum(1))
    return np.concatenate(ranks), np.concatenate(others)
