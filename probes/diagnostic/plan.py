"""What a command asks of the tasks that a run loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from probes.diagnostic.questions import Ints
from probes.task import Task


def no_clues(task: Task) -> Mapping[str, Ints]:
    """Give a labelling no baseline beside the usual ones."""
    return {}


@dataclass(frozen=True)
class Plan:
    """What a command asks of the tasks that a run loads.

    Parameters
    ----------
    command : str
        As a user writes it.
    ask : callable
        From the tasks that were loaded to those that are asked.
    clues : callable
        From a task to further baselines: by name, a code for each unit, of which the baseline
        answers the commonest training class.
    constant : bool
        Whether a labelling of one class is asked (and answered, without a fit), or refused.
    """

    command: str = "probes probe"
    ask: Callable[[Sequence[Task]], Sequence[Task]] = tuple
    clues: Callable[[Task], Mapping[str, Ints]] = no_clues
    constant: bool = False
