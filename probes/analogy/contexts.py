"""Where words occur in a corpus of plain sentences."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from probes.analogy.text import lines_of
from probes.analogy.vectors import folded
from probes.errors import InputError

_WORD = re.compile(r"\w+(?:[-'’.]\w+)*")

Ints = npt.NDArray[np.int64]
_Spelt = tuple[str, str, str, int]
"""A word, what stands in it before its first letter and after its last, and its number."""


@dataclass(frozen=True, eq=False)
class Occurrences:
    """Some occurrences of some words, in the order of the corpus.

    Parameters
    ----------
    texts : tuple of str
        Those that hold one.
    text_index : ndarray of shape (n,), int64, not decreasing
        The text of each occurrence.
    spans : ndarray of shape (n, 2), int64
        Its characters there, end exclusive.
    word : ndarray of shape (n,), int64
        Which word occurs, by its number.
    """

    texts: tuple[str, ...]
    text_index: Ints
    spans: Ints
    word: Ints


def read_corpus(corpus: Sequence[str] | str | Path) -> Sequence[str]:
    """Give the texts of a corpus.

    Parameters
    ----------
    corpus : sequence of str, or str or Path
        The texts themselves, or a file in UTF-8 with one a line.

    Returns
    -------
    sequence of str
        In order.

    Raises
    ------
    InputError
        If the file cannot be read, or there are no texts.
    """
    if isinstance(corpus, str | Path):
        return [text for _, text in lines_of(Path(corpus), "a sentence a line")]
    if not len(corpus):
        raise InputError("the corpus holds no texts; give sentences in which the words occur")
    return corpus


def draw_occurrences(
    words: Sequence[str], texts: Sequence[str], n: int, *, seed: int, after_others: bool
) -> Occurrences:
    """Draw up to `n` occurrences of each word.

    An occurrence is a whole word: neither letters nor digits touch it, nor does a hyphen, an
    apostrophe or a dot join it to others (``don't`` holds no ``don``, ``king's`` no ``king``,
    ``U.S.`` no ``s``). It counts for the word that is spelt as it is, otherwise for the first one
    that is equal to it but for case. Other words stand in the same text; a word that is alone there
    has no context.

    Parameters
    ----------
    words : sequence of str
        All different; they may hold several words (``New York``).
    texts : sequence of str
        The corpus; one that is there twice counts once.
    n : int
        The most occurrences of a word.
    seed : int
        Of the draw. It depends on the texts and neither on their order nor on the other words.
    after_others : bool
        Whether a word must stand before it, as a causal model sees no other.

    Returns
    -------
    Occurrences
        Of a word that occurs nowhere, none.
    """
    known, sizes = _by_spelling(words)
    drawn: list[list[tuple[int, int, int, int]]] = [[] for _ in words]  # heaps, worst first
    corpus = list(dict.fromkeys(texts))
    for number, text in enumerate(corpus):
        own = xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"), seed=seed)
        for row, start, end in _found(text, known, sizes, after_others):
            place = f"{words[row]}\0{start}".encode("utf-8", "surrogatepass")
            turn = -xxhash.xxh3_64_intdigest(place, seed=own)
            heap = drawn[row]
            if len(heap) < n:
                heapq.heappush(heap, (turn, number, start, end))
            elif turn > heap[0][0]:
                heapq.heapreplace(heap, (turn, number, start, end))
    flat = sorted((t, a, b, row) for row, heap in enumerate(drawn) for _, t, a, b in heap)
    columns = np.asarray(flat, dtype=np.int64).reshape(-1, 4)
    held, index = np.unique(columns[:, 0], return_inverse=True)
    return Occurrences(
        texts=tuple(corpus[number] for number in held),
        text_index=index.astype(np.int64),
        spans=columns[:, 1:3],
        word=columns[:, 3],
    )


def _by_spelling(words: Sequence[str]) -> tuple[dict[str, list[_Spelt]], list[int]]:
    """Index words by their letters without case, and say of how many parts they are."""
    known: dict[str, list[_Spelt]] = {}
    sizes: set[int] = set()
    for row, word in enumerate(words):
        parts = list(_WORD.finditer(word))
        if parts:
            first, end = parts[0].start(), parts[-1].end()
            spelt = (word, word[:first], word[end:], row)
            known.setdefault(folded(word[first:end]), []).append(spelt)
            sizes.add(len(parts))
    for same in known.values():
        same.sort(key=lambda spelt: -len(spelt[0]))  # "U.S." before "U.S"; stable otherwise
    return known, sorted(sizes)


def _found(
    text: str, known: dict[str, list[_Spelt]], sizes: list[int], after_others: bool
) -> list[tuple[int, int, int]]:
    parts = [match.span() for match in _WORD.finditer(text)]
    found = []
    for k in range(int(after_others), len(parts)):
        start = parts[k][0]
        for size in sizes:
            if k + size > len(parts) or size == len(parts):  # the whole text has no context
                break
            end = parts[k + size - 1][1]
            same = known.get(folded(text[start:end]))
            if same and (hit := _of_these(text, start, end, same)):
                found.append(hit)
    return found


def _of_these(text: str, start: int, end: int, words: list[_Spelt]) -> tuple[int, int, int] | None:
    for exact in (True, False):
        for word, before, after, row in words:
            first, last = start - len(before), end + len(after)
            here = text[first:last] if first >= 0 else ""
            if here == word or (not exact and folded(here) == folded(word)):
                return row, first, last
    return None
