"""Rows of what a method has under a shift beyond what its accuracy at home foretells."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from probes.results import Row
from probes.transfer.evaluate import Answered, run_rows
from probes.transfer.foretold import HOME, METRIC, Line
from probes.transfer.sets import EvaluationSet


def robustness_rows(
    answered: Answered,
    sets: Sequence[EvaluationSet],
    lines: Mapping[str, Line],
    fixed: Mapping[str, Any],
) -> Iterator[Row]:
    """Make rows of effective robustness: of each run, and of the mean over runs.

    Parameters
    ----------
    answered : Answered
        The method.
    sets, fixed
        As of `probes.transfer.evaluate.rows_of`.
    lines : mapping of str to Line
        By set.

    Yields
    ------
    Row
        Of each set that has a line ``effective-robustness``, in accuracy; the line stands in the
        setting, and how many runs lie ``beyond`` its probes at home, where it is extrapolated.
    """
    right = {
        part.name: {
            run: float((found[part.name].codes == part.items.labels).mean())
            for run, found in answered.runs.items()
        }
        for part in sets
    }
    for part in sets:
        if (line := lines.get(part.name)) is None:
            continue
        edge = 1 / (2 * len(part.items))  # the line is held from 0 and 1, so must be what it meets
        values = {
            run: float(
                line.trend.effective_robustness(
                    right[HOME][run], np.clip(there, edge, 1 - edge), n_reference=line.n_home
                )
            )
            for run, there in right[part.name].items()
        }
        beyond = sum(not line.low <= home <= line.high for home in right[HOME].values())
        setting = {**answered.setting, "line": line.about(), "beyond": beyond}
        of = dataclasses.replace(answered, setting=setting)
        yield from run_rows(of, part.name, METRIC, values, len(part.items), fixed)
