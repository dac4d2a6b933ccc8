"""What pages are made of: figures with captions, and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plate:
    """A figure: the id of its place, its words for those who do not see it, and its caption."""

    anchor: str
    words: str
    caption: str


@dataclass(frozen=True)
class Grid:
    """A table: its caption, heads, and rows of cells."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
