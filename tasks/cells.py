"""What one row of a table says: its text and words, its split, its spans and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from probes_tasks.rows import Rows
from probes_tasks.words import Span, listed, occurrence, words_of

from probes.errors import InputError, unknown
from probes.task import Kind, Split, Unit

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "development": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class SpanColumns:
    """The columns that say where a span stands: by its bounds, or by the words in it."""

    start: str
    end: str
    phrase: str | None = None
    nth: str | None = None

    @property
    def names(self) -> list[str]:
        """Names of the columns that are read."""
        if self.phrase is None:
            return [self.start, self.end]
        return [self.phrase] if self.nth is None else [self.phrase, self.nth]

    def find(self, rows: Rows, k: int, text: str, words: Sequence[Span] | None) -> Span:
        """Find the span of row `k` in its text, whose words may be known."""
        if self.phrase is None:
            return self._between(rows, k, text, words)
        phrase = rows.value(k, self.phrase)
        if not isinstance(phrase, str):
            raise InputError(
                f"{rows.place(k)}: column {self.phrase!r} holds {phrase!r}; "
                "expected a word or phrase of the text"
            )
        given = self.nth is not None and not rows.is_empty(k, self.nth)
        nth = rows.integer(k, self.nth) if self.nth is not None and given else None
        try:
            return occurrence(text, phrase, nth, words)
        except InputError as error:
            raise InputError(f"{rows.place(k)}, column {self.phrase!r}: {error}") from None

    def _between(self, rows: Rows, k: int, text: str, words: Sequence[Span] | None) -> Span:
        first, last = rows.integer(k, self.start), rows.integer(k, self.end)
        what, n = ("characters", len(text)) if words is None else ("words", len(words))
        if not 0 <= first < last <= n:
            raise InputError(
                f"{rows.place(k)}: columns {self.start!r} and {self.end!r} span {what} {first} to "
                f"{last} of {n}; expected 0 ≤ start < end ≤ {n} (the end is exclusive)"
            )
        return (first, last) if words is None else (words[first][0], words[last - 1][1])


def raw_text(
    rows: Rows, k: int, column: str, language: str | None
) -> tuple[str, list[Span] | None]:
    """Return a text as it stands, and its words where a language says how to find them."""
    text = rows.value(k, column)
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f"{rows.place(k)}: column {column!r} holds {text!r}; expected a text"
            + (" (lists of words go by the option words)" if isinstance(text, list) else "")
        )
    if language is None:
        return text, None
    try:
        return text, words_of(text, language)
    except InputError as error:
        raise InputError(f"{rows.place(k)}, column {column!r}: {error}") from error


def joined_words(rows: Rows, k: int, column: str) -> tuple[str, list[Span]]:
    """Return given words joined by one space, and where each of them stands."""
    words = rows.items(k, column)
    spans: list[Span] = []
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise InputError(
                f"{rows.place(k)}: column {column!r} holds the word {word!r}; "
                "every word must be text"
            )
        first = spans[-1][1] + 1 if spans else 0
        spans.append((first, first + len(word)))
    return " ".join(words), spans


def split_of(rows: Rows, k: int, column: str) -> Split:
    """Return the split that a column names, by any of its usual names."""
    name = str(rows.value(k, column))
    split = SPLIT_NAMES.get(name.strip().lower())
    if split is None:
        raise unknown(f"split in column {column!r} of {rows.place(k)}", name, SPLIT_NAMES)
    return split


def labels_of(
    rows: Rows, k: int, column: str, unit: Unit, kind: Kind, surfaces: Sequence[str]
) -> list[Any]:
    """Return the labels of the units of a row; words must have one each."""
    if unit == "word":
        labels = rows.items(k, column)
        if len(labels) != len(surfaces):
            raise InputError(
                f"{rows.place(k)}: {len(surfaces)} words and {len(labels)} labels in column "
                f"{column!r}; give one label a word: {listed(surfaces)}"
            )
    elif column in rows.coded and rows.columns[column][k] is None:
        labels = [None]
    else:
        labels = [rows.value(k, column)]
    if kind == "class":
        return [None if label is None else str(label) for label in labels]
    return [None if label is None else rows.real(k, column, label) for label in labels]
