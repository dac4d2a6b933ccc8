"""The items of a task's splits, with labels as the classifier numbers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.task import Split, Task

UNITS = ("sentence", "sentence-pair", "image")
"""Units that are whole items: a classifier answers once for each."""


@dataclass(frozen=True, eq=False)
class LabelledItems:
    """Items and their classes.

    Parameters
    ----------
    items : sequence
        Texts, pairs of texts (tuples), or images, which may be decoded when they are asked for.
    labels : ndarray of shape (n,), int64
        Number of each item's class; -1 for a class that the classifier does not have.
    groups : ndarray of shape (n,), str
        What must not be counted as independent.
    names : list of str
        What a table calls each item: the text, both texts with a slash between, or the image's
        name.
    title : str
        What a table calls them all.
    """

    items: Sequence[Any]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    names: list[str]
    title: str

    def __len__(self) -> int:
        return len(self.labels)


def class_names(task: Task) -> tuple[str, ...]:
    """List the classes of a task's training split, sorted.

    Raises
    ------
    InputError
        If its units are no whole items, its labels no classes, or there are fewer than two.
    """
    where = f"the task {task.title or task.name!r}, labelling {task.labelling!r}"
    if task.unit not in UNITS:
        raise InputError(
            f"{where} labels {task.unit}s; a classifier is trained on whole items: give a task "
            f"whose unit is {', '.join(UNITS[:-1])} or {UNITS[-1]}"
        )
    if task.kind != "class":
        raise InputError(f"{where} has real values; a classifier needs classes")
    labels = task.labels[(task.splits == "train") & task.asked]
    found = tuple(sorted(set(labels.tolist())))
    if len(found) < 2:
        raise InputError(
            f"{where}: the training split has {len(found)} classes "
            f"({', '.join(found) or 'none'}); give two or more"
        )
    return found


def require_classes(classes: Sequence[str], task: Task) -> tuple[str, ...]:
    """Refuse a task to train on whose classes are not a classifier's, in its order."""
    found = class_names(task)
    if found != tuple(classes):
        raise InputError(
            f"the classifier's classes are {', '.join(classes)}, the task's {', '.join(found)}; "
            "make the classifier with `class_names(task)`"
        )
    return found


def labelled(task: Task, split: Split, classes: Sequence[str]) -> LabelledItems:
    """Take the labelled items of a split.

    Parameters
    ----------
    task : Task
        Over sentences, pairs of them, or images.
    split : {"train", "dev", "test"}
        Which.
    classes : sequence of str
        In the classifier's order.

    Returns
    -------
    LabelledItems
    --------
        In the task's order. An item of a class that is not there is -1: no answer is right.

    Raises
    ------
    InputError
        If the split has no labelled item, or none of a class that is there.
    """
    rows = np.flatnonzero((task.splits == split) & task.asked)
    title = task.title or task.name
    if not len(rows):
        raise InputError(f"{title}: the {split} split has no labelled item; give one that has")
    number = {name: k for k, name in enumerate(classes)}
    labels = np.array([number.get(label, -1) for label in task.labels[rows]], dtype=np.int64)
    if (labels < 0).all():
        there = sorted(set(task.labels[rows].tolist()))
        raise InputError(
            f"{title}: no label of the {split} split is a class of the classifier; it has "
            f"{', '.join(classes)}, the labels are {', '.join(there)}; call them by the same names "
            "(option classes: car=automobile)"
        )
    surfaces = task.surfaces
    names = [surfaces[row] for row in rows]
    return LabelledItems(_items(task, rows, names), labels, task.groups[rows], names, title)


def shifted(task: Task, classes: Sequence[str]) -> LabelledItems:
    """Take the test items of a task that is out of distribution.

    Parameters
    ----------
    task : Task
        Whose test split is asked; it may have no other.
    classes : sequence of str
        In the classifier's order.

    Returns
    -------
    LabelledItems
    --------
        All of classes that are there.

    Raises
    ------
    InputError
        As `labelled`; also if a label is no class of the classifier: another name for the same
        thing would count as wrong.
    """
    found = labelled(task, "test", classes)
    if (found.labels < 0).any():
        rows = (task.splits == "test") & task.asked
        strange = sorted(set(task.labels[rows].tolist()) - set(classes))
        raise InputError(
            f"{found.title}: the labels {', '.join(strange)} are no classes of the classifier, "
            f"which has {', '.join(classes)}; call them by the same "
            "names, or leave them out (option classes: car=automobile)"
        )
    return found


def _items(task: Any, rows: npt.NDArray[np.int64], names: list[str]) -> Sequence[Any]:
    if task.unit == "sentence":
        return names
    if task.seconds is not None:
        return [(task.texts[row], task.seconds[row]) for row in task.text_index[rows]]
    pictures: Sequence[Any] = task.images.at(task.text_index[rows])
    return pictures
