"""What a probe is asked: which units have a label and a vector, coded for the solvers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.choices import Unseen
from probes.errors import InputError
from probes.task import SPLITS, Split, Task

Ints = npt.NDArray[np.int64]
MOST_NAMED = 3  # classes in a message; the page names more


@dataclass(frozen=True, eq=False)
class Questions:
    """A task's labelling, coded.

    Parameters
    ----------
    task : Task
        Whose labelling it is.
    classes : tuple of str
        The classes of the training split in sorted order, then those that it lacks; empty for
        real values.
    n_known : int
        Number of classes of the training split.
    gold : ndarray of shape (n_units,)
        Class codes (int64; -1 where none is asked), or values (float64; NaN likewise).
    rows : dict of Split to ndarray of int64
        Units that are answered: labelled, with a vector, and not left out.
    n_asked, n_lost : dict of Split to int
        Units with a label, and those of them that are not answered.
    why_lost : dict of Split to dict of str to int
        How many of the lost for which reason.
    types : ndarray of shape (n_units,), int64
        The surface form of each unit, coded.
    known_types : ndarray of shape (n_units,), bool
        Whether the form occurs in the training split.
    unseen : dict of Split to dict of str to int
        Classes that the training split lacks, and how often they are asked about.
    warnings : tuple of str
        What a reader must be told.
    """

    task: Task
    classes: tuple[str, ...]
    n_known: int
    gold: npt.NDArray[Any]
    rows: dict[Split, Ints]
    n_asked: dict[Split, int]
    n_lost: dict[Split, int]
    why_lost: dict[Split, dict[str, int]]
    types: Ints
    known_types: npt.NDArray[np.bool_]
    unseen: dict[Split, dict[str, int]]
    warnings: tuple[str, ...]

    @property
    def is_real(self) -> bool:
        """Whether the labels are real values."""
        return self.task.kind == "real"

    @property
    def is_constant(self) -> bool:
        """Whether the training split has one class, so that there is nothing to read."""
        return self.n_known == 1

    @property
    def is_first(self) -> npt.NDArray[np.bool_]:
        """Whether a unit is the first of its text, shape (n_units,)."""
        first: npt.NDArray[np.bool_] = np.diff(self.task.text_index, prepend=-1) > 0
        return first

    @property
    def name(self) -> str:
        """``task/labelling``."""
        return f"{self.task.name}/{self.task.labelling}"


def ask(
    task: Task, lost: Ints, unseen: Unseen, cut: Ints | None = None, *, constant: bool = False
) -> Questions:
    """Code a task's labelling, and set aside what cannot be answered.

    Parameters
    ----------
    task : Task
        With at least two classes, or two values, in its training split, unless `constant`.
    lost : ndarray of int64
        Units that have no vector.
    unseen : {"wrong", "error", "drop"}
        What to do with units whose class the training split lacks.
    cut : ndarray of int64, optional
        Units of which truncation took sub-tokens: the reason why those of them that are lost are.
    constant : bool
        Whether one class in the training split is enough: every answer is that class then.

    Returns
    -------
    Questions
        Counts included.

    Raises
    ------
    InputError
        If the training labelling is constant and must not be, a split has no answered unit, or a
        class is unseen and ``unseen="error"``.
    """
    asked = task.asked
    answered = asked.copy()
    answered[lost] = False
    train = answered & (task.splits == "train")
    where = f"{task.name}/{task.labelling}"
    _require_variety(task, train, where, constant and task.kind == "class")
    surfaces = np.asarray(task.surfaces, dtype=np.str_)
    _, types = np.unique(surfaces, return_inverse=True)
    known_types = np.isin(types, types[train])
    known: list[str] = []
    strange: list[str] = []
    missing: dict[Split, dict[str, int]] = {}
    if task.kind == "real":
        gold: npt.NDArray[Any] = task.labels
    else:
        known = sorted(set(task.labels[train]))
        strange = sorted(set(task.labels[answered]) - set(known))
        codes = {label: k for k, label in enumerate([*known, *strange])}
        gold = np.array([codes.get(label, -1) for label in task.labels], dtype=np.int64)
        missing = _missing(task, answered, set(strange))
        if missing and unseen == "error":
            raise InputError(
                f"{where}: {_listed(missing)} not in the training split; add training data, or "
                "choose --unseen wrong or --unseen drop"
            )
        if unseen == "drop":
            answered &= gold < len(known)
    rows: dict[Split, Ints] = {
        split: np.flatnonzero(answered & (task.splits == split)) for split in SPLITS
    }
    for split, units in rows.items():
        if not len(units):
            raise InputError(f"{where}: no unit of the {split} split can be answered")
    reasons = np.full(task.n_units, "unseen class", dtype=object)
    reasons[lost] = "no sub-token"
    if cut is not None:
        reasons[np.intersect1d(lost, cut)] = "truncated"
    gone = {s: asked & ~answered & (task.splits == s) for s in SPLITS}
    n_asked: dict[Split, int] = {s: int((asked & (task.splits == s)).sum()) for s in SPLITS}
    return Questions(
        task=task,
        classes=(*known, *strange),
        n_known=len(known),
        gold=gold,
        rows=rows,
        n_asked=n_asked,
        n_lost={s: int(gone[s].sum()) for s in SPLITS},
        why_lost={s: dict(sorted(Counter(reasons[gone[s]]).items())) for s in SPLITS},
        types=types.astype(np.int64),
        known_types=known_types,
        unseen=missing,
        warnings=(*_constancy(known), *_warnings(missing, unseen)),
    )


def _require_variety(task: Task, train: npt.NDArray[np.bool_], where: str, constant: bool) -> None:
    values = list(task.labels[train])
    if not values:
        raise InputError(f"{where}: no unit of the training split has a label and a vector")
    if len(set(values)) == 1 and not constant:
        raise InputError(
            f"{where}: the labelling is constant: all {len(values)} units of the training split "
            f"are {values[0]!r}; a probe needs at least two classes"
        )


def _missing(
    task: Task, answered: npt.NDArray[np.bool_], strange: set[str]
) -> dict[Split, dict[str, int]]:
    found: dict[Split, dict[str, int]] = {}
    for split in SPLITS[1:]:
        labels = task.labels[answered & (task.splits == split)]
        counts = {label: int((labels == label).sum()) for label in sorted(strange)}
        counts = {label: n for label, n in counts.items() if n}
        if counts:
            found[split] = counts
    return found


def _constancy(known: Sequence[str]) -> tuple[str, ...]:
    if len(known) != 1:
        return ()
    return (
        f"constant: every unit of the training split is {known[0]!r}, so there is nothing to read, "
        "and no accuracy says anything of a layer",
    )


def _listed(missing: dict[Split, dict[str, int]]) -> str:
    """Name the commonest, each with its counts, and count the others."""
    where: dict[str, dict[Split, int]] = {}
    for split, counts in missing.items():
        for label, n in counts.items():
            where.setdefault(label, {})[split] = n
    named = sorted(where, key=lambda label: -sum(where[label].values()))[:MOST_NAMED]
    parts = [
        f"{label!r} ({', '.join(f'{n:,} in {split}' for split, n in where[label].items())})"
        for label in named
    ]
    more = f", and {len(where) - MOST_NAMED:,} more" if len(where) > MOST_NAMED else ""
    return ", ".join(parts) + more


def _warnings(missing: dict[Split, dict[str, int]], unseen: Unseen) -> tuple[str, ...]:
    if not missing:
        return ()
    fate = "left out" if unseen == "drop" else "counted as wrong"
    n = len(set().union(*missing.values()))
    classes = "class" if n == 1 else "classes"
    return (f"{n:,} {classes} that the training split lacks, {fate}: {_listed(missing)}",)
