"""Role-diagnostic analogies: equations A − B = C − D that hold under one role scheme alone.

An encoder whose vectors are sums of filler-role bindings obeys the analogies of its own scheme and
no others, so that vector arithmetic tells schemes apart without any fit (McCoy et al. 2019).
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from probes.errors import InputError, unknown
from probes.roles.schemes import Bidirectional, LeftToRight, RightToLeft, RoleScheme
from probes.roles.sequences import Fillers

Kind = Literal["ltr", "rtl", "bi", "ambiguous"]
_Words = tuple[Hashable, ...]


@dataclass(frozen=True)
class Analogy:
    """A − B = C − D.

    Parameters
    ----------
    kind : {"ltr", "rtl", "bi", "ambiguous"}
        The scheme under which it holds. ``ltr`` and ``rtl`` hold under no other of the three;
        ``bi`` holds under all three, as what cancels for it does for the other two; ``ambiguous``
        has two answers.
    a, b, c, d : tuple
        The sequences. Of an ambiguous analogy, d is the answer of left-to-right roles.
    rival : tuple, optional
        Of an ambiguous analogy alone: the answer of right-to-left roles.
    """

    kind: Kind
    a: _Words
    b: _Words
    c: _Words
    d: _Words
    rival: _Words | None = None

    def __str__(self) -> str:
        a, b, c, d = (" ".join(str(item) for item in s) for s in (self.a, self.b, self.c, self.d))
        return f"{a} - {b} = {c} - {d}"


def holds(scheme: RoleScheme, a: Fillers, b: Fillers, c: Fillers, d: Fillers) -> bool:
    """Tell whether the filler-role bindings of A − B = C − D cancel under a scheme.

    Parameters
    ----------
    scheme : RoleScheme
        Of a sum, all parts must cancel.
    a, b, c, d : sequence of fillers, or Sentence
        The sequences.

    Returns
    -------
    bool
        Whether each pair of a filler and a role occurs in A and D together as often as in B and C:
        then the equation holds for every encoder that sums bindings under the scheme.
    """
    for part in scheme.parts:
        bindings: Counter[tuple[Hashable, Hashable]] = Counter()
        for sequence, sign in ((a, 1), (d, 1), (b, -1), (c, -1)):
            for binding in zip(sequence, part.roles(sequence), strict=True):
                bindings[binding] += sign
        if any(bindings.values()):
            return False
    return True


def _is_of_its_kind(it: Analogy) -> bool:
    """Tell whether the analogy is diagnostic; shared pieces can make it hold by accident."""
    ltr, rtl, bi = (
        holds(scheme, it.a, it.b, it.c, it.d)
        for scheme in (LeftToRight(), RightToLeft(), Bidirectional())
    )
    if it.kind == "ltr":
        return ltr and not rtl
    if it.kind == "rtl":
        return rtl and not ltr
    if it.kind == "bi":
        return bi and it.a not in (it.b, it.c)
    assert it.rival is not None
    return ltr and not rtl and holds(RightToLeft(), it.a, it.b, it.c, it.rival)


def digit_analogies(
    kind: Kind,
    n: int,
    n_fillers: int = 10,
    min_length: int = 3,
    max_length: int = 6,
    seed: int = 0,
) -> list[Analogy]:
    """Draw analogies between sequences of digits.

    Parameters
    ----------
    kind : {"ltr", "rtl", "bi", "ambiguous"}
        ``ltr``: (p s) − p = (q s) − q with p and q of one length; ``rtl``: (s p) − p = (s q) − q;
        ``bi``: one item replaced by the same other one at the same place of two sequences of one
        length; ``ambiguous``: that item stands in a longer sequence twice, once at the same place
        from the left and once from the right.
    n : int
        How many, all different.
    n_fillers : int
        The digits are 0 … n_fillers - 1.
    min_length, max_length : int
        Of all the sequences. Of the digit networks' training data one sequence in fifty is shorter
        than 3, so that the networks do not know those well.
    seed : int
        Of the draw. All lengths of p (or of the shorter sequence) are equally likely, then all of s
        (or of the longer one).

    Returns
    -------
    list of Analogy

    Raises
    ------
    InputError
        If the kind is unknown, the lengths leave no room, or there are not so many.
    """
    if n_fillers < 2 or not 1 <= min_length < max_length:
        raise InputError(
            f"analogies of {n_fillers} fillers in sequences of {min_length} to {max_length}; give "
            "2 fillers or more, and a longest sequence that is longer than the shortest"
        )
    make = functools.partial(_of_digits, kind, n_fillers, min_length, max_length)
    return _draw(kind, n, seed, make)


def sentence_analogies(kind: Kind, n: int, seed: int = 0) -> list[Analogy]:
    """Draw analogies between little English sentences.

    Parameters
    ----------
    kind : {"ltr", "rtl", "bi", "ambiguous"}
        ``ltr``: *I see now − I see = you know now − you know*; ``rtl``: *now I see − I see = now
        you know − you know*; ``bi``: *I see now − I see here = you know now − you know here* (or
        another word replaced); ``ambiguous``: *I see now − you see now = I think I know here −*
        (*you think I know here*, or *I think you know here*).
    n : int
        How many, all different.
    seed : int
        Of the draw.

    Returns
    -------
    list of Analogy
        Of tuples of words.

    Raises
    ------
    InputError
        If the kind is unknown, or there are not so many.
    """
    return _draw(kind, n, seed, functools.partial(_of_words, kind))


def _draw(
    kind: str, n: int, seed: int, make: Callable[[np.random.Generator], Analogy]
) -> list[Analogy]:
    if kind not in get_args(Kind):
        raise unknown("kind of analogy", kind, get_args(Kind))
    draw = np.random.default_rng(seed)
    found: dict[Analogy, None] = {}
    for _ in range(50 * n + 1000):
        if len(found) == n:
            break
        analogy = make(draw)
        if _is_of_its_kind(analogy):
            found[analogy] = None
    else:
        raise InputError(
            f"{n} different analogies of the kind {kind!r} were asked for, and {len(found)} found; "
            "ask for fewer, or allow longer sequences or more fillers"
        )
    return list(found)


def _of_digits(
    kind: Kind, n_fillers: int, min_length: int, max_length: int, draw: np.random.Generator
) -> Analogy:
    def some(length: int) -> _Words:
        return tuple(int(digit) for digit in draw.integers(n_fillers, size=length))

    if kind == "bi":
        length = int(draw.integers(max(min_length, 2), max_length + 1))
        at = int(draw.integers(length))
        (old, new), u, v = some(2), some(length), some(length)
        return _replaced(kind, _put(u, at, old), _put(u, at, new), _put(v, at, old), at)
    shorter = int(draw.integers(min_length, max_length))
    longer = int(draw.integers(shorter + 1, max_length + 1))
    if kind in ("ltr", "rtl"):
        return _lengthened(kind, some(shorter), some(shorter), some(longer - shorter))
    at = int(draw.integers(shorter))
    (old, new), u = some(2), some(shorter)
    c = _put(_put(some(longer), at, old), at + longer - shorter, old)
    return _replaced(kind, _put(u, at, old), _put(u, at, new), c, at)


_SUBJECTS = ("I", "you", "we", "they")
_VERBS = ("see", "know", "think", "hear", "sing", "read", "sleep", "work", "wait", "run", "write")
_ADVERBS = ("now", "here", "again", "today", "there", "too", "often", "together", "outside")
_MODALS = ("can", "will", "must", "may", "should")
_BELIEFS = ("think", "know", "hope", "say", "see", "hear")


def _of_words(kind: Kind, draw: np.random.Generator) -> Analogy:
    def one(words: tuple[str, ...]) -> str:
        return words[draw.integers(len(words))]

    def clause(modal: bool) -> tuple[str, ...]:
        return (one(_SUBJECTS), *([one(_MODALS)] if modal else []), one(_VERBS))

    modal = bool(draw.integers(2))
    a, c, adverb = clause(modal), clause(modal), one(_ADVERBS)
    if kind in ("ltr", "rtl"):
        return _lengthened(kind, a, c, (adverb,))
    if kind == "bi":
        u, v = (*a, adverb), (*c, one(_ADVERBS))
        at = int(draw.integers(len(u)))
        choice = {0: _SUBJECTS, len(u) - 1: _ADVERBS, len(u) - 2: _VERBS}.get(at, _MODALS)
        return _replaced("bi", u, _put(u, at, one(choice)), _put(v, at, u[at]), at)
    u = (*a, adverb)
    c = (a[0], one(_BELIEFS), a[0], *c[1:], one(_ADVERBS))
    return _replaced("ambiguous", u, _put(u, 0, one(_SUBJECTS)), c, 0)


def _put(sequence: _Words, at: int, item: Hashable) -> _Words:
    return (*sequence[:at], item, *sequence[at + 1 :])


def _lengthened(kind: Kind, p: _Words, q: _Words, s: _Words) -> Analogy:
    if kind == "ltr":
        return Analogy(kind, p + s, p, q + s, q)
    return Analogy(kind, s + p, p, s + q, q)


def _replaced(kind: Kind, a: _Words, b: _Words, c: _Words, at: int) -> Analogy:
    """Do to C what makes B of A at a place from the left, and for the rival from the right."""
    rival = _put(c, at + len(c) - len(a), b[at]) if kind == "ambiguous" else None
    return Analogy(kind, a, b, c, _put(c, at, b[at]), rival)
