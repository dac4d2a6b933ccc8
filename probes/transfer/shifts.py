"""What a run is asked in distribution, and out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from probes.configs import fill, plain
from probes.errors import InputError
from probes.registry import task_options
from probes.task import Task


def load_shifts(options: Any, ood: Sequence[str]) -> tuple[Task, dict[str, Task]]:
    """Load a task and its test sets out of distribution.

    Parameters
    ----------
    options : dataclass
        Of the task, with its ``name`` where `ood` leans on it. Tasks that it gives beside the first
        of the same labelling are shifts: their test split is asked.
    ood : sequence of str
        YAML mappings, the braces may be left out: options over those of the task. With ``name``,
        another task, and nothing of the first one's options.

    Returns
    -------
    task : Task
        In distribution.
    shifts : dict of str to Task
        By name: the title of a task that came along, or the mapping as it was given.

    Raises
    ------
    InputError
        If a mapping is none, an option is unknown, or several labellings were asked for.
    """
    task, *more = options.load()
    shifts: dict[str, Task] = {}
    for other in more:
        if other.labelling != task.labelling:
            raise InputError(
                f"the task gives several labellings ({task.labelling}, {other.labelling}); a "
                "classifier learns one: ask for one"
            )
        shifts[other.title or other.labelling] = other
    for text in ood:
        found = _over(options, text).load()
        if len(found) != 1:
            raise InputError(f"--ood {text!r} gives {len(found)} tasks; ask for one")
        shifts[text.strip().removeprefix("{").removesuffix("}").strip()] = found[0]
    if len(shifts) < len(more) + len(ood):
        raise InputError(f"two sets out of distribution have one name; there are {[*shifts]}")
    return task, shifts


def notes_of(task: Task, shifts: Mapping[str, Task]) -> list[str]:
    """Gather what a reader must know of the data, those out of distribution named."""
    found = [f"{name}: {note}" for name, other in shifts.items() for note in other.notes]
    return [*task.notes, *found]


def _over(options: Any, text: str) -> Any:
    bare = text.strip()
    try:
        values = yaml.safe_load(bare if bare.startswith("{") else "{" + bare + "}")
    except yaml.YAMLError as error:
        raise InputError(f"--ood {text!r} is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict) or not values or None in values.values():
        raise InputError(
            f"--ood {text!r}: expected options of the task that differ, such as 'path: other.csv'"
        )
    own = plain(options)
    name = values.pop("name", None) or own.pop("name", None)
    if name is None:
        raise InputError(f"--ood {text!r} does not say of which task; add its name")
    own.pop("name", None)
    base = own if name == getattr(options, "name", None) else {}
    if base and "seed" in values and not {"path", "test"} & set(values):
        raise InputError(
            f"--ood {text!r}: another seed cuts the same data into other splits, so that training "
            "items would be asked; leave it out, or name other data"
        )
    over = {str(key).replace("-", "_"): value for key, value in values.items()}
    return fill(task_options(name), {**base, **over}, f"--ood {text!r}")
