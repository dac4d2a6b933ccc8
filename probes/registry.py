"""Tasks by name: the entry-point group ``probes.tasks``.

A task plug-in is a dataclass of options with a method ``load() -> Sequence[Task]``, registered in
that group. The built-in tasks are registered there too, and found as anyone's are.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Sequence
from typing import Any, Protocol

from probes.errors import InputError, unknown
from probes.task import Task

GROUP = "probes.tasks"


class TaskOptions(Protocol):
    """What an entry point of the group ``probes.tasks`` names: a dataclass with this method."""

    def load(self) -> Sequence[Task]:
        """Read the data; one task for each labelling asked for, all over one corpus."""
        ...


def find_tasks() -> dict[str, importlib.metadata.EntryPoint]:
    """List the registered tasks without importing any of them.

    Returns
    -------
    dict of str to importlib.metadata.EntryPoint
        By name, sorted.

    Raises
    ------
    InputError
        If two distributions claim one name. The message names both.
    """
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for entry in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda e: e.name):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise InputError(
                f"the task name {entry.name!r} is claimed twice: by {other.value} "
                f"({_distribution(other)}) and by {entry.value} ({_distribution(entry)}); "
                "uninstall one of them"
            )
    return found


def task_options(name: str) -> type[TaskOptions]:
    """Import the options of one task.

    Parameters
    ----------
    name : str
        As `find_tasks` lists it.

    Returns
    -------
    type
        A dataclass with a method ``load``.

    Raises
    ------
    InputError
        If the name is unknown, or its plug-in does not import or is no such dataclass.
    """
    tasks = find_tasks()
    if name not in tasks:
        raise unknown("task", name, tasks)
    where = f"the task {name!r} ({tasks[name].value}, of {_distribution(tasks[name])})"
    try:
        options = tasks[name].load()
    except Exception as error:  # whatever the code of another package does when it is imported
        raise InputError(
            f"{where} does not import: {type(error).__name__}: {error}; "
            "reinstall or mend its package"
        ) from error
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise InputError(f"{where} is no dataclass of options; mend its package")
    if not callable(getattr(options, "load", None)):
        raise InputError(f"{where} has no method load; mend its package")
    if any(field.name == "name" for field in dataclasses.fields(options)):
        raise InputError(f"{where} has an option `name`, which is taken; rename it in its package")
    found: type[Any] = options
    return found


def task_name(options: Any) -> str | None:
    """Find the name under which the class of some options is registered.

    Parameters
    ----------
    options : object
        Such as an instance of what `task_options` gives; its own ``name``, if it has one, counts.

    Returns
    -------
    str or None
        None where no task has that class.
    """
    own = getattr(options, "name", None)
    if own is not None:
        return str(own)
    value = f"{type(options).__module__}:{type(options).__qualname__}"
    return next((name for name, entry in find_tasks().items() if entry.value == value), None)


def load_tasks(name: str, **options: Any) -> Sequence[Task]:
    """Load a registered task, one `Task` a labelling.

    Parameters
    ----------
    name : str
        As `find_tasks` lists it.
    **options
        The fields of its options.

    Returns
    -------
    sequence of Task
        All over one corpus.

    Raises
    ------
    InputError
        If the name or an option is unknown, or the data cannot be used.
    """
    cls = task_options(name)
    known = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for option in options:
        if option not in known:
            raise unknown(f"option of task {name!r}", option, known)
    return cls(**options).load()


def load_task(name: str, **options: Any) -> Task:
    """Load a registered task that has one labelling.

    Parameters
    ----------
    name : str
        As `find_tasks` lists it.
    **options
        The fields of its options.

    Returns
    -------
    Task
        The only one.

    Raises
    ------
    InputError
        As `load_tasks`; also if the options ask for several labellings.
    """
    tasks = load_tasks(name, **options)
    if len(tasks) != 1:
        names = ", ".join(task.labelling for task in tasks)
        raise InputError(f"task {name!r} gave {len(tasks)} labellings ({names}); ask for one")
    return tasks[0]


def _distribution(entry: importlib.metadata.EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "unknown distribution"
