"""Every answer as a table, one row an item, set and run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.transfer.classifier import Predictions
from probes.transfer.evaluate import Answered
from probes.transfer.sets import EvaluationSet

PREDICTIONS = (
    *("method", "seed", "set", "item", "name", "group"),
    *("gold", "predicted", "log_probability", "logits"),
)


def prediction_columns(
    answered: Sequence[Answered], sets: Sequence[EvaluationSet], classes: Sequence[str]
) -> dict[str, list[Any]]:
    """Lay out every answer, one row an item, set and run.

    Parameters
    ----------
    answered : sequence of Answered
        Of each method.
    sets : sequence of EvaluationSet
        What was asked.
    classes : sequence of str
        In the classifier's order.

    Returns
    -------
    dict of str to list
        The columns `PREDICTIONS`: item is its number in the set; gold and predicted are class
        names, gold empty for a class that the classifier does not have; log_probability (natural
        logarithm) is of the gold class; logits one a class.
    """
    columns: dict[str, list[Any]] = {name: [] for name in PREDICTIONS}
    names = np.array([*classes, None], dtype=object)  # -1 takes the last
    for method in answered:
        for run, found in method.runs.items():
            for part in sets:
                n, gold = len(part.items), part.items.labels
                predictions = found[part.name]
                logs = _gold_log_probabilities(predictions, gold)
                columns["method"] += [method.method] * n
                columns["seed"] += [run] * n
                columns["set"] += [part.name] * n
                columns["item"] += range(n)
                columns["name"] += part.items.names
                columns["group"] += part.items.groups.tolist()
                columns["gold"] += names[gold].tolist()
                columns["predicted"] += names[predictions.codes].tolist()
                columns["log_probability"] += logs
                columns["logits"] += predictions.logits.tolist()
    return columns


def _gold_log_probabilities(
    predictions: Predictions, gold: npt.NDArray[np.int64]
) -> list[float | None]:
    logs = predictions.log_probabilities
    return [float(logs[k, g]) if g >= 0 else None for k, g in enumerate(gold.tolist())]
