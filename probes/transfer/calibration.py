"""Calibration: whether probabilities are frequencies, and one temperature that makes them so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from probes.errors import InputError, unknown
from probes.metrics import Codes, Floats

Bins = Literal["width", "count"]
N_BINS = 15

LOWEST, HIGHEST = 0.01, 100.0
"""Temperatures between which the best is looked for."""

_SUM_TOLERANCE = 1e-4  # of rows that were written in float32, or in four decimals


@dataclass(frozen=True)
class Temperature:
    """The temperature by which logits are divided, and what it does to the data it was fitted on.

    Parameters
    ----------
    value : float
        The temperature; above 1 for a model that is too sure.
    at_edge : bool
        Whether the loss was still falling at `LOWEST` (every unit is answered right) or at
        `HIGHEST` (the logits tell nothing); `value` is that edge then, and no optimum.
    nll_before, nll : float
        Mean negative log-likelihood in nats, of the logits as they were and divided.
    n : int
        Number of units.
    """

    value: float
    at_edge: bool
    nll_before: float
    nll: float
    n: int


def calibration_error(
    probabilities: npt.ArrayLike, gold: npt.ArrayLike, *, n_bins: int = N_BINS, bins: Bins = "width"
) -> float:
    """Estimate the expected calibration error (ECE) of the class that is predicted.

    Parameters
    ----------
    probabilities : array_like of shape (n_units, n_classes)
        Each row sums to one.
    gold : array_like of shape (n_units,)
        Class codes.
    n_bins : int
        Number of bins.
    bins : {"width", "count"}
        Of equal width, (0, 1/15], (1/15, 2/15], …, or *adaptive*: of equally many units, as they
        follow each other by confidence (the first bins hold one more where it does not divide;
        units that are equally sure stay in their order).

    Returns
    -------
    float
        Σ_b (n_b / n) |accuracy of b - mean confidence of b|, over bins with units in them; 0 to 1.

    Raises
    ------
    InputError
        If a row is no distribution, a code is no class, or there is no bin.

    Notes
    -----
    Guo, Pleiss, Sun & Weinberger (2017), arXiv:1706.04599, eq. 3, with 15 bins; adaptive bins as
    Nguyen & O'Connor (2015), arXiv:1508.05154. Of equal probabilities the first class is predicted.
    The estimate is biased upward where bins hold few units: compare models on the same units.
    """
    P, y = _distributions(probabilities, gold)
    if n_bins < 1:
        raise InputError(f"{n_bins} bins; expected 1 or more")
    if bins not in get_args(Bins):
        raise unknown("kind of bins", bins, get_args(Bins))
    confidence, is_right = P.max(1), P.argmax(1) == y
    if bins == "width":
        place = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    else:
        place = np.empty(len(y), dtype=np.int64)
        parts = np.array_split(np.argsort(confidence, kind="stable"), n_bins)
        for k, units in enumerate(parts):
            place[units] = k
    gap = np.bincount(place, is_right - confidence, minlength=n_bins)
    return float(np.abs(gap).sum() / len(y))


def brier_score(probabilities: npt.ArrayLike, gold: npt.ArrayLike) -> float:
    """Mean squared distance of the probabilities from the gold class, 0 to 2.

    Parameters
    ----------
    probabilities, gold
        As in `calibration_error`.

    Returns
    -------
    float
        The mean over units of Σ_k (p_k - [k is gold])²; for two classes twice what is also called
        so (Brier 1950, who has the sum over all classes).

    Raises
    ------
    InputError
        If a row is no distribution, or a code is no class.
    """
    P, y = _distributions(probabilities, gold)
    distance = P.copy()
    distance[np.arange(len(y)), y] -= 1
    return float(np.square(distance).sum(1).mean())


def nll(logits: npt.ArrayLike, gold: npt.ArrayLike, temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of the gold class, in nats.

    Parameters
    ----------
    logits : array_like of shape (n_units, n_classes)
        Log-probabilities up to a constant a row.
    gold : array_like of shape (n_units,)
        Class codes.
    temperature : float
        By which the logits are divided.

    Returns
    -------
    float
        The mean over units of log Σ_k exp(z_k / T) - z_gold / T.

    Raises
    ------
    InputError
        If a logit is not finite, a code is no class, or the temperature is not positive.
    """
    from scipy.special import logsumexp

    Z, y = _logits(logits, gold)
    Z = Z / _positive(temperature)
    return float((logsumexp(Z, axis=1) - Z[np.arange(len(y)), y]).mean())


def softmax_at(logits: npt.ArrayLike, temperature: float = 1.0) -> Floats:
    """Turn logits into probabilities at a temperature.

    Parameters
    ----------
    logits : array_like of shape (n_units, n_classes)
        Log-probabilities up to a constant a row.
    temperature : float
        By which they are divided; which class is likeliest does not change.

    Returns
    -------
    ndarray of shape (n_units, n_classes)
        Each row sums to one.

    Raises
    ------
    InputError
        If the temperature is not positive.
    """
    from scipy.special import softmax

    return np.asarray(softmax(np.asarray(logits, np.float64) / _positive(temperature), axis=1))


def fit_temperature(logits: npt.ArrayLike, gold: npt.ArrayLike) -> Temperature:
    """Find the temperature at which the negative log-likelihood is least.

    Parameters
    ----------
    logits : array_like of shape (n_units, n_classes)
        Of validation data: neither of what the model was trained on nor of what is reported.
    gold : array_like of shape (n_units,)
        Class codes.

    Returns
    -------
    Temperature
        The best, to a relative 1e-12.

    Raises
    ------
    InputError
        If a logit is not finite, or a code is no class.

    Notes
    -----
    Guo et al. (2017), arXiv:1706.04599, §4.2. The loss is convex in β = 1/T; its derivative, the
    mean over units of E_p[z] - z_gold, never falls with β, and so has its root found by bisection
    and secants (Brent). There is none where every gold logit is a row's largest, nor where gold
    logits are no larger than their rows' mean: `Temperature.at_edge`.
    """
    from scipy.optimize import brentq

    Z, y = _logits(logits, gold)
    own = Z[np.arange(len(y)), y].mean()

    def slope(log_beta: float) -> float:
        return float((softmax_at(Z, np.exp(-log_beta)) * Z).sum(1).mean() - own)

    low, high = -np.log(HIGHEST), -np.log(LOWEST)
    at_edge = True
    if slope(low) >= 0:
        value = HIGHEST
    elif slope(high) <= 0:
        value = LOWEST
    else:
        at_edge = False
        value = float(np.exp(-brentq(slope, low, high, xtol=1e-12, rtol=1e-14)))
    return Temperature(value, at_edge, nll(Z, y), nll(Z, y, value), len(y))


def _distributions(probabilities: npt.ArrayLike, gold: npt.ArrayLike) -> tuple[Floats, Codes]:
    P, y = _logits(probabilities, gold, "probabilities")
    bad = (P < 0).any(1) | (np.abs(P.sum(1) - 1) > _SUM_TOLERANCE)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise InputError(
            f"probabilities of unit {row} are no distribution (they sum to {P[row].sum():.6g}, the "
            f"least is {P[row].min():.6g}); pass softmax of the logits"
        )
    return P, y


def _logits(
    logits: npt.ArrayLike, gold: npt.ArrayLike, what: str = "logits"
) -> tuple[Floats, Codes]:
    Z, y = np.asarray(logits, np.float64), np.asarray(gold)
    if Z.ndim != 2 or y.shape != Z.shape[:1] or 0 in Z.shape:
        raise InputError(
            f"{what} have shape {Z.shape}, gold {y.shape}; expected (n_units, n_classes) and "
            "(n_units,), of one unit at least"
        )
    if not np.isfinite(Z).all():
        row = int(np.flatnonzero(~np.isfinite(Z).all(1))[0])
        raise InputError(f"{what} of unit {row} are not finite; leave such units out, counted")
    if not np.issubdtype(y.dtype, np.integer) or not ((y >= 0) & (y < Z.shape[1])).all():
        raise InputError(f"gold holds no class codes: expected integers from 0 to {Z.shape[1] - 1}")
    return Z, y.astype(np.int64)


def _positive(temperature: float) -> float:
    if not 0 < temperature < np.inf:
        raise InputError(f"temperature {temperature}: expected a positive number")
    return temperature
