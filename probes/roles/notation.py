"""Roles in the notation of a lecture's slide: ``3: first + 7: second + 6: third``."""

from __future__ import annotations

from collections.abc import Sequence

from probes.roles.schemes import Role, RoleScheme
from probes.roles.sequences import Fillers

ORDINALS = (
    "first", "second", "third", "fourth", "fifth", "sixth",
    "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
)  # fmt: skip


def reading(scheme: RoleScheme, sequence: Fillers) -> str:
    """Write what a scheme reads a sequence as.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles.
    sequence : sequence of fillers
        Digits or words.

    Returns
    -------
    str
        Fillers with their roles, such as ``3: #_1 + 1: 3_1``. Places from the left are written
        ``first``, ``second``; from the right ``last``, ``second-to-last``; roles of other schemes
        as they are.
    """
    named = role_names(scheme, scheme.roles(sequence))
    return " + ".join(f"{filler}: {role}" for filler, role in zip(sequence, named, strict=True))


def role_names(scheme: RoleScheme, roles: Sequence[Role]) -> list[str]:
    """Write roles as `reading` does."""
    if scheme.name == "ltr":
        return [_ordinal(role) for role in roles]
    if scheme.name == "rtl":
        return ["last" if role == 0 else f"{_ordinal(role)}-to-last" for role in roles]
    return [str(role).replace(", ", ",") for role in roles]


def _ordinal(place: object) -> str:
    assert isinstance(place, int)
    return ORDINALS[place] if place < len(ORDINALS) else f"{place + 1}th"
