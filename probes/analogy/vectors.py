"""Words and their vectors, and how a word that is asked is found among them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from probes.errors import InputError

BLOCK = 1 << 14
"""Rows that are looked at together, so that what is made on the way stays small."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """A vocabulary and a vector a word.

    Made by the readers, which have checked that the words differ and the vectors are finite; of
    arrays in memory by `checked`.
    """

    words: tuple[str, ...]
    """In the order of the file, usually from the most frequent to the least."""
    X: npt.NDArray[np.float32]
    """Shape (n, width), as read and not normalised; perhaps a memory map, never to be written."""
    name: str
    """Of the file, the pipeline, or what the caller chose."""
    n_folded: int = 0
    """Words left out because an earlier one is equal to them but for case (`fold`)."""

    def __len__(self) -> int:
        return len(self.words)

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.X.shape[1])

    @cached_property
    def n_zero(self) -> int:
        """Words whose vector is zero: it has no direction, so no cosine either."""
        return sum(int((~block.any(axis=1)).sum()) for _, block in blocks(self.X))

    def place(self, word: str) -> int | None:
        """Find the row of a word.

        Parameters
        ----------
        word : str
            In any case and any normal form of Unicode.

        Returns
        -------
        int or None
            The row of this very word; else that of the first (most frequent) one that is equal to
            it but for case, in the sense of `folded`; else None.
        """
        exact = self._places.get(word)
        return self._folded_places.get(folded(word)) if exact is None else exact

    def take(self, n: int) -> Vectors:
        """Restrict the vocabulary to its most frequent words.

        Parameters
        ----------
        n : int
            At least 1; more than there are takes all.

        Returns
        -------
        Vectors
            The first `n` words; the vectors are a view. `n_folded` stays that of the whole, so
            take first and fold then, where the count should be of these words.

        Raises
        ------
        InputError
            If `n` is below 1.
        """
        if n < 1:
            raise InputError(f"a vocabulary of {n} words; expected at least 1")
        return self if n >= len(self) else replace(self, words=self.words[:n], X=self.X[:n])

    def fold(self) -> Vectors:
        """Merge words that are equal but for case: the first (most frequent) stays.

        So that ``Queen`` is no rival of the answer ``queen``.

        Returns
        -------
        Vectors
            With the others left out, and counted in `n_folded`; itself if there are none.
        """
        seen: set[str] = set()
        kept: list[int] = []
        for row, word in enumerate(self.words):
            key = folded(word)
            if key not in seen:
                seen.add(key)
                kept.append(row)
        n_left_out = len(self) - len(kept)
        if not n_left_out:
            return self
        return replace(
            self,
            words=tuple(self.words[row] for row in kept),
            X=self.X[kept],
            n_folded=self.n_folded + n_left_out,
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def _folded_places(self) -> dict[str, int]:
        places: dict[str, int] = {}
        for row, word in enumerate(self.words):
            places.setdefault(folded(word), row)
        return places


def folded(word: str) -> str:
    """Write a word so that words equal but for case are written alike.

    Unicode's full case folding within its normal form C (The Unicode Standard, §3.13, D145), which
    depends on no locale: ``Straße`` and ``STRASSE`` are equal, so are ``σ`` and ``ς``; ``I`` folds
    to ``i`` and never to the dotless ``ı``, and ``İ`` to an ``i`` that keeps its dot.
    """
    if word.isascii():
        return word.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold())


def blocks(X: npt.NDArray[np.float32]) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Give the rows of `X` in runs of `BLOCK`, each with the number of its first row."""
    for start in range(0, len(X), BLOCK):
        yield start, X[start : start + BLOCK]


def checked(
    words: Sequence[str],
    X: npt.NDArray[np.float32],
    *,
    name: str,
    where: str | None = None,
    unit: str = "row",
    first: int = 1,
) -> Vectors:
    """Check that a vocabulary and a matrix belong together, and put them together.

    Parameters
    ----------
    words : sequence of str of length n
        All different.
    X : ndarray of shape (n, width), float32
        Finite.
    name : str
        Of the vectors.
    where : str, optional
        The place that a complaint begins with; the name if None.
    unit : str
        What holds one word there, such as ``"line"``.
    first : int
        The number of the first of them.

    Returns
    -------
    Vectors
        Over the same array.

    Raises
    ------
    InputError
        If there are no words, their number is not that of the rows, one is empty, no text, or
        there twice, or a value is not finite.
    """
    where = name if where is None else where
    if X.ndim != 2 or not X.shape[1]:
        raise InputError(f"{where}: an array of shape {X.shape}; expected (words, width)")
    if len(words) != len(X):
        raise InputError(
            f"{where}: {len(words)} words for {len(X)} vectors; expected one word a vector, in the "
            "same order"
        )
    if not len(words):
        raise InputError(f"{where} holds no words; expected a word and its vector a {unit}")
    _check_words(words, lambda row: f"{where}, {unit} {row + first}", unit, first)
    for start, block in blocks(X):
        if not np.isfinite(block).all():
            row, column = np.argwhere(~np.isfinite(block))[0]
            raise InputError(
                f"{where}, {unit} {start + row + first}: value {column + 1} of the word "
                f"{words[start + row]!r} is {block[row, column]}; expected finite numbers"
            )
    return Vectors(tuple(words), X, name)


def _check_words(words: Sequence[str], at: Callable[[int], str], unit: str, first: int) -> None:
    for row, word in enumerate(words):
        if not isinstance(word, str) or not word:
            came = "empty" if word == "" else f"{word!r}, no text"
            raise InputError(f"{at(row)}: the word is {came}; give every vector a word")
    if len(set(words)) < len(words):
        seen: dict[str, int] = {}
        for row, word in enumerate(words):
            if word in seen:
                raise InputError(
                    f"{at(row)}: the word {word!r} is there twice, first in {unit} "
                    f"{seen[word] + first}; expected every word once: remove one of the two"
                )
            seen[word] = row
