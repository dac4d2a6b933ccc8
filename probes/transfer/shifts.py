"""What a run is asked in distribution, and out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from probes.configs import fill, plain
from probes.errors import InputError
from probes.registry import task_name, task_options
from probes.task import Split, Task


def load_shifts(options: Any, ood: Sequence[str]) -> tuple[Task, dict[str, Task]]:
    """Load a task and its test sets out of distribution.

    Parameters
    ----------
    options : dataclass
        Of the task. Tasks that it gives beside the first
        of the same labelling are shifts: their test split is asked.
    ood : sequence of str
        YAML mappings, the braces may be left out: options over those of the task. With ``name``,
        another task, and nothing of the first one's options. Data of another ``path`` are asked
        alone (``as_test``). A ``title`` is what the set is called.

    Returns
    -------
    task : Task
        In distribution.
    shifts : dict of str to Task
        By name: the title of a task that came along; of the others the ``title`` in the mapping, or
        the mapping as it was given.

    Raises
    ------
    InputError
        If a mapping is none, an option is unknown, several labellings were asked for, or a shift's
        units are not of the task's kind.
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
        values = _mapping(text)
        title = values.pop("title", None) or text.strip().removeprefix("{").removesuffix("}")
        found = _over(options, text, values).load()
        if len(found) != 1:
            raise InputError(f"--ood {text!r} gives {len(found)} tasks; ask for one")
        shifts[" ".join(str(title).split())] = found[0]
    if len(shifts) < len(more) + len(ood):
        raise InputError(f"two sets out of distribution have one name; there are {[*shifts]}")
    for name, other in shifts.items():
        if other.unit != task.unit:
            raise InputError(
                f"the task is of {task.unit}s, and out of distribution {name!r} is of "
                f"{other.unit}s; a classifier reads one kind: give the same"
            )
    return task, shifts


def notes_of(task: Task, shifts: Mapping[str, Task]) -> list[str]:
    """Gather what a reader must know of the data, those out of distribution named."""
    found = list(task.notes)
    for name, other in shifts.items():
        notes = [*other.notes]
        if "train" not in other.splits:  # else it has counted for itself
            notes += _known_from(task, other)
        found += [f"{name}: {note}" for note in notes]
    return found


def _known_from(task: Task, other: Task) -> list[str]:
    """Say how many items of another test set are training items."""
    train, test = _contents(task, "train"), _contents(other, "test")
    n = sum(item in set(train) for item in test) if task.unit == other.unit else 0
    return [f"{n:,} of {len(test):,} items also stand in train"] if n else []


def _contents(task: Task, split: Split) -> list[str]:
    rows = task.text_index[(task.splits == split) & task.asked]
    if task.images is not None:
        return [task.images.digests[k] for k in rows]
    if task.seconds is not None:
        return [f"{task.texts[k]}\0{task.seconds[k]}".casefold() for k in rows]
    return [task.texts[k].casefold() for k in rows]


def _mapping(text: str) -> dict[str, Any]:
    bare = text.strip()
    try:
        values = yaml.safe_load(bare if bare.startswith("{") or "\n" in bare else "{" + bare + "}")
    except yaml.YAMLError as error:
        raise InputError(f"--ood {text!r} is no YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict) or not values or None in values.values():
        raise InputError(
            f"--ood {text!r}: expected options of the task that differ, such as 'path: other.csv'"
        )
    return {str(key).replace("-", "_"): value for key, value in values.items()}


def _over(options: Any, text: str, values: dict[str, Any]) -> Any:
    own, own_name = plain(options), task_name(options)
    name = values.pop("name", None) or own_name
    if name is None:
        raise InputError(f"--ood {text!r} does not say of which task; add its name")
    own.pop("name", None)
    base = own if name == own_name else {}
    if base and "seed" in values and not {"path", "test"} & set(values):
        raise InputError(
            f"--ood {text!r}: another seed cuts the same data into other splits, so that training "
            "items would be asked; leave it out, or name other data"
        )
    known = task_options(name)
    if "path" in values and "test" not in values and hasattr(known, "as_test"):
        values = {"as_test": True, **values}
        base = {key: value for key, value in base.items() if key not in ("dev", "test")}
    return fill(known, {**base, **values}, f"--ood {text!r}")
