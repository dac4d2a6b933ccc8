"""What classifiers get right, in and out of distribution, and how sure that is.

Two things vary: the items that were drawn, and the runs (the seed of the head, of the order of the
items, of dropout). Tables of fine-tuning mostly show the second, as a 90 % interval over runs; the
first, for the runs there are, is what a reader who thinks of other texts wants. Both stand here,
and neither has both in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from probes.metrics import Metric, measure
from probes.results import Row
from probes.stats import Interval, interval, interval_of
from probes.transfer.classifier import Classifier, Predictions
from probes.transfer.robustness import mean_over_runs
from probes.transfer.sets import EvaluationSet

RUNS_LEVEL = 0.9
"""Of intervals over runs, as in the tables of Kumar et al. (2022)."""

ITEMS: Mapping[str, Any] = {"over": "items"}
RUNS: Mapping[str, Any] = {"over": "runs"}

ITEMS_LEVEL = 0.95
"""Of intervals over items, as everywhere else here."""


def answer(classifier: Classifier, X: Tensor, n_cut: int) -> Predictions:
    """Let a classifier's head answer.

    Parameters
    ----------
    classifier : Classifier
        Whose features were computed.
    X : Tensor of shape (n, width)
        They.
    n_cut : int
        Items of which some was left out.

    Returns
    -------
    Predictions
        In the order of the items.
    """
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
                yield _of_part(answered, part, metric, sure, fixed, {}, found.n_cut, run)
            n_cut = next(iter(asked.values())).n_cut
            sure = items_interval(metric, part, list(asked.values()), seed)
            yield _of_part(answered, part, metric, sure, fixed, ITEMS, n_cut)
            if len(asked) > 1:
                sure = runs_interval(metric, part, list(asked.values()))
                yield _of_part(answered, part, metric, sure, fixed, RUNS, n_cut)


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
    alike = np.zeros(len(part.items), dtype=np.int64)
    values = [measure(metric, part.items.labels, run.codes, alike, 1).value for run in runs]
    if not np.isfinite(values).all():
        return Interval(None, None, None, "", len(part.items), len(runs))
    return _over_runs(values, len(part.items))


def run_rows(
    answered: Answered,
    split: str,
    metric: str,
    values: Mapping[int, float],
    n: int,
    fixed: Mapping[str, Any],
    *,
    n_asked: int | None = None,
) -> Iterator[Row]:
    """Make rows of a number that each run has: one a run, and their mean.

    Parameters
    ----------
    answered : Answered
        The method.
    split, metric : str
        Of what, and which number.
    values : mapping of int to float
        By seed.
    n : int
        Number of items that it is of.
    fixed : mapping
        As of `rows_of`.
    n_asked : int, optional
        Number of items that were asked about; the others are of no class of the classifier.

    Yields
    ------
    Row
        Of the runs without an interval, of their mean with a 90 % interval over runs, where there
        are several.
    """
    for run, value in values.items():
        sure = Interval(value, None, None, "", n, n)
        yield _row(answered, split, metric, sure, fixed, answered.setting, n_asked or n, run)
    if not values:
        return
    sure = _over_runs([*values.values()], n)
    setting = {**answered.setting, **RUNS}
    yield _row(answered, split, metric, sure, fixed, setting, n_asked or n)


def _over_runs(values: Sequence[float], n: int) -> Interval:
    found = mean_over_runs(values, level=RUNS_LEVEL)
    method = f"t over {len(values)} runs, {100 * RUNS_LEVEL:.0f} %" if found.method else ""
    return Interval(found.value, found.low, found.high, method, n, len(values))


def item_row(
    answered: Answered,
    part: EvaluationSet,
    metric: str,
    sure: Interval,
    fixed: Mapping[str, Any],
) -> Row:
    """Make the row of a number over all runs of a method, whose interval is over items.

    Parameters
    ----------
    answered : Answered
        The method.
    part : EvaluationSet
        What was asked.
    metric : str
        Name of the number.
    sure : Interval
        The number.
    fixed : mapping
        As of `rows_of`.

    Returns
    -------
    Row
        Of no seed.
    """
    return _of_part(answered, part, metric, sure, fixed, ITEMS, 0)


def _of_part(
    answered: Answered,
    part: EvaluationSet,
    metric: str,
    sure: Interval,
    fixed: Mapping[str, Any],
    more: Mapping[str, Any],
    n_cut: int,
    run: int | None = None,
) -> Row:
    if more is not RUNS and sure.method:
        sure = replace(sure, method=f"{sure.method} by {part.group_kind}")
    setting = {**answered.setting, **more, **({"n_cut": n_cut} if n_cut else {})}
    return _row(answered, part.name, metric, sure, fixed, setting, len(part.items), run)


def _row(
    answered: Answered,
    split: str,
    metric: str,
    sure: Interval,
    fixed: Mapping[str, Any],
    setting: Mapping[str, Any],
    n_asked: int,
    run: int | None = None,
) -> Row:
    return Row(
        **fixed,
        layer="",
        method=answered.method,
        setting=json.dumps(setting),
        split=split,
        metric=metric,
        value=sure.value,
        low=sure.low,
        high=sure.high,
        interval=sure.method,
        n=sure.n,
        n_groups=sure.n_groups,
        n_asked=n_asked,
        n_lost=n_asked - sure.n,
        why_lost=json.dumps({"of an unknown class": n_asked - sure.n} if n_asked > sure.n else {}),
        seed=run,
        control_of="",
        store="",
    )
