"""Ridge regression in closed form, for many targets and penalties on one X.

The objective of a target y at a penalty λ is

    F(w, b) = mean_i ½ (w·x_i + b − y_i)² + λ/2 ‖w‖²,

the intercept not penalised: scikit-learn's `Ridge(alpha=n λ)`. With C the covariance of x and c its
covariance with y, w = (C + λ I)⁻¹ c: one eigendecomposition of C serves every target and penalty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probes.diagnostic.logistic import check_finite
from probes.errors import InputError

BLOCK_ROWS = 8192


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """Solutions for T targets at p penalties."""

    coef: Tensor
    """Shape (p, T, d), fp64."""
    intercept: Tensor
    """Shape (p, T), fp64."""
    objective: Tensor
    """Shape (p, T), fp64."""


def fit_ridge(X: Tensor, Y: Tensor, penalties: Sequence[float]) -> RidgeFit:
    """Fit every target at every penalty.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        The inputs.
    Y : Tensor of shape (n, T)
        The targets.
    penalties : sequence of p float
        λ ≥ 0; at 0, the least squares solution of least norm.

    Returns
    -------
    RidgeFit
        In fp64, on the device of X.

    Raises
    ------
    InputError
        If X or Y has a value that is not finite (the message names the row), the shapes do not fit,
        or a penalty is negative.

    Notes
    -----
    The moments are summed in fp64 over centred rows: O(n d (d + T)) once, O(d³) for the
    eigendecomposition, O(d² T) a penalty.
    """
    if X.ndim != 2 or Y.ndim != 2 or len(X) != len(Y) or len(X) == 0:
        raise InputError(
            f"X has shape {tuple(X.shape)} and Y {tuple(Y.shape)}; expected (n, d) and (n, T)"
        )
    check_finite(X)
    check_finite(Y, "Y")
    n, d = X.shape
    x_mean, y_mean = X.mean(0, dtype=torch.float64), Y.mean(0, dtype=torch.float64)
    C = torch.zeros(d, d, dtype=torch.float64, device=X.device)
    c = torch.zeros(d, Y.shape[1], dtype=torch.float64, device=X.device)
    variance = torch.zeros_like(y_mean)
    for start in range(0, n, BLOCK_ROWS):
        x = X[start : start + BLOCK_ROWS].double() - x_mean
        y = Y[start : start + BLOCK_ROWS].double() - y_mean
        C.addmm_(x.T, x)
        c.addmm_(x.T, y)
        variance += y.square().sum(0)
    return ridge_from_moments(C / n, c / n, variance / n, x_mean, y_mean, penalties)


def ridge_from_moments(
    covariance: Tensor,
    cross: Tensor,
    variance: Tensor,
    x_mean: Tensor,
    y_mean: Tensor,
    penalties: Sequence[float],
) -> RidgeFit:
    """Fit ridge regressions from central moments alone.

    Parameters
    ----------
    covariance : Tensor of shape (d, d), fp64
        Of the inputs, divided by n.
    cross : Tensor of shape (d, T), fp64
        Covariance of inputs and targets, divided by n.
    variance : Tensor of shape (T,), fp64
        Of the targets, divided by n.
    x_mean : Tensor of shape (d,), fp64
        Mean input.
    y_mean : Tensor of shape (T,), fp64
        Mean target.
    penalties : sequence of p float
        λ ≥ 0.

    Returns
    -------
    RidgeFit
        The objective is ½ (variance − 2 w·c + wᵀ C w + λ ‖w‖²).
    """
    for level in penalties:
        if not 0 <= level < math.inf:
            raise InputError(f"penalty {level}; expected a number that is not negative")
    values, U = torch.linalg.eigh(covariance)
    values = values.clamp(min=0)
    turned = U.T @ cross
    least = torch.finfo(torch.float64).eps * len(values) * float(values[-1]) if len(values) else 0.0
    coef, objective = [], []
    for level in penalties:
        shrunk = values + level
        inverse = torch.where(shrunk > least, 1 / shrunk, 0.0)[:, None]
        w = inverse * turned
        fit = variance - 2 * (w * turned).sum(0) + (shrunk[:, None] * w * w).sum(0)
        objective.append(0.5 * fit.clamp(min=0))
        coef.append((U @ w).T)
    stacked = torch.stack(coef)
    return RidgeFit(stacked, y_mean - stacked @ x_mean, torch.stack(objective))
