"""Role schemes by their names."""

from __future__ import annotations

import functools
from typing import Any

from probes.errors import InputError, unknown
from probes.roles.neighbours import Next, Previous, Wickel
from probes.roles.schemes import (
    PARSES,
    BagOfWords,
    Bidirectional,
    LeftToRight,
    RightToLeft,
    RoleScheme,
    TreeRoles,
)

SIX: tuple[RoleScheme, ...] = (
    LeftToRight(),
    RightToLeft(),
    Bidirectional(),
    Wickel(),
    TreeRoles(),
    BagOfWords(),
)
"""Those of McCoy et al. (2019), in the order of their table."""

TITLES = {
    "ltr": "Left-to-right",
    "rtl": "Right-to-left",
    "bi": "Bidirectional",
    "wickel": "Wickelroles",
    "tree": "Tree",
    "bow": "Bag of words",
}


def parse_scheme(text: str) -> RoleScheme:
    """Read the name of a scheme.

    Parameters
    ----------
    text : str
        ``bow``, ``ltr``, ``rtl``, ``bi``, ``wickel``, ``previous``, ``next``, ``tree``; the last
        four with what they look at (``wickel:upos``, ``tree:random``); products (``ltr*rtl``) and
        sums of them (``ltr+rtl``).

    Returns
    -------
    RoleScheme
        Whose name is the text.

    Raises
    ------
    InputError
        If a part of the name is unknown. The message names the nearest.
    """
    sums = []
    for addend in text.split("+"):
        factors = [_base(factor.strip()) for factor in addend.split("*")]
        sums.append(functools.reduce(lambda a, b: a * b, factors))
    return functools.reduce(lambda a, b: a + b, sums)


def _base(text: str) -> RoleScheme:
    plain: dict[str, RoleScheme] = {s.name: s for s in (*SIX, Previous(), Next())}
    base, _, of = text.partition(":")
    if base not in plain:
        raise unknown("role scheme", text, plain)
    if not of:
        if text.endswith(":"):
            raise InputError(f"role scheme {text!r}: nothing stands after the colon")
        return plain[base]
    if base == "tree":
        if of not in PARSES:
            raise unknown(f"tree of the role scheme {text!r}:", of, PARSES)
        return TreeRoles(PARSES[of])
    neighbours: dict[str, Any] = {"wickel": Wickel, "previous": Previous, "next": Next}
    if base not in neighbours:
        raise InputError(f"role scheme {text!r}: {base} takes nothing after a colon")
    scheme: RoleScheme = neighbours[base](of)
    return scheme
