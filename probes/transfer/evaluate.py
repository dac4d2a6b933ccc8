"""What classifiers get right, in and out of distribution, and how sure that is.

Two things vary: the items that were drawn, and the runs (the seed of the head, of the order of the
items, of dropout). Tables of fine-tuning mostly show the second, as a 90 % interval over runs; the
first is what a reader who thinks of other texts wants, and is seldom the smaller. Both stand here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.metrics import Metric, measure
from probes.results import Row
from probes.stats import Interval, interval, interval_of
from probes.task import Task
from probes.transfer.classifier import BATCH, Classifier, Predictions
from probes.transfer.examples import LabelledItems, labelled, shifted
from probes.transfer.passes import features_of
from probes.transfer.processes import Processes

RUNS_LEVEL = 0.9
"""Of intervals over runs, as in the tables of Kumar et al. (2022)."""

ITEMS_LEVEL = 0.95
"""Of intervals over items, as everywhere else here."""


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
    """

    name: str
    items: LabelledItems
    group_kind: str


def evaluation_sets(
    task: Task, shifts: Mapping[str, Task], classes: Sequence[str]
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
    return sets + [
        EvaluationSet(f"ood/{name}", shifted(other, classes), other.group_kind)
        for name, other in shifts.items()
    ]


def answer(classifier: Classifier, part: LabelledItems, processes: Processes) -> Predictions:
    """Let a classifier answer for items, each process for some of the batches.

    Parameters
    ----------
    classifier : Classifier
        On this process's device.
    part : LabelledItems
        What is asked.
    processes : Processes
        All of them get all answers.

    Returns
    -------
    Predictions
        In the order of the items.
    """
    X, n_cut = features_of(classifier, part, BATCH, processes)
    with classifier.evaluating():
        logits = classifier.head(X) / classifier.temperature
    return Predictions(logits.float().cpu().numpy(), n_cut)


@dataclass(frozen=True, eq=False)
class Answered:
    """What the runs of one method answered.

    Parameters
    ----------
    method : str
        ``"lp"``, ``"ft"``, ``"lp-ft"``, …
    setting : dict
        What was chosen for it, such as its learning rate.
    runs : dict of int to dict of str to Predictions
        By seed and set.
    """

    method: str
    setting: Mapping[str, Any]
    runs: Mapping[int, Mapping[str, Predictions]]


def rows_of(
    answered: Answered, sets: Sequence[EvaluationSet], fixed: Mapping[str, Any], seed: int = 0
) -> Iterator[Row]:
    """Score what was answered: each run, and the mean over runs.

    Parameters
    ----------
    answered : Answered
        The runs of a method.
    sets : sequence of EvaluationSet
        What was asked.
    fixed : mapping
        Columns that are the same in all rows: run, task, task_version, model, revision, n_layers,
        config.
    seed : int
        Of resamples.

    Yields
    ------
    Row
        For each set and metric (accuracy; MCC where there are two classes): one row a run, with an
        interval over items; and of the mean over runs (no seed) one with an interval over items
        (``{"over": "items"}`` in its setting) and, from two runs on, one with a 90 % interval over
        runs (``{"over": "runs"}``).
    """
    for part in sets:
        asked = {run: found[part.name] for run, found in answered.runs.items()}
        metrics: tuple[Metric, ...] = ("accuracy",)
        if next(iter(asked.values())).logits.shape[1] == 2 and (part.items.labels >= 0).all():
            metrics = ("accuracy", "mcc")
        for metric in metrics:
            for run, found in asked.items():
                sure = items_interval(metric, part, [found], seed)
                yield _row(answered, part, metric, sure, fixed, run, {}, found.n_cut)
            n_cut = next(iter(asked.values())).n_cut
            sure = items_interval(metric, part, list(asked.values()), seed)
            yield _row(answered, part, metric, sure, fixed, None, {"over": "items"}, n_cut)
            if len(asked) > 1:
                sure = runs_interval(metric, part, list(asked.values()))
                yield _row(answered, part, metric, sure, fixed, None, {"over": "runs"}, n_cut)


def items_interval(
    metric: Metric, part: EvaluationSet, runs: Sequence[Predictions], seed: int = 0
) -> Interval:
    """Estimate the mean of a metric over runs, and how much it hangs on the items drawn.

    Parameters
    ----------
    metric : {"accuracy", "mcc"}
        What is estimated.
    part : EvaluationSet
        What was asked.
    runs : sequence of Predictions
        Whose mean it is.
    seed : int
        Of resamples.

    Returns
    -------
    Interval
        At `ITEMS_LEVEL`; the runs are taken as they are.
    """
    gold, groups = part.items.labels, part.items.groups
    if all((run.codes == runs[0].codes).all() for run in runs):
        return interval(metric, gold, runs[0].codes, groups, level=ITEMS_LEVEL, seed=seed)
    _, codes = np.unique(groups, return_inverse=True)
    n_groups = int(codes.max()) + 1
    parts = [(1 / len(runs), measure(metric, gold, run.codes, codes, n_groups)) for run in runs]
    # A mean of accuracies lies where an accuracy does, so its t is taken on their scale.
    return interval_of(parts, codes, n_groups, level=ITEMS_LEVEL, seed=seed, scale=metric)


def runs_interval(metric: Metric, part: EvaluationSet, runs: Sequence[Predictions]) -> Interval:
    """Estimate the mean of a metric over runs, and how much it hangs on the run.

    Parameters
    ----------
    metric, part, runs
        As `items_interval`; at least two runs.

    Returns
    -------
    Interval
        Student's t at `RUNS_LEVEL`; the items are taken as they are. Runs that are all equal have
        an interval of no width.
    """
    from scipy.special import stdtrit

    n = len(runs)
    alike = np.zeros(len(part.items), dtype=np.int64)
    values = np.array(
        [measure(metric, part.items.labels, run.codes, alike, 1).value for run in runs]
    )
    count = (len(part.items), n)
    if not np.isfinite(values).all():
        return Interval(None, None, None, "", *count)
    mean = float(values.mean())
    arm = float(stdtrit(n - 1, (1 + RUNS_LEVEL) / 2) * values.std(ddof=1) / np.sqrt(n))
    method = f"t over {n} runs, {100 * RUNS_LEVEL:.0f} %"
    return Interval(mean, mean - arm, mean + arm, method, *count)


def _row(
    answered: Answered,
    part: EvaluationSet,
    metric: Metric,
    sure: Interval,
    fixed: Mapping[str, Any],
    run: int | None,
    more: Mapping[str, Any],
    n_cut: int,
) -> Row:
    over_runs = more.get("over") == "runs"
    by = "" if over_runs or not sure.method else f" by {part.group_kind}"
    setting = {**answered.setting, **more, **({"n_cut": n_cut} if n_cut else {})}
    return Row(
        **fixed,
        layer="",
        method=answered.method,
        setting=json.dumps(setting),
        split=part.name,
        metric=metric,
        value=sure.value,
        low=sure.low,
        high=sure.high,
        interval=sure.method + by,
        n=sure.n,
        n_groups=sure.n_groups,
        n_asked=len(part.items),
        n_lost=0,
        why_lost="{}",
        seed=run,
        control_of="",
        store="",
    )


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
