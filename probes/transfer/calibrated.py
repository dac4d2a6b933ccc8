"""How far a method's probabilities can be taken at their word, as they are and scaled on dev."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.results import Row
from probes.transfer.calibration import (
    brier_score,
    calibration_error,
    fit_temperature,
    nll,
    softmax_at,
)
from probes.transfer.classifier import Predictions
from probes.transfer.evaluate import Answered, run_rows
from probes.transfer.sets import EvaluationSet

DEV = "dev"


def calibration_rows(
    answered: Answered, sets: Sequence[EvaluationSet], fixed: Mapping[str, Any]
) -> Iterator[Row]:
    """Make rows of a method's calibration: of each run, and of the mean over runs.

    Parameters
    ----------
    answered : Answered
        The method; dev is among its answers.
    sets, fixed
        As of `probes.transfer.evaluate.rows_of`.

    Yields
    ------
    Row
        Of the split dev ``temperature``, at which its likelihood is highest (Guo et al. 2017,
        arXiv:1706.04599); of each other set ``ece`` (15 bins), ``brier`` and ``nll`` (in nats), and
        ``ece-scaled`` and ``nll-scaled`` at that temperature. Items of a class that the classifier
        does not have are left out, and counted. A run that has no best temperature (all of dev is
        right, or its logits tell nothing) has none of the three.
    """
    by_name = {part.name: part for part in sets}
    fitted = {
        run: fit_temperature(*_known(found[DEV], by_name[DEV]))
        for run, found in answered.runs.items()
    }
    temperatures = {run: one.value for run, one in fitted.items() if not one.at_edge}
    n_dev = int((by_name[DEV].items.labels >= 0).sum())
    yield from run_rows(answered, DEV, "temperature", temperatures, n_dev, fixed)
    for part in sets:
        if part.name == DEV:
            continue
        scores: dict[str, dict[int, float]] = {}
        n = int((part.items.labels >= 0).sum())
        for run, found in answered.runs.items():
            for metric, value in _scores(*_known(found[part.name], part), temperatures.get(run)):
                scores.setdefault(metric, {})[run] = value
        for metric, values in scores.items():
            yield from run_rows(
                answered, part.name, metric, values, n, fixed, n_asked=len(part.items)
            )


def _scores(
    logits: npt.NDArray[np.float64], gold: npt.NDArray[np.int64], temperature: float | None
) -> Iterator[tuple[str, float]]:
    plain = softmax_at(logits)
    yield "ece", calibration_error(plain, gold)
    yield "brier", brier_score(plain, gold)
    yield "nll", nll(logits, gold)
    if temperature is None:
        return
    yield "ece-scaled", calibration_error(softmax_at(logits, temperature), gold)
    yield "nll-scaled", nll(logits, gold, temperature)


def _known(
    found: Predictions, part: EvaluationSet
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    keep = part.items.labels >= 0
    return found.logits[keep].astype(np.float64), part.items.labels[keep]
