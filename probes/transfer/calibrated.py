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
from probes.transfer.evaluate import Answered, EvaluationSet, run_rows

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
        does not have are left out.
    """
    by_name = {part.name: part for part in sets}
    temperatures = {
        run: fit_temperature(*_known(found[DEV], by_name[DEV])).value
        for run, found in answered.runs.items()
    }
    n_dev = len(by_name[DEV].items)
    yield from run_rows(answered, DEV, "temperature", temperatures, n_dev, fixed)
    for part in sets:
        if part.name == DEV:
            continue
        scores: dict[str, dict[int, float]] = {}
        for run, found in answered.runs.items():
            for metric, value in _scores(*_known(found[part.name], part), temperatures[run]):
                scores.setdefault(metric, {})[run] = value
        for metric, values in scores.items():
            yield from run_rows(answered, part.name, metric, values, len(part.items), fixed)


def _scores(
    logits: npt.NDArray[np.float64], gold: npt.NDArray[np.int64], temperature: float
) -> Iterator[tuple[str, float]]:
    plain = softmax_at(logits)
    yield "ece", calibration_error(plain, gold)
    yield "brier", brier_score(plain, gold)
    yield "nll", nll(logits, gold)
    yield "ece-scaled", calibration_error(softmax_at(logits, temperature), gold)
    yield "nll-scaled", nll(logits, gold, temperature)


def _known(
    found: Predictions, part: EvaluationSet
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    keep = part.items.labels >= 0
    return found.logits[keep].astype(np.float64), part.items.labels[keep]
