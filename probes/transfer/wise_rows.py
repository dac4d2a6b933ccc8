"""Rows of a run of `probes wise`: the curve, what dev chose, and how much is won over the ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from probes.results import Row
from probes.transfer.classifier import Predictions
from probes.transfer.contrasts import over_rows
from probes.transfer.evaluate import Answered, rows_of
from probes.transfer.foretold import Line
from probes.transfer.robustness_rows import robustness_rows
from probes.transfer.sets import EvaluationSet
from probes.transfer.wise import DEFAULT_ALPHA, output_ensemble

Found = dict[str, Predictions]
"""Answers by set."""

Curve = Mapping[float, Mapping[int, Found]]
"""Answers by alpha, run and set; 0 and 1 are among the alphas."""


def best_alpha(found: Curve, dev: EvaluationSet) -> float:
    """Choose the alpha whose mean accuracy on dev is highest; of equals the nearest to the half.

    Parameters
    ----------
    found : mapping
        Answers by alpha, run and set.
    dev : EvaluationSet
        By which to choose.

    Returns
    -------
    float
        The alpha; of two as near, the smaller one.
    """

    def right(alpha: float) -> int:
        runs = found[alpha].values()
        return sum(int((run[dev.name].codes == dev.items.labels).sum()) for run in runs)

    return min(found, key=lambda alpha: (-right(alpha), abs(alpha - DEFAULT_ALPHA), alpha))


def distinct(runs: Mapping[int, Found]) -> dict[int, Found]:
    """Leave out runs that answer as one before them does: one classifier that several share."""
    kept: dict[int, Found] = {}
    for run, found in runs.items():
        same = (
            all(np.array_equal(found[name].logits, of[name].logits) for name in found)
            for of in kept.values()
        )
        if not any(same):
            kept[run] = found
    return kept


def curve_rows(
    found: Curve,
    ends: Mapping[str, str],
    sets: Sequence[EvaluationSet],
    fixed: Mapping[str, Any],
    lines: Mapping[str, Line],
) -> Iterator[Row]:
    """Make the rows of all alphas, and of the ensembles of the two outputs.

    Parameters
    ----------
    found : mapping
        Answers by alpha, run and set.
    ends : mapping
        The names of ``first`` and ``second``.
    sets, fixed
        As of `probes.transfer.evaluate.rows_of`.
    lines : mapping of str to Line
        By set, what accuracy at home foretells.

    Yields
    ------
    Row
        Of the methods ``wise`` and ``output-ensemble``.
    """
    for alpha, runs in found.items():
        of = {**ends, "alpha": alpha}
        answered = Answered("wise", of, distinct(runs))
        yield from rows_of(answered, sets, fixed)
        yield from _over_ends(answered, found, sets, fixed)
        yield from robustness_rows(answered, sets, lines, fixed)
        together = {
            run: {
                name: output_ensemble(found[0.0][run][name], found[1.0][run][name], alpha)
                for name in answers
            }
            for run, answers in runs.items()
        }
        yield from rows_of(Answered("output-ensemble", of, distinct(together)), sets, fixed)


def chosen_rows(
    found: Curve,
    chosen: float,
    ends: Mapping[str, str],
    sets: Sequence[EvaluationSet],
    fixed: Mapping[str, Any],
) -> Iterator[Row]:
    """Make the rows of the alpha that dev chose, of the method ``wise-dev``; as `curve_rows`."""
    answered = Answered("wise-dev", {**ends, "alpha": chosen}, distinct(found[chosen]))
    yield from rows_of(answered, sets, fixed)
    yield from _over_ends(answered, found, sets, fixed)


def _over_ends(
    answered: Answered, found: Curve, sets: Sequence[EvaluationSet], fixed: Mapping[str, Any]
) -> Iterator[Row]:
    for name, end in (("first", 0.0), ("second", 1.0)):
        yield from over_rows(answered, found[end], name, sets, fixed)
