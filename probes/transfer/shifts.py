"""What a run is asked in distribution, and out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from probes.configs import fill, plain
from probes.errors import InputError
from probes.registry import task_name, task_options
from probes.task import Split, Task

CUTTING = ("seed", "split", "group", "group_of_name", "classes")
"""Options that decide which items are cut from train."""

OF_DATA = ("dev", "test", "config", "split", "classes")
"""Options that tell of one source of data, and not of another."""


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
        alone (``as_test``), and inherit none of the options `OF_DATA`. A ``title`` is what the set
        is called.

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
        title = values.pop("title", text.strip().removeprefix("{").removesuffix("}"))
        if not str(title).strip():
            raise InputError(f"--ood {text!r}: its title is empty; give a name, or leave it out")
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
        notes = [*other.notes, *_known_from(task, other)]
        found += [f"{name}: {note}" for note in notes]
    return found


def _known_from(task: Task, other: Task) -> list[str]:
    """Say how many items of another test set are items of train or dev."""
    train = _contents(task, "train")
    if _contents(other, "train") == train:  # it has counted for itself
        return []
    test, said = _contents(other, "test"), []
    for split, known in (("train", train), ("dev", _contents(task, "dev"))):
        if n := sum(item in set(known) for item in test):
            said.append(f"{n:,} of {len(test):,} items also stand in {split}")
    if task.seconds is not None and other.seconds is not None:
        said += _known_texts(task, other)
    return said


def _known_texts(task: Task, other: Task) -> list[str]:
    """Say of how many pairs a text stands in a pair of train, in either place."""
    assert task.seconds is not None and other.seconds is not None
    learnt = _rows(task, "train")
    known = {side[k].casefold() for side in (task.texts, task.seconds) for k in learnt}
    said = []
    for called, side in (("first", other.texts), ("second", other.seconds)):
        asked = _rows(other, "test")
        if n := sum(side[k].casefold() in known for k in asked):
            said.append(
                f"of {n:,} of {len(asked):,} pairs the {called} text also stands in a pair of train"
            )
    return said


def _rows(task: Task, split: Split) -> list[int]:
    rows: list[int] = task.text_index[(task.splits == split) & task.asked].tolist()
    return rows


def _contents(task: Task, split: Split) -> list[str]:
    rows = _rows(task, split)
    if task.images is not None:
        digests = task.images.originals.digests
        return [digests[k] for k in rows]
    if task.seconds is not None:
        return [f"{task.texts[k]}\0{task.seconds[k]}".casefold() for k in rows]
    return [task.texts[k].casefold() for k in rows]


def _mapping(text: str) -> dict[str, Any]:
    bare = text.strip()
    try:
        values = yaml.safe_load(bare if bare.startswith("{") or "\n" in bare else "{" + bare + "}")
    except yaml.YAMLError as error:
        raise InputError(f"--ood {text!r} is no YAML ({' '.join(str(error).split())})") from None
    unsaid = (
        [key for key, value in values.items() if value is None and f"{key}:" not in bare]
        if (isinstance(values, dict))
        else [bare]
    )
    if unsaid or not values:
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
    cutting = [key for key in CUTTING if key in values]
    if base and cutting and not {"path", "test"} & set(values):
        raise InputError(
            f"--ood {text!r}: another {cutting[0]} cuts the same data into other splits, so that "
            "training items would be asked; leave it out, or name other data"
        )
    known = task_options(name)
    if "path" in values and "test" not in values and hasattr(known, "as_test"):
        values = {"as_test": True, **values}
        base = {key: value for key, value in base.items() if key not in OF_DATA}
    return fill(known, {**base, **values}, f"--ood {text!r}")
