"""What was answered, unit by unit, for a reader's own mixed models."""

from __future__ import annotations

from typing import Any

import numpy as np

from probes.diagnostic.layers import LayerReport
from probes.diagnostic.questions import Ints

PREDICTIONS = (
    "task",
    "item",
    "text",
    "sentence",
    "group",
    "split",
    "layer",
    "gold",
    "predicted",
    "gold_value",
    "predicted_value",
    "log_probability",
)


def prediction_columns(report: LayerReport, texts: bool = True) -> dict[str, list[Any]]:
    """Lay out what was answered on test, one row a unit and layer.

    Parameters
    ----------
    report : LayerReport
        Of `probe_layers`.
    texts : bool
        Whether to carry the text of each unit along.

    Returns
    -------
    dict of str to list
        Columns task, item (number of the unit in the corpus), text, sentence (its number), group,
        split, layer, gold, predicted, gold_value, predicted_value (the first pair for classes, the
        second for real values), log_probability (natural logarithm, of the gold class).
    """
    q = report.questions
    test: Ints = q.rows["test"]
    surfaces = q.task.surfaces if texts else [""] * q.task.n_units
    names = np.asarray(q.classes, dtype=object)
    columns: dict[str, list[Any]] = {name: [] for name in PREDICTIONS}
    for layer, answer in report.answers.items():
        n = len(test)
        predicted, gold = answer.predicted["test"], q.gold[test]
        columns["task"] += [q.name] * n
        columns["item"] += test.tolist()
        columns["text"] += [surfaces[unit] for unit in test]
        columns["sentence"] += q.task.text_index[test].tolist()
        columns["group"] += q.task.groups[test].tolist()
        columns["split"] += ["test"] * n
        columns["layer"] += [layer] * n
        columns["gold"] += [None] * n if q.is_real else names[gold].tolist()
        columns["predicted"] += [None] * n if q.is_real else names[predicted].tolist()
        columns["gold_value"] += gold.tolist() if q.is_real else [None] * n
        columns["predicted_value"] += predicted.tolist() if q.is_real else [None] * n
        logs = answer.log_probability
        columns["log_probability"] += [None if np.isnan(v) else float(v) for v in logs]
    return columns
