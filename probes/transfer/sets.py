"""The sets that a classifier is asked, in distribution and out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from probes.errors import InputError
from probes.task import Task
from probes.transfer.examples import LabelledItems, labelled, shifted

if TYPE_CHECKING:
    from probes.transfer.classifier import Predictions

Among = Literal["all", "own"]
"""Of all classes, or of those that a set has."""

NEVER = -1e9
"""A logit of no probability; unlike that of infinity, a share of it is another such."""


@dataclass(frozen=True, eq=False)
class EvaluationSet:
    """Items that a classifier is asked about.

    Parameters
    ----------
    name : str
        ``"dev"``, ``"test"``, or ``"ood/…"``.
    items : LabelledItems
        They.
    group_kind : str
        What is resampled: ``"sentence"``, ``"document"``, ``"image"``, …
    barred : tuple of int
        Numbers of the classes that may not be answered here.
    """

    name: str
    items: LabelledItems
    group_kind: str
    barred: tuple[int, ...] = ()

    def allowed(self, found: Predictions) -> Predictions:
        """Leave only answers that may be given: the others' logits are `NEVER`."""
        if not self.barred:
            return found
        logits = found.logits.copy()
        logits[:, list(self.barred)] = NEVER
        return replace(found, logits=logits)


def notes_of_sets(sets: Sequence[EvaluationSet], classes: Sequence[str]) -> list[str]:
    """Say which sets are asked among some of the classes alone."""
    return [
        f"{part.name.removeprefix('ood/')}: asked among its {len(classes) - len(part.barred):,} of "
        f"{len(classes):,} classes"
        for part in sets
        if part.barred
    ]


def evaluation_sets(
    task: Task, shifts: Mapping[str, Task], classes: Sequence[str], among: Among = "all"
) -> list[EvaluationSet]:
    """Lay out what is asked: dev and test of the task, and the test of each shift.

    Parameters
    ----------
    task : Task
        In distribution.
    shifts : mapping of str to Task
        Out of distribution, by name.
    classes : sequence of str
        In the classifier's order.
    among : {"all", "own"}
        What may be answered out of distribution: every class, or those that the set has.

    Returns
    -------
    list of EvaluationSet
        In that order.

    Raises
    ------
    InputError
        If a set is empty, or a shift has other classes.
    """
    sets = [
        EvaluationSet(split, labelled(task, split, classes), task.group_kind)
        for split in ("dev", "test")
    ]
    for name, other in shifts.items():
        items = shifted(other, classes)
        lacking = sorted({*range(len(classes))} - set(items.labels.tolist()))
        barred = tuple(lacking) if among == "own" else ()
        if len(classes) - len(barred) < 2:
            raise InputError(
                f"out of distribution, {name!r} has one class alone, so that among its own every "
                "answer is right; ask it among all"
            )
        sets.append(EvaluationSet(f"ood/{name}", items, other.group_kind, barred))
    return sets
