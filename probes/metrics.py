"""Metrics, known by their value, by what each unit adds to it, and by their value on resamples.

The *influence* of a unit is the first-order change of the value, were the unit to count a little
more; it sums to zero over the units. Intervals (`probes.stats`) need no more than these three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Metric = Literal["accuracy", "macro-f1", "mcc", "r2", "spearman"]
Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Statistic:
    """A metric on one set of units.

    Parameters
    ----------
    value : float
        The metric; NaN where it is undefined.
    influence : ndarray of shape (n_units,)
        What each unit adds to the value, to first order.
    resample : callable
        From how often each group is drawn, shape (n_resamples, n_groups), to the value on each
        resample, shape (n_resamples,).
    """

    value: float
    influence: Floats
    resample: Callable[[Floats], Floats]


def accuracy(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of units whose predicted class is the gold one."""
    return float(np.mean(np.asarray(gold) == np.asarray(predicted)))


def macro_f1(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Unweighted mean of the F1 of each class.

    As scikit-learn's ``f1_score(average="macro")``: the classes are those that occur in `gold` or
    in `predicted`. A class that is predicted and absent from gold counts, with an F1 of 0; a
    class that occurs in neither does not count.
    """
    return _alone("macro-f1", gold, predicted)


def mcc(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Correlation of two classes, 0 and 1, with their predictions: Matthews's coefficient.

    As scikit-learn's ``matthews_corrcoef``: 0 where either is constant, since one answer for all
    tells nothing.
    """
    return _alone("mcc", gold, predicted)


def r2(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Share of the variance of gold that the predictions account for; NaN for a constant gold.

    It is negative where the predictions are worse than the mean of gold.
    """
    return _alone("r2", gold, predicted)


def spearman(gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Correlation of the ranks (ties share their mean rank); NaN where either is constant."""
    return _alone("spearman", gold, predicted)


def measure(
    metric: Metric, gold: npt.ArrayLike, predicted: npt.ArrayLike, codes: Codes, n_groups: int
) -> Statistic:
    """Compute a metric, its influence, and how to resample it.

    Parameters
    ----------
    metric : {"accuracy", "macro-f1", "mcc", "r2", "spearman"}
        What is computed.
    gold, predicted : array_like of shape (n_units,)
        Classes for the first two metrics, 0 and 1 for ``"mcc"``, finite numbers for the others.
    codes : ndarray of shape (n_units,), int64
        The group of each unit, 0 … n_groups - 1.
    n_groups : int
        Number of groups.

    Returns
    -------
    Statistic
        Of these units.
    """
    if metric == "accuracy":
        return _accuracy(np.asarray(gold) == np.asarray(predicted), codes, n_groups)
    if metric == "macro-f1":
        return _macro_f1(*_class_codes(gold, predicted), codes, n_groups)
    numbers = np.asarray(gold, np.float64), np.asarray(predicted, np.float64)
    by_metric = {"mcc": _mcc, "r2": _r2, "spearman": _spearman}
    return by_metric[metric](*numbers, codes, n_groups)


def _alone(metric: Metric, gold: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    return measure(metric, gold, predicted, np.zeros(len(np.asarray(gold)), np.int64), 1).value


def _accuracy(right: npt.NDArray[np.bool_], codes: Codes, n_groups: int) -> Statistic:
    rights = np.bincount(codes, right, n_groups)
    sizes = np.bincount(codes, minlength=n_groups).astype(np.float64)
    value = float(right.mean())
    influence = (right - value) / len(right)
    return Statistic(value, influence, lambda w: (w @ rights) / (w @ sizes))


def _macro_f1(gold: Codes, predicted: Codes, codes: Codes, n_groups: int) -> Statistic:
    n_classes = int(max(gold.max(), predicted.max())) + 1
    shape = n_groups * n_classes
    hit = gold == predicted
    hits = np.bincount((codes * n_classes + gold)[hit], minlength=shape).astype(np.float64)
    uses = np.bincount(codes * n_classes + gold, minlength=shape).astype(np.float64)
    uses += np.bincount(codes * n_classes + predicted, minlength=shape)
    hits, uses = hits.reshape(n_groups, n_classes), uses.reshape(n_groups, n_classes)

    total, used = hits.sum(0), uses.sum(0)
    occurs = used > 0
    whole = np.divide(2 * total, used, out=np.zeros(n_classes), where=occurs)

    def mean_f1(hits: Floats, uses: Floats) -> Floats:
        # the classes are those of the whole sample: were a rare class to leave the mean wherever a
        # resample lacks it, the mean would jump; there it keeps the F1 that it has as a whole
        f1 = np.broadcast_to(whole, hits.shape).copy()
        np.divide(2 * hits, uses, out=f1, where=uses > 0)
        return f1.sum(-1) / occurs.sum()

    scale = np.divide(2.0, used, out=np.zeros(n_classes), where=occurs) / occurs.sum()
    share = np.divide(total, used, out=np.zeros(n_classes), where=occurs) * scale
    influence = scale[gold] * hit - share[gold] - share[predicted]
    value = float(mean_f1(total, used))
    return Statistic(value, influence, lambda w: mean_f1(w @ hits, w @ uses))


def _mcc(gold: Floats, predicted: Floats, codes: Codes, n_groups: int) -> Statistic:
    columns = (np.ones(len(gold)), gold, predicted, gold * predicted)
    sums = np.stack([np.bincount(codes, column, n_groups) for column in columns], axis=1)

    def correlate(weights: Floats) -> Floats:
        n, a, b, both = (weights @ sums).T
        spread = a * (n - a) * b * (n - b)
        found = np.zeros(len(n))
        np.divide(n * both - a * b, np.sqrt(spread.clip(min=0)), out=found, where=spread > 0)
        return found

    value = float(correlate(np.ones((1, n_groups)))[0])
    if min(np.ptp(gold), np.ptp(predicted)) == 0:
        return Statistic(0.0, np.zeros(len(gold)), correlate)
    x, y = ((column - column.mean()) / column.std() for column in (gold, predicted))
    influence = (x * y - value / 2 * (x * x + y * y)) / len(gold)
    return Statistic(value, influence, correlate)


def _r2(gold: Floats, predicted: Floats, codes: Codes, n_groups: int) -> Statistic:
    centred = gold - gold.mean()
    wrong = (gold - predicted) ** 2
    squares = np.square(centred)
    spread = float(squares.sum())
    if np.ptp(gold) == 0:
        return Statistic(np.nan, np.zeros(len(gold)), lambda w: np.full(len(w), np.nan))
    unexplained = float(wrong.sum()) / spread
    columns = (np.ones(len(gold)), centred, squares, wrong)
    sums = np.stack([np.bincount(codes, column, n_groups) for column in columns], axis=1)

    def resample(weights: Floats) -> Floats:
        n, first, second, error = (weights @ sums).T
        spread = second - first**2 / n
        varies = spread > 1e-12 * second
        ratio = np.divide(error, spread, out=np.full(len(n), np.nan), where=varies)
        return 1 - ratio

    return Statistic(1 - unexplained, (unexplained * squares - wrong) / spread, resample)


def _spearman(gold: Floats, predicted: Floats, codes: Codes, n_groups: int) -> Statistic:
    sides = [np.unique(column, return_inverse=True) for column in (gold, predicted)]
    if min(len(values) for values, _ in sides) < 2:
        return Statistic(np.nan, np.zeros(len(gold)), lambda w: np.full(len(w), np.nan))
    places = [inverse.reshape(-1) for _, inverse in sides]

    def rank(weights: Floats, place: Codes) -> Floats:
        """Ranks from -1/2 to 1/2; their weighted mean is 0."""
        held = np.asarray(np.bincount(place, weights), np.float64)
        middle = np.cumsum(held)
        total = middle[-1]
        middle -= held / 2
        middle /= total
        middle -= 0.5
        return middle[place]

    def correlate(weights: Floats) -> tuple[float, Floats, Floats]:
        a, b = (rank(weights, place) for place in places)
        # Not np.dot: its threads cost more than these sums, the more so on a busy machine.
        weighted = weights * a
        a_spread, both = (np.einsum("i,i", weighted, ranks) for ranks in (a, b))
        b_spread = np.einsum("i,i", np.multiply(weights, b, out=weighted), b)
        if min(a_spread, b_spread) <= 0:
            return np.nan, a, b
        return float(np.clip(both / np.sqrt(a_spread * b_spread), -1, 1)), a, b

    ones = np.ones(len(gold))
    rho, a, b = correlate(ones)
    a_unit, b_unit = (np.sqrt(np.mean(ranks**2)) for ranks in (a, b))
    a, b = a / a_unit, b / b_unit
    influence = a * b - rho / 2 * (a * a + b * b)
    # A unit also lifts the rank of every unit above it.
    for place, own, other, unit in ((places[0], a, b, a_unit), (places[1], b, a, b_unit)):
        pull = np.bincount(place, other - rho * own)
        above = np.cumsum(pull[::-1])[::-1] - pull / 2
        influence += (above / (len(gold) * unit))[place]
    influence = (influence - influence.mean()) / len(gold)

    def resample(weights: Floats) -> Floats:
        return np.array([correlate(row[codes])[0] for row in weights])

    return Statistic(rho, influence, resample)


def _class_codes(gold: Any, predicted: Any) -> tuple[Codes, Codes]:
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    _, codes = np.unique(np.concatenate([gold, predicted]), return_inverse=True)
    codes = codes.reshape(-1).astype(np.int64)
    return codes[: len(gold)], codes[len(gold) :]
