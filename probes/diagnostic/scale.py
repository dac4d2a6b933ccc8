"""Standardisation per dimension, with a floor under the deviation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FLOOR = 0.01
"""Of the median deviation. Real models have dimensions that are constant up to rounding (the last
layer of all-MiniLM-L6-v2 has three); those that hold something are far above a hundredth of the
median, and the others far below (`tests/test_probe.py` measures both)."""

BLOCK_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Scale:
    """x ↦ (x − mean) / deviation."""

    mean: Tensor
    """Shape (d,), fp64."""
    deviation: Tensor
    """Shape (d,), fp64, positive."""

    def __call__(self, X: Tensor) -> Tensor:
        """Standardise X (n, d); the result is new and has the dtype of X, if not less than fp32."""
        dtype = torch.promote_types(X.dtype, torch.float32)
        out = torch.empty_like(X, dtype=dtype)
        for start in range(0, len(X), BLOCK_ROWS):
            rows = X[start : start + BLOCK_ROWS].double() - self.mean
            out[start : start + BLOCK_ROWS] = rows.div_(self.deviation)
        return out

    def unscaled(self, coef: Tensor, intercept: Tensor) -> tuple[Tensor, Tensor]:
        """Map a linear model of standardised inputs to one of the inputs themselves.

        Parameters
        ----------
        coef : Tensor of shape (..., K, d)
            Weights on (x − mean) / deviation.
        intercept : Tensor of shape (..., K)
            Intercepts.

        Returns
        -------
        tuple of Tensor
            The same shapes, fp64: the same predictions from x.
        """
        coef = coef.double() / self.deviation
        return coef, intercept.double() - coef @ self.mean


def fit_scale(X: Tensor, floor: float = FLOOR) -> Scale:
    """Take mean and deviation of each dimension of the training rows.

    A dimension that hardly varies is centred and left small: its deviation is raised to `floor`
    times the median deviation. Divided by its own deviation, a dimension of rounding noise would
    weigh as much in the penalised fit as any other. Where most dimensions are constant, the median
    is taken over the others; where all are, the deviation is 1.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        Training rows, and no others.
    floor : float
        Smallest deviation, in units of the median one.

    Returns
    -------
    Scale
        In fp64, from two passes (mean first), on the device of X.
    """
    mean = X.mean(0, dtype=torch.float64)
    total = torch.zeros_like(mean)
    for start in range(0, len(X), BLOCK_ROWS):
        total += (X[start : start + BLOCK_ROWS].double() - mean).square_().sum(0)
    deviation = (total / len(X)).sqrt()
    rounding = torch.finfo(X.dtype).eps * mean.abs()
    varies = deviation > rounding
    if not bool(varies.any()):
        return Scale(mean, torch.ones_like(mean))
    least = floor * deviation[varies].median()
    return Scale(mean, deviation.clamp(min=float(least)))
