"""Role schemes: what place each item of a sequence has, in one of several senses of the word.

The six of McCoy et al. (2019, section 2 and table 1), their parts, sums and products, and any
function of one's own.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from probes.errors import InputError
from probes.roles.numbers import Numbered, lengths_of, number_codes, numbered, places
from probes.roles.sequences import Fillers, Sentence
from probes.roles.trees import (
    Tree,
    alike_to,
    balanced,
    left_branching,
    paths,
    random_tree,
    right_branching,
    smallest_first,
)

Role = Hashable


class RoleScheme(ABC):
    """A function from a sequence to one role for each of its fillers.

    Schemes add and multiply. In the product of two schemes an item has the pair of its roles; in
    their sum it is bound twice, once to each of them.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name, as `parse_scheme` reads it."""

    @abstractmethod
    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item its role.

        Parameters
        ----------
        sequence : sequence of fillers, or Sentence
            Of any length.

        Returns
        -------
        list of hashable
            One role an item.
        """

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """Number the roles of many sequences as they first come.

        Schemes that can override it: to number places takes no look at the items.

        Parameters
        ----------
        sequences : sequence of sequences of fillers
            Lengths may differ.

        Returns
        -------
        dict of role to int, ndarray of shape (n_items,), int64
            The number of each different role from 0 on, and those of all items in order.
        """
        return numbered(chain.from_iterable(map(self.roles, sequences)))

    @property
    def parts(self) -> tuple[RoleScheme, ...]:
        """The schemes of which this is the sum: itself alone, if it is none."""
        return (self,)

    def __add__(self, other: RoleScheme) -> RoleScheme:
        return Sum((*self.parts, *other.parts))

    def __mul__(self, other: RoleScheme) -> RoleScheme:
        return Product(self, other)


@dataclass(frozen=True)
class BagOfWords(RoleScheme):
    """One role for all."""

    name = "bow"

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item the role ``r_0``."""
        return ["r_0"] * len(sequence)

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`."""
        return number_codes(np.zeros(lengths_of(sequences).sum(), np.int64), lambda _: "r_0")


@dataclass(frozen=True)
class LeftToRight(RoleScheme):
    """The place from the left, from 0 on."""

    name = "ltr"

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give item i the role i."""
        return list(range(len(sequence)))

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`."""
        return number_codes(places(lengths_of(sequences)), int)


@dataclass(frozen=True)
class RightToLeft(RoleScheme):
    """The place from the right, from 0 on."""

    name = "rtl"

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give item i of n the role n - 1 - i."""
        return list(range(len(sequence) - 1, -1, -1))

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`."""
        lengths = lengths_of(sequences)
        return number_codes(np.repeat(lengths, lengths) - 1 - places(lengths), int)


@dataclass(frozen=True)
class Bidirectional(RoleScheme):
    """The places from both sides: a role for each length and place."""

    name = "bi"

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give item i of n the role (i, n - 1 - i)."""
        return list(_both_places(len(sequence)))

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`."""
        lengths = lengths_of(sequences)
        longest = int(lengths.max(initial=0))
        codes = np.repeat(lengths, lengths) * longest + places(lengths)
        return number_codes(codes, lambda code: _both_places(code // longest)[code % longest])


@functools.cache
def _both_places(n: int) -> tuple[tuple[int, int], ...]:
    return tuple((i, n - 1 - i) for i in range(n))


def annotated(sequence: Fillers) -> Tree:
    """Take the tree that a `Sentence` carries.

    Raises
    ------
    InputError
        If it carries none.
    """
    tree = sequence.tree if isinstance(sequence, Sentence) else None
    if tree is None:
        raise InputError(
            f"the sequence {_shown(sequence)} carries no tree; give it one (heads or brackets), or "
            "choose tree:right, tree:left, tree:balanced or tree:random"
        )
    return tree


PARSES: dict[str, Callable[[Fillers], Tree]] = {
    "digits": smallest_first,
    "parse": annotated,
    "right": right_branching,
    "left": left_branching,
    "balanced": balanced,
    "random": random_tree,
}
"""The trees that ``tree:NAME`` stands for."""


@dataclass(frozen=True)
class TreeRoles(RoleScheme):
    """The path from the root of a binary tree to the item.

    Parameters
    ----------
    parse : callable, optional
        From a sequence to its tree; by default the digits' (`smallest_first`), or of a `Sentence`
        the tree that it carries.
    """

    parse: Callable[[Fillers], Tree] | None = None

    @property
    def name(self) -> str:
        """``tree``, and the name of the parse."""
        if self.parse is None:
            return "tree"
        known = {parse: name for name, parse in PARSES.items()}
        return f"tree:{known.get(self.parse, getattr(self.parse, '__name__', 'own'))}"

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item its path, ``L`` and ``R`` for left and right."""
        if not len(sequence):
            return []
        parse = self.parse or (annotated if isinstance(sequence, Sentence) else smallest_first)
        return list(paths(parse(sequence)))

    def numbered(self, sequences: Sequence[Fillers]) -> Numbered:
        """As `RoleScheme.numbered`; one tree for digits that rise and fall alike."""
        if self.parse not in (None, smallest_first):
            return super().numbered(sequences)
        digits, numbers = numbered(chain.from_iterable(sequences))
        lengths = lengths_of(sequences)
        alike = None
        if {*map(type, digits)} <= {int} and not {*map(type, sequences)} & {Sentence}:
            ranks = np.argsort(np.argsort(np.array([*digits], dtype=object)))
            alike = alike_to(ranks[numbers], lengths)
        if alike is None:
            return super().numbered(sequences)
        first, which = alike
        roles = [self.roles(sequences[k]) for k in first]
        starts = np.cumsum([0, *map(len, roles)])
        known, codes = numbered(chain.from_iterable(roles))
        at = np.repeat(starts[which], lengths) + places(lengths)
        return number_codes(codes[at], [*known].__getitem__)


class _Pair(tuple[Role, ...]):
    """The roles of a product, printed ``(0, NOUN)``."""

    def __str__(self) -> str:
        return f"({', '.join(map(str, self))})"


class _Several(tuple[Role, ...]):
    """The roles of a sum, printed ``0 + NOUN``."""

    def __str__(self) -> str:
        return " + ".join(map(str, self))


@dataclass(frozen=True)
class Product(RoleScheme):
    """The pair of two schemes' roles.

    Parameters
    ----------
    first, second : RoleScheme
        Of which neither is a sum.

    Raises
    ------
    InputError
        If one is a sum: multiply its parts, and add the products.
    """

    first: RoleScheme
    second: RoleScheme

    def __post_init__(self) -> None:
        if len(self.first.parts) > 1 or len(self.second.parts) > 1:
            raise InputError(
                f"a product with a sum: {self.name}; multiply the parts of the sum, and add them"
            )

    @property
    def name(self) -> str:
        """The two names with ``*`` between them."""
        return f"{self.first.name}*{self.second.name}"

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item the pair of its two roles."""
        both = zip(self.first.roles(sequence), self.second.roles(sequence), strict=True)
        return list(map(_Pair, both))


@dataclass(frozen=True)
class Sum(RoleScheme):
    """Several schemes at once: each item is bound to its role in each of them.

    Parameters
    ----------
    addends : tuple of RoleScheme
        None of them a sum.
    """

    addends: tuple[RoleScheme, ...]

    @property
    def name(self) -> str:
        """The names with ``+`` between them."""
        return "+".join(part.name for part in self.addends)

    @property
    def parts(self) -> tuple[RoleScheme, ...]:
        """The addends."""
        return self.addends

    def roles(self, sequence: Fillers) -> list[Role]:
        """Give each item its roles in all addends, as a labelling: one tuple."""
        all_parts = zip(*(part.roles(sequence) for part in self.addends), strict=True)
        return list(map(_Several, all_parts))


@dataclass(frozen=True)
class Own(RoleScheme):
    """A function as a scheme.

    Parameters
    ----------
    function : callable
        From a sequence to one hashable role for each item.
    title : str, optional
        The scheme's name; the function's by default.
    """

    function: Callable[[Fillers], Sequence[Role]]
    title: str = ""

    @property
    def name(self) -> str:
        """The title, or the function's name."""
        return self.title or getattr(self.function, "__name__", "own")

    def roles(self, sequence: Fillers) -> list[Role]:
        """Call the function, and see that it gave one role an item."""
        roles = list(self.function(sequence))
        if len(roles) != len(sequence):
            raise InputError(
                f"the scheme {self.name!r} gave {len(roles)} roles for the {len(sequence)} items "
                f"of {_shown(sequence)}; it must give one for each"
            )
        return roles


def _shown(sequence: Fillers) -> str:
    text = " ".join(str(item) for item in sequence)
    return repr(text if len(text) <= 60 else text[:57] + "…")
