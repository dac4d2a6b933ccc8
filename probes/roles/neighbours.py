"""Role schemes of the neighbours: Wickelroles, and their two halves."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from probes.errors import unknown
from probes.roles.numbers import Ints, Numbered, lengths_of, number_codes, numbered
from probes.roles.schemes import Role, RoleScheme
from probes.roles.sequences import Fillers, Sentence


class _Edge:
    """What stands before the first item and after the last; no word is equal to it."""

    def __repr__(self) -> str:
        return "#"


EDGE = _Edge()


class Wickelrole(NamedTuple):
    """A pair of neighbours, printed ``previous_next``."""

    previous: Hashable
    next: Hashable

    def __str__(self) -> str:
        return f"{self.previous}_{self.next}"


@dataclass(frozen=True)
class _Neighbours(RoleScheme):
    """Schemes of the neighbours.

    Parameters
    ----------
    annotation : str, optional
        The annotation of a `Sentence` (``"upos"``) that is looked at; by default the fillers
        themselves.
    """

    annotation: str | None = None

    def _padded(self, sequence: Fillers) -> list[Hashable]:
        return [EDGE, *_looked_at(sequence, self.annotation), EDGE]

    def _both(self, sequences: Sequence[Fillers]) -> tuple[list[Hashable], Ints, Ints]:
        """List what neighbours are, and number those before and those after each item."""
        looked_at: Iterable[Sequence[Hashable]] = sequences
        if self.annotation is not None:
            looked_at = (_looked_at(sequence, self.annotation) for sequence in sequences)
        known, numbers = numbered(chain.from_iterable(looked_at))
        lengths = lengths_of(sequences)
        edged = np.zeros(len(numbers) + len(lengths) + 1, np.int64)
        at = np.arange(1, len(numbers) + 1) + np.repeat(np.arange(len(lengths)), lengths)
        edged[at] = numbers + 1
        return [EDGE, *known], edged[at - 1], edged[at + 1]

    def _named(self, base: str) -> str:
        return base if self.annotation is None else f"{base}:{self.annotation}"


class Wickel(_Neighbours):
    """Wickelroles: the items before and after."""

    @property
    def name(self) -> str:
        """``wickel``, and the annotation."""
        return self._named("wickel")

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item the pair of its neighbours; `EDGE` where there is none."""
        padded = self._padded(sequence)
        return [*map(Wickelrole, padded, padded[2:])]

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`."""
        known, before, after = self._both(sequences)
        n = len(known)
        return number_codes(
            before * n + after, lambda code: Wickelrole(known[code // n], known[code % n])
        )


class Previous(_Neighbours):
    """The item before."""

    @property
    def name(self) -> str:
        """``previous``, and the annotation."""
        return self._named("previous")

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item the one before it; `EDGE` where there is none."""
        return self._padded(sequence)[:-2]

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`."""
        known, before, _ = self._both(sequences)
        return number_codes(before, known.__getitem__)


class Next(_Neighbours):
    """The item after."""

    @property
    def name(self) -> str:
        """``next``, and the annotation."""
        return self._named("next")

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item the one after it; `EDGE` where there is none."""
        return self._padded(sequence)[2:]

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`."""
        known, _, after = self._both(sequences)
        return number_codes(after, known.__getitem__)


def _looked_at(sequence: Fillers, annotation: str | None) -> Sequence[Hashable]:
    if annotation is None:
        return sequence
    known = sequence.annotations if isinstance(sequence, Sentence) else {}
    if annotation not in known:
        raise unknown("annotation of the sentence", annotation, known)
    return known[annotation]
