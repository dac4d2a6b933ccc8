"""Robustness to a shift: what a model has there beyond what its accuracy at home foretells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from probes.errors import InputError, unknown
from probes.metrics import Floats
from probes.stats import Interval

Scale = Literal["logit", "probit"]


@dataclass(frozen=True)
class Trend:
    """The line on which models of no robustness intervention lie: β of Taori et al.

    Parameters
    ----------
    slope, intercept : float
        Of scale(accuracy under shift) over scale(accuracy at home).
    scale : {"logit", "probit"}
        The scale without bounds on which it is a line.
    r2 : float
        Share of the variance of the models under shift, on that scale, that it accounts for; NaN
        where they do not differ.
    n_models : int
        Number of models that it was fitted to.
    """

    slope: float
    intercept: float
    scale: Scale
    r2: float
    n_models: int

    def expected(self, reference: npt.ArrayLike, *, n_reference: int | None = None) -> Floats:
        """Foretell the accuracy under shift, β(accuracy at home).

        Parameters
        ----------
        reference : array_like
            Accuracy at home, 0 to 1.
        n_reference : int, optional
            Number of test units at home, as in `fit_trend`.

        Returns
        -------
        ndarray
            Of the shape of `reference`.

        Raises
        ------
        InputError
            As `fit_trend`.
        """
        x = _scaled(reference, n_reference, self.scale, "accuracy at home")
        return np.asarray(_BACK[self.scale](self.intercept + self.slope * x))

    def effective_robustness(
        self, reference: npt.ArrayLike, shifted: npt.ArrayLike, *, n_reference: int | None = None
    ) -> Floats:
        """Measure what a model has under shift beyond the line, ρ = shifted - β(reference).

        Parameters
        ----------
        reference, shifted : array_like
            Accuracies of the models at home and under shift, 0 to 1.
        n_reference : int, optional
            Number of test units at home, as in `fit_trend`.

        Returns
        -------
        ndarray
            In accuracy, not on the scale of the line.

        Raises
        ------
        InputError
            As `fit_trend`.
        """
        reference, shifted = _pair(reference, shifted)
        return shifted - self.expected(reference, n_reference=n_reference)


def fit_trend(
    reference: npt.ArrayLike,
    shifted: npt.ArrayLike,
    *,
    scale: Scale = "logit",
    n_reference: int | None = None,
    n_shifted: int | None = None,
) -> Trend:
    """Fit the line of accuracy under shift over accuracy at home, on a scale without bounds.

    Parameters
    ----------
    reference, shifted : array_like of shape (n_models,)
        Accuracies, 0 to 1, of models that were trained at home alone and by no means that was meant
        to make them robust.
    scale : {"logit", "probit"}
        log(p / (1 - p)), or the normal quantile of p.
    n_reference, n_shifted : int, optional
        Numbers of test units. Neither scale has a place for an accuracy of 0 or 1: with the number
        of units it is held to half a unit from the edge, [1/2n, 1 - 1/2n]; without, it is refused.

    Returns
    -------
    Trend
        By least squares, each model counting alike.

    Raises
    ------
    InputError
        If there are fewer than two models or all are equally accurate at home, an accuracy is not
        between 0 and 1, or it is one of both and the number of units is not given.

    Notes
    -----
    Taori et al. (2020), arXiv:2007.00644, §2; its scale is the logit, Miller et al.'s (2021,
    arXiv:2107.04649) the probit.
    """
    if scale not in get_args(Scale):
        raise unknown("scale", scale, get_args(Scale))
    reference, shifted = _pair(reference, shifted)
    x = _scaled(reference, n_reference, scale, "accuracy at home").reshape(-1)
    y = _scaled(shifted, n_shifted, scale, "accuracy under shift").reshape(-1)
    dx, dy = x - x.mean(), y - y.mean()
    if len(x) < 2 or not np.ptp(x) > 0:
        raise InputError(
            f"{len(x)} reference models with {len(np.unique(x))} accuracies at home make no line; "
            "give two that differ at least"
        )
    slope = float(dx @ dy / (dx @ dx))
    rest, total = float(np.square(dy - slope * dx).sum()), float(dy @ dy)
    r2 = 1 - rest / total if np.ptp(y) > 0 else float("nan")
    return Trend(slope, float(y.mean() - slope * x.mean()), scale, r2, len(x))


def relative_robustness(after: npt.ArrayLike, before: npt.ArrayLike) -> Floats:
    """Measure what an intervention brings under shift: accuracy after it less accuracy before.

    Parameters
    ----------
    after, before : array_like
        Accuracies under shift, 0 to 1. (An intervention helps where this and effective robustness
        are both positive: Taori et al. 2020, §2.)

    Returns
    -------
    ndarray
        The difference.

    Raises
    ------
    InputError
        If an accuracy is not between 0 and 1, or the shapes differ.
    """
    after, before = _pair(after, before)
    return after - before


def clopper_pearson(n_right: int, n: int, *, level: float = 0.95) -> Interval:
    """Estimate an accuracy and its exact interval, of units that are drawn one by one.

    Parameters
    ----------
    n_right, n : int
        Number of units that are right, and of all.
    level : float
        Coverage, which it has at least.

    Returns
    -------
    Interval
        By the quantiles of the beta distribution (Clopper & Pearson 1934). Units of one document
        are alike: for them `probes.stats.interval` counts documents.

    Raises
    ------
    InputError
        If there is no unit, more are right than there are, or `level` is no share.
    """
    from scipy.stats import beta

    if not 0 <= n_right <= n or n < 1:
        raise InputError(f"{n_right} right of {n}; expected 0 to n of one at least")
    tail = (1 - _share(level)) / 2
    low = 0.0 if n_right == 0 else float(beta.ppf(tail, n_right, n - n_right + 1))
    high = 1.0 if n_right == n else float(beta.isf(tail, n_right + 1, n - n_right))
    return Interval(n_right / n, low, high, "Clopper-Pearson", n, n)


def mean_over_runs(values: npt.ArrayLike, *, level: float = 0.9) -> Interval:
    """Estimate the mean over runs that differ in their seed alone, with a t interval.

    Parameters
    ----------
    values : array_like of shape (n_runs,)
        A number a run.
    level : float
        Coverage; 90 % as Kumar et al. (2022) report.

    Returns
    -------
    Interval
        mean ± t(n - 1) s / √n, with the runs as units; of one run there is no interval. It tells
        how far seeds matter, not how sure the number is on other data.

    Raises
    ------
    InputError
        If there is no run, a value is not finite, or `level` is no share.
    """
    from scipy.special import stdtrit

    runs = np.asarray(values, np.float64)
    if runs.ndim != 1 or len(runs) == 0 or not np.isfinite(runs).all():
        raise InputError(f"values of runs are {runs}; expected one finite number a run")
    mean, n = float(runs.mean()), len(runs)
    t = float(stdtrit(max(n - 1, 1), (1 + _share(level)) / 2))
    if n == 1:
        return Interval(mean, None, None, "", n, n)
    reach = t * float(runs.std(ddof=1)) / np.sqrt(n)
    return Interval(mean, mean - reach, mean + reach, "t over runs", n, n)


def _logit(p: Floats) -> Floats:
    return np.asarray(np.log(p) - np.log1p(-p))


def _expit(x: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * np.tanh(x / 2))


def _probit(p: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(p))


def _normal(x: Floats) -> Floats:
    from scipy.special import ndtr

    return np.asarray(ndtr(x))


_THERE: dict[Scale, Callable[[Floats], Floats]] = {"logit": _logit, "probit": _probit}
_BACK: dict[Scale, Callable[[Floats], Floats]] = {"logit": _expit, "probit": _normal}


def _scaled(accuracy: npt.ArrayLike, n: int | None, scale: Scale, what: str) -> Floats:
    p = np.asarray(accuracy, np.float64)
    _require_accuracies(p, what)
    if n is not None and n < 1:
        raise InputError(f"{what}: {n} test units; expected 1 or more")
    if n is not None:
        p = np.clip(p, 1 / (2 * n), 1 - 1 / (2 * n))
    elif ((p == 0) | (p == 1)).any():
        raise InputError(
            f"{what} is {p[(p == 0) | (p == 1)].flat[0]:g}, which has no {scale}; give the number "
            "of test units, so that it can be held half a unit from the edge"
        )
    return _THERE[scale](p)


def _pair(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape:
        raise InputError(f"accuracies of shapes {a.shape} and {b.shape}; give one of each a model")
    for values in (a, b):
        _require_accuracies(values, "an accuracy")
    return a, b


def _require_accuracies(values: Floats, what: str) -> None:
    bad = ~((values >= 0) & (values <= 1))
    if bad.any():
        raise InputError(f"{what} is {values[bad].flat[0]:g}; expected a share from 0 to 1")


def _share(level: float) -> float:
    if not 0 < level < 1:
        raise InputError(f"level {level} of an interval; give a share between 0 and 1, as 0.95")
    return level
