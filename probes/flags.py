"""Flags and configuration files: from what a command was given to its dataclass."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from probes.errors import InputError, unknown

T = TypeVar("T")


def task_config(cls: type[T], command: str, arguments: Sequence[str]) -> T:
    """Fill the settings of a command that takes a task, the task's own options among them.

    Parameters
    ----------
    cls : type
        Dataclass of the settings, with a field ``task``.
    command : str
        As the user types it, such as ``"probe"``.
    arguments : sequence of str
        What stands behind the command. ``--config`` and ``--task.name`` are read first, then
        everything over the task's own options; flags go over the file.

    Returns
    -------
    dataclass
        Of `cls`.

    Raises
    ------
    InputError
        If a flag or key is unknown, or no task is named.
    SystemExit
        After ``--help``, with 0; where a value does not fit its flag, with 2.
    """
    from probes.configs import require_keys

    path, values, rest = _file(arguments)
    require_keys(cls, values, path)
    name, chosen, rest = _task(values.get("task", {}), path, rest)
    if values:
        values = {**values, "task": {**chosen, "name": name}}
    return _filled(_with_task(cls, name), command, (path, values), rest, name)


def plain_config(cls: type[T], command: str, arguments: Sequence[str]) -> T:
    """Fill the settings of a command that takes no task; as `task_config`."""
    path, values, rest = _file(arguments)
    return _filled(cls, command, (path, values), rest)


def _file(arguments: Sequence[str]) -> tuple[str, dict[str, Any], list[str]]:
    """Read ``--config``: its path, its values, and the other arguments."""
    from probes.configs import read_yaml

    path, rest = take(list(arguments), "--config")
    return (path, read_yaml(path), rest) if path is not None else ("", {}, rest)


def _task(chosen: Any, path: str, rest: list[str]) -> tuple[str, dict[str, Any], list[str]]:
    """Choose the task: its name, the file's options of it, and the other arguments."""
    from probes.registry import find_tasks

    if not isinstance(chosen, dict):
        raise InputError(f"{path}, key 'task': expected keys with values, came {chosen!r}")
    name, rest = take(rest, "--task.name")
    if name is not None and name != chosen.get("name", name):
        chosen = {}  # another task than the file's: its options do not apply
    name = name or chosen.get("name")
    if name is not None and not isinstance(name, str):
        raise InputError(f"{path}, key 'task': its name is {name!r}; expected a task's name")
    if name is None:
        if not asks_help(rest):
            raise InputError(
                f"no task; choose one with --task.name: {', '.join(find_tasks())}"
                " (probes tasks NAME lists its options)"
            )
        name = "english"
    return name, chosen, rest


def _with_task(cls: type, name: str) -> Any:
    """Make the dataclass of settings whose ``task`` has the options of that task."""
    import dataclasses

    from probes.registry import task_options

    options = task_options(name)
    named = dataclasses.make_dataclass(
        "Task",
        [("name", str, dataclasses.field(default=name, kw_only=True))],
        bases=(options,),
        frozen=options.__dataclass_params__.frozen,  # type: ignore[attr-defined]
        namespace={"__doc__": options.__doc__},
    )
    return dataclasses.make_dataclass(
        cls.__name__.removesuffix("Config"),
        [("task", named, dataclasses.field(kw_only=True))],
        bases=(cls,),
        frozen=True,
        namespace={"__doc__": cls.__doc__},
    )


def _filled(
    cls: type[T], command: str, file: tuple[str, dict[str, Any]], rest: list[str], task: str = ""
) -> T:
    """Fill settings from a file's values, if it has any, and from flags over them."""
    import tyro

    from probes.configs import fill

    path, values = file
    default: Any = fill(cls, values, path, partial=tyro.MISSING) if values else None
    require_flags(rest, cls, command, task)
    of_task = f" Options of the task {task!r} are shown under --task;" if task else ""
    config: T = tyro.cli(
        cls,
        args=rest,
        prog=f"probes {command}",
        default=default,
        description=(
            f"{cls.__doc__}{of_task} --config FILE.yaml sets any of these, flags go over it."
        ),
    )
    return config


def require_flags(arguments: Sequence[str], resolved: type, command: str, task: str = "") -> None:
    """Refuse a flag that is no field, naming the nearest that is; and one of several values twice.

    Of a flag of one value the last counts.
    """
    known = {"--help", *flags_of(resolved)}
    lists = set(lists_of(resolved))
    seen: set[str] = set()
    for argument in arguments:
        flag = argument.partition("=")[0]
        if not re.match(r"-+[a-zA-Z]", flag) or flag in ("-h", "-inf", "-nan"):
            continue  # a value; numbers may be negative
        if flag.replace("_", "-") not in known:
            near = difflib.get_close_matches(flag, sorted(known), n=1, cutoff=0.5)
            of = f" of the task {task!r}" if flag.startswith("--task.") else ""
            raise InputError(
                f"unknown flag {flag!r}{of}{f' (nearest: {near[0]!r})' if near else ''}; "
                f"probes {command} --help lists all"
                + (f", probes tasks {task} those of the task" if of else "")
            )
        name = flag.replace("_", "-")
        if name in seen & lists:
            raise InputError(
                f"the flag {flag} stands twice, and one would be lost; give it once (several "
                f"values follow one another: {flag} A B)"
            )
        seen.add(name)


def flags_of(cls: type, prefix: str = "") -> list[str]:
    """List the flags of a dataclass of settings, those of its parts behind a dot."""
    import dataclasses
    import typing

    found: list[str] = []
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name = field.name.replace("_", "-")
        if dataclasses.is_dataclass(hints[field.name]):
            found += flags_of(hints[field.name], f"{prefix}{name}.")
        else:
            found.append(f"--{prefix}{name}")
            if hints[field.name] is bool:
                found.append(f"--{prefix}no-{name}")
    return found


def lists_of(cls: type, prefix: str = "") -> list[str]:
    """List the flags that take several values, as `flags_of`."""
    import dataclasses
    import typing

    found: list[str] = []
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name, hint = f"{prefix}{field.name.replace('_', '-')}", hints[field.name]
        if dataclasses.is_dataclass(hint):
            found += lists_of(typing.cast(type, hint), f"{name}.")
        elif any(typing.get_origin(part) is tuple for part in (hint, *typing.get_args(hint))):
            found.append(f"--{name}")
    return found


def take(arguments: list[str], flag: str) -> tuple[str | None, list[str]]:
    """Take a flag and its value out of the arguments; the last one counts."""
    value, rest, waiting = None, [], False
    for argument in arguments:
        if waiting:
            value, waiting = argument, False
        elif argument == flag:
            waiting = True
        elif argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
        else:
            rest.append(argument)
    if waiting or value == "":
        raise InputError(f"{flag} lacks its value")
    return value, rest


def asks_help(arguments: Sequence[str], usage: str = "") -> bool:
    """Say whether help is asked for, and print the usage then."""
    asked = any(argument in ("-h", "--help") for argument in arguments)
    if asked and usage:
        print(f"usage: {usage}")
    return asked


def require_words(arguments: Sequence[str], usage: str, flags: Sequence[str]) -> None:
    """Refuse flags where only words are expected, and nothing where something is."""
    if not arguments:
        raise InputError(f"nothing is named; usage: {usage}")
    for argument in arguments:
        if argument.startswith("-"):
            raise unknown("flag", argument, flags)


def quieten() -> None:
    """Keep the libraries' own bars and notes off the screen."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import transformers

    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
