"""Which layers a user means."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from probes.errors import InputError


def parse_layers(spec: str, names: Sequence[str]) -> tuple[str, ...]:
    """Read a choice of layers, such as ``"0-6"``, ``"0,3,final"``, ``"-1"`` or ``"all"``.

    Parameters
    ----------
    spec : str
        Numbers, ranges (both ends included) and ``final``, with commas between; ``all`` for every
        layer that the model has. Negative numbers count from the last layer, -1. Where encoder and
        decoder are both read, ``encoder.0-6`` means the one's, ``0-6`` those of both.
    names : sequence of str
        The model's layers, as `LayerReader.names`; the points of a network are chosen by name.

    Returns
    -------
    tuple of str
        Without repetition, in the model's order.

    Raises
    ------
    InputError
        If a layer is not there. The message names the valid range.
    """
    prefixes = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    chosen: set[str] = set()
    for part in (p.strip() for p in spec.split(",")):
        if part == "all":
            chosen.update(names)
            continue
        named, _, rest = part.rpartition(".")
        if named and named not in prefixes:
            raise _unknown(part, spec, names)
        for prefix in [named] if named else prefixes:
            dotted = f"{prefix}." if prefix else ""
            own = [n.removeprefix(dotted) for n in names if n.rpartition(".")[0] == prefix]
            chosen.update(dotted + name for name in _named(rest, own, spec, names))
    return tuple(name for name in names if name in chosen)


def number_of_layers(names: Sequence[str]) -> int:
    """Give the number of blocks of the longest stack, from the names of a model's layers.

    Of layers that are not numbered (the named points of a network), how many follow the first.
    """
    numbers = [int(n) for n in (name.rpartition(".")[2] for name in names) if n.isdecimal()]
    return max(numbers) if numbers else len(names) - 1


def _valid(names: Sequence[str]) -> str:
    if not any(name.rpartition(".")[2].isdecimal() for name in names):
        return f"layers of this model: {', '.join(names)}"
    prefixes = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    parts = []
    for prefix in prefixes:
        own = [n for n in names if n.rpartition(".")[0] == prefix]
        dotted = f"{prefix}." if prefix else ""
        parts.append(f"{dotted}0-{number_of_layers(own)}")
        parts += [f"{dotted}final"] if f"{dotted}final" in own else []
    return f"layers of this model: {', '.join(parts)}"


def _unknown(part: str, spec: str, names: Sequence[str]) -> InputError:
    where = "" if part == spec else f" in {spec!r}"
    words = ["all", *(name for name in names if not name.isdigit())]
    near = difflib.get_close_matches(part, words, n=1)
    hint = f" (nearest: {near[0]!r})" if near else ""
    return InputError(f"unknown layer {part!r}{where}{hint}; {_valid(names)}")


def _named(part: str, own: Sequence[str], spec: str, names: Sequence[str]) -> list[str]:
    """Give the layers of one stack that a number, a range or a name, such as ``final``, means."""
    if part in own:
        return [part]
    if not any(name.isdecimal() for name in own):
        raise _unknown(part, spec, names)
    top = number_of_layers(own)
    head, dash, tail = part.rpartition("-")
    try:
        if not dash or not head:
            first = last = int(part)
        else:
            first, last = int(head), int(tail)
    except ValueError:
        raise _unknown(part, spec, names) from None
    if first < 0:
        first, last = first + top + 1, last + top + 1
    if not 0 <= first <= last <= top:
        raise _unknown(part, spec, names)
    return [str(k) for k in range(first, last + 1)]
