"""What training changed: how far features moved, and where the head went."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from probes.results import Row
from probes.task import Task
from probes.transfer.classifier import BATCH, Classifier
from probes.transfer.distortion import feature_norm, feature_shift, head_norm, split_change
from probes.transfer.evaluate import Answered, run_rows
from probes.transfer.examples import LabelledItems, labelled
from probes.transfer.passes import features_of
from probes.transfer.processes import Processes
from probes.transfer.sets import EvaluationSet

Features = dict[str, npt.NDArray[np.float32]]
"""By set."""


@dataclass(frozen=True)
class Changes:
    """How a classifier differs from the one with which training began.

    Parameters
    ----------
    shift : dict of str to float
        By set, how far features moved: `probes.transfer.distortion.feature_shift`.
    norm : dict of str to float
        By set, how long features were before.
    head_norm : float
        Of the head, after.
    within, across : float
        Norms of the head's change in the row space of the training features (before training), and
        across it, which no training item sees.
    rank : int
        Dimension of that space; where it is the features' width, nothing lies across.
    """

    shift: dict[str, float]
    norm: dict[str, float]
    head_norm: float
    within: float
    across: float
    rank: int

    def text(self) -> str:
        """Give it as JSON."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def of(cls, text: str) -> Changes:
        """Read what `text` gave."""
        return cls(**json.loads(text))


class Before:
    """The features with which training begins; each is computed when it is first asked for.

    Parameters
    ----------
    start : Classifier
        Whose features they are.
    task : Task
        That is learnt.
    sets : sequence of EvaluationSet
        What is asked.
    processes : Processes
        Those that compute; all of them ask alike.
    """

    def __init__(
        self,
        start: Classifier,
        task: Task,
        sets: Sequence[EvaluationSet],
        processes: Processes,
    ) -> None:
        self._start, self._task, self._sets, self._processes = start, task, sets, processes

    def changes(self, start: Classifier, after: Classifier, features: Features) -> Changes:
        """Measure what changed.

        Parameters
        ----------
        start, after : Classifier
            The one with which training began, of the same features as this, and the trained one.
        features : dict of str to ndarray
            Of `after`, by set.

        Returns
        -------
        Changes
            From the one to the other.
        """
        before, now = (one.head.weight.detach().cpu().numpy() for one in (start, after))
        split = split_change(before, now, self.train[0].cpu().numpy())
        known = {name: X.cpu().numpy() for name, (X, _) in self.of_sets.items()}
        return Changes(
            shift={name: feature_shift(X, features[name]) for name, X in known.items()},
            norm={name: feature_norm(X) for name, X in known.items()},
            head_norm=head_norm(now),
            within=split.within_norm,
            across=split.across_norm,
            rank=split.rank,
        )

    @cached_property
    def of_sets(self) -> dict[str, tuple[Tensor, int]]:
        """By set, the features, shape (n, width), and how many items were cut."""
        return {part.name: self._features(part.items) for part in self._sets}

    @cached_property
    def train(self) -> tuple[Tensor, int]:
        """The same of the training items."""
        return self._features(labelled(self._task, "train", self._start.classes))

    def _features(self, items: LabelledItems) -> tuple[Tensor, int]:
        self._start.to(self._processes.device)
        return features_of(self._start, items, BATCH, self._processes)


def change_rows(
    answered: Answered,
    changes: Mapping[int, Changes],
    sets: Sequence[EvaluationSet],
    fixed: Mapping[str, Any],
) -> Iterator[Row]:
    """Make rows of what training changed: of each run, and of the mean over runs.

    Parameters
    ----------
    answered : Answered
        The method.
    changes : mapping of int to Changes
        By seed.
    sets, fixed
        As of `probes.transfer.evaluate.rows_of`.

    Yields
    ------
    Row
        Of each set ``feature-shift`` and ``feature-norm``; of the split ``train`` ``head-norm``,
        ``head-change-within``, ``head-change-across`` and ``row-space-rank``.
    """
    for part in sets:
        for metric, name in (("feature-shift", "shift"), ("feature-norm", "norm")):
            values = {run: getattr(one, name)[part.name] for run, one in changes.items()}
            yield from run_rows(answered, part.name, metric, values, len(part.items), fixed)
    for metric, name in (
        ("head-norm", "head_norm"),
        ("head-change-within", "within"),
        ("head-change-across", "across"),
        ("row-space-rank", "rank"),
    ):
        values = {run: float(getattr(one, name)) for run, one in changes.items()}
        yield from run_rows(answered, "train", metric, values, 0, fixed)
