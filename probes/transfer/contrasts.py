"""By how much more one method is right than another, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from probes.results import Row
from probes.stats import contrast_interval
from probes.transfer.classifier import Predictions
from probes.transfer.evaluate import Answered, item_row
from probes.transfer.sets import EvaluationSet


def over_rows(
    answered: Answered,
    other: Mapping[int, Mapping[str, Predictions]],
    name: str,
    sets: Sequence[EvaluationSet],
    fixed: Mapping[str, Any],
) -> Iterator[Row]:
    """Make rows of the differences in accuracy between two methods.

    Parameters
    ----------
    answered : Answered
        The method.
    other : mapping of int to mapping of str to Predictions
        By seed and set, what the other answered; the two may have different seeds.
    name : str
        What the other is called.
    sets, fixed
        As of `probes.transfer.evaluate.rows_of`.

    Yields
    ------
    Row
        Of each set, ``accuracy-over-{name}``: between the means over runs, with a paired 95 %
        interval over items.
    """
    for part in sets:
        terms = [
            (sign / len(runs), part.items.labels, found[part.name].codes)
            for sign, runs in ((1.0, answered.runs), (-1.0, other))
            for found in runs.values()
        ]
        sure = contrast_interval("accuracy", terms, part.items.groups)
        yield item_row(answered, part, f"accuracy-over-{name}", sure, fixed)
