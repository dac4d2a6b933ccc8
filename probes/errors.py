"""The two ways in which a run can fail that are not bugs, and complaints made alike."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """What the user gave cannot be used: the command ends with exit code 2.

    The message says what came, what was expected, where (file, row, field), and what to do.
    """


class EnvironmentFailure(RuntimeError):
    """The machine failed the run (disk, memory, processes): the command ends with exit code 1."""


def unknown(what: str, came: str, known: Iterable[str]) -> InputError:
    """Make the error for a name that is not known, with the nearest one that is.

    Parameters
    ----------
    what : str
        The kind of thing that was named, such as ``"task"``.
    came : str
        The name that came.
    known : iterable of str
        The names that would have been understood.

    Returns
    -------
    InputError
        To be raised by the caller.
    """
    names = sorted(known)
    near = difflib.get_close_matches(came, names, n=1, cutoff=0.5)
    hint = f" (nearest: {near[0]!r})" if near else ""
    return InputError(f"unknown {what} {came!r}{hint}; known: {', '.join(names) or 'none'}")


def require_effect(config: Any, settings: Iterable[str], why: str) -> None:
    """Refuse settings that would do nothing, where they are not what they are by default.

    Parameters
    ----------
    config : dataclass
        All settings, from flags or a file.
    settings : iterable of str
        Its fields that do nothing beside the others.
    why : str
        Ends the complaint, such as ``"it is of a model; leave it out"``.

    Raises
    ------
    InputError
        If one of them was set.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    for name in settings:
        value = getattr(config, name)
        if value != defaults[name]:
            shown = " ".join(map(str, value)) if isinstance(value, tuple) else value
            raise InputError(f"--{name.replace('_', '-')} {shown} would do nothing: {why}")
