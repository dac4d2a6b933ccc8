"""The table of the roles that each scheme gives."""

from __future__ import annotations

from collections.abc import Sequence

from probes.errors import InputError
from probes.roles.naming import SIX, TITLES, parse_scheme
from probes.roles.schemes import RoleScheme, TreeRoles
from probes.roles.sequences import Fillers, Sentence
from probes.roles.trees import bracketed


def role_table(sequences: Sequence[str], schemes: Sequence[str] | None = None) -> str:
    """Lay out the roles of sequences, a row a scheme and a column an item.

    Parameters
    ----------
    sequences : sequence of str
        Items with spaces between them, or a parse in brackets.
    schemes : sequence of str, optional
        Their names; by default the six of McCoy et al. (2019), without the tree where words carry
        none.

    Returns
    -------
    str
        Lines, columns divided by two spaces or more.

    Raises
    ------
    InputError
        If a sequence is empty, or a scheme cannot be read or does not apply.
    """
    read = [_read(text) for text in sequences]
    chosen: list[RoleScheme] = (
        [scheme for scheme in SIX if not isinstance(scheme, TreeRoles) or _have_trees(read)]
        if schemes is None
        else [parse_scheme(name) for name in schemes]
    )
    rows = [["", *(str(item) for sequence in read for item in sequence)]]
    for scheme in chosen:
        cells = [str(role) for sequence in read for role in scheme.roles(sequence)]
        rows.append([TITLES.get(scheme.name, scheme.name), *cells])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "".join(f"{line}\n" for line in lines)


def _read(text: str) -> Fillers:
    if text.lstrip().startswith("("):
        words, tree = bracketed(text)
        return Sentence(tuple(words), tree=tree)
    if not text.split():
        raise InputError("an empty sequence; give its items with spaces between them")
    return text.split()


def _have_trees(sequences: Sequence[Fillers]) -> bool:
    return all(
        isinstance(s, Sentence) or all(str(item).isdecimal() for item in s) for s in sequences
    )
