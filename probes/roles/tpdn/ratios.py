"""Means and shares over sentences, with intervals that compare on the same sentences."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from probes.metrics import Codes, Floats, Statistic
from probes.stats import Interval, interval_of

Values = npt.NDArray[np.floating]


def mean_of(values: npt.ArrayLike) -> Statistic:
    """Make a statistic of a mean over sentences."""
    column = np.asarray(values, np.float64)
    return _quotient(column, np.ones_like(column), sign=1.0, shift=0.0)


def explained(left: npt.ArrayLike, whole: npt.ArrayLike) -> Statistic:
    """Make a statistic of 1 - Σ left / Σ whole.

    Parameters
    ----------
    left, whole : array_like of shape (n_sentences,)
        What a scheme leaves unexplained of each sentence, and what there is to explain.

    Returns
    -------
    Statistic
        NaN where there is nothing to explain.
    """
    return _quotient(
        np.asarray(left, np.float64), np.asarray(whole, np.float64), sign=-1.0, shift=1.0
    )


def estimate(
    *parts: tuple[float, Statistic], codes: Codes | None = None, seed: int = 0
) -> Interval:
    """Estimate a weighted sum of statistics over sentences.

    Parameters
    ----------
    parts : (float, Statistic)
        Weight and statistic of each term.
    codes : ndarray of shape (n_sentences,), int64, optional
        The group of each sentence, 0 … n_groups - 1, such as its document; by default each sentence
        is an observation.
    seed : int
        Of the resamples.

    Returns
    -------
    Interval
        Of the sum.
    """
    if codes is None:
        codes = np.arange(len(parts[0][1].influence), dtype=np.int64)
    of_groups = [(weight, _by_group(part, codes)) for weight, part in parts]
    return interval_of(of_groups, codes, int(codes.max()) + 1, seed=seed)


def _by_group(part: Statistic, codes: Codes) -> Statistic:
    """Draw a group's sentences as often as the group is drawn."""
    return dataclasses.replace(part, resample=lambda weights: part.resample(weights[:, codes]))


def _quotient(top: Floats, bottom: Floats, *, sign: float, shift: float) -> Statistic:
    total = float(bottom.sum())
    if total <= 0:
        return Statistic(np.nan, np.zeros(len(top)), lambda w: np.full(len(w), np.nan))
    ratio = float(top.sum()) / total

    def resample(weights: Floats) -> Floats:
        drawn = weights @ bottom
        quotient = np.divide(weights @ top, drawn, out=np.full(len(drawn), np.nan), where=drawn > 0)
        return shift + sign * quotient

    return Statistic(shift + sign * ratio, sign * (top - ratio * bottom) / total, resample)
