"""Approximate inverse Hessians of softmax regression: what makes its solver need few passes.

The Hessian of the mean log loss with L2 is

    H = E[(diag p − p pᵀ) ⊗ x xᵀ] + λ I,          p = softmax(W x + b),

of side K d. Two approximations are cheap to invert. In both, the classes are first turned into the
eigenbasis V of their mean curvature S = E[diag p − p pᵀ], in which they are uncorrelated on average
(in the natural basis a confusion of two classes is an off-diagonal block as large as the diagonal).

`KroneckerCurvature`: S ⊗ E[x xᵀ] + λ I. Exact at W = 0. It needs one eigendecomposition an X.
`BlockCurvature`: for each direction v of V its own E[Var_p(v) x xᵀ] + λ I, with Var_p(v) the
variance of v's entries under p, from an importance sample of rows. Needed where λ is weak, the fit
confident, and each direction's curvature sits on rows of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probes.diagnostic.softmax import Each, block_rows

RIDGE = 1e-6
"""Relative to the mean eigenvalue: keeps an fp32 inverse positive definite."""

SAMPLE = 4
"""Rows sampled a class direction, in multiples of d: enough for a block of full rank."""

SHRINK = 0.2
"""Part of a block that is the unweighted second moment instead of the sample's. A direction that
the sample missed, as those of rare words in an embedding layer, would pass for flat, and the step
along it be far too long."""


class Spectrum:
    """The second moment E[x xᵀ] and its eigendecomposition, shared by all models of an X."""

    def __init__(self, X: Tensor, each: Each = map) -> None:
        def block_moment(start: int) -> Tensor:
            block = X[start : start + rows]
            return block.T @ block

        rows = block_rows(len(X), X.shape[1], X.device)
        moment = X.new_zeros(X.shape[1], X.shape[1], dtype=torch.float64)
        for part in each(block_moment, range(0, len(X), rows)):
            moment += part
        moment /= len(X)
        values, self.vectors = torch.linalg.eigh(moment)
        self.values = values.clamp(min=0)
        self.moment = moment


class KroneckerCurvature:
    """(S ⊗ E[x xᵀ] + λ I)⁻¹, S the mean curvature of the classes.

    Parameters
    ----------
    spectrum : Spectrum
        Of E[x xᵀ].
    S : Tensor of shape (K, K)
        Mean of diag p − p pᵀ.
    penalty : float
        λ.
    """

    def __init__(self, spectrum: Spectrum, S: Tensor, penalty: float) -> None:
        values, self.V = _eigenbasis(S)
        self.U = spectrum.vectors
        self.scale = 1 / (values[:, None] * spectrum.values + penalty)
        self.intercept = _pseudo_inverse(values, self.V)

    def solve(self, coef: Tensor, intercept: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the inverse to a gradient (K, d), (K,)."""
        turned = (self.V.T @ coef @ self.U) * self.scale
        return self.V @ turned @ self.U.T, self.intercept @ intercept


class BlockCurvature:
    """One d × d inverse for each direction of the classes' eigenbasis.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        The inputs.
    spectrum : Spectrum
        Of E[x xᵀ].
    p : Tensor of shape (K, n)
        Probabilities of the classes at the point where the curvature is wanted.
    S : Tensor of shape (K, K)
        Mean of diag p − p pᵀ.
    penalty : float
        λ.
    each : callable
        Takes the directions: `map`, or the `map` of `probes.cores.each_core`.
    """

    def __init__(
        self,
        X: Tensor,
        spectrum: Spectrum,
        p: Tensor,
        S: Tensor,
        penalty: float,
        each: Each = map,
    ) -> None:
        n, d = X.shape
        values, self.V = _eigenbasis(S)
        turn = self.V.T.to(p.dtype)
        weights = ((turn * turn) @ p - (turn @ p).square_()).clamp_(min=0)
        self.inverse = X.new_empty(len(p), d, d)
        sample = min(n, SAMPLE * d)
        eye = torch.eye(d, dtype=torch.float64, device=X.device)

        def invert(k: int) -> None:
            mean = weights[k].sum(dtype=torch.float64) / n
            rows = X[_systematic(weights[k], sample)]
            block = (rows.T @ rows).double() / sample
            block = mean * ((1 - SHRINK) * block + SHRINK * spectrum.moment)
            floor = penalty + RIDGE * float(block.diagonal().mean())
            root = torch.linalg.cholesky(block + max(floor, 1e-300) * eye)
            self.inverse[k] = torch.cholesky_inverse(root)

        list(each(invert, range(len(p))))
        self.intercept = _pseudo_inverse(values, self.V)

    def solve(self, coef: Tensor, intercept: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the inverse to a gradient (K, d), (K,)."""
        turned = (self.V.T @ coef).to(self.inverse.dtype)
        solved = torch.bmm(self.inverse, turned[:, :, None])[:, :, 0]
        return self.V @ solved.double(), self.intercept @ intercept


def probabilities(X: Tensor, coef: Tensor, intercept: Tensor, each: Each = map) -> Tensor:
    """Softmax of one model's logits, shape (K, n), in the precision of X."""
    K = len(coef)
    p = X.new_empty(K, len(X))
    W, b = coef.to(X.dtype), intercept.to(X.dtype)[:, None]
    rows = block_rows(len(X), K, X.device)

    def fill(start: int) -> None:
        block = X[start : start + rows]
        p[:, start : start + rows] = torch.softmax(torch.addmm(b, W, block.T), 0)

    list(each(fill, range(0, len(X), rows)))
    return p


def class_curvature(p: Tensor) -> Tensor:
    """Mean of diag p − p pᵀ over the rows of p (K, n), shape (K, K), fp64."""
    S = -(p @ p.T).double()
    S.diagonal().add_(p.sum(1, dtype=torch.float64))
    return S / p.shape[1]


def _systematic(weight: Tensor, size: int) -> Tensor:
    """Draw rows with probability proportional to weight, by systematic sampling (no randomness)."""
    total = weight.double().cumsum(0)
    if not total[-1] > 0:
        return torch.arange(size, device=weight.device)
    points = (torch.arange(size, dtype=torch.float64, device=weight.device) + 0.5) / size
    return torch.searchsorted(total, points * total[-1]).clamp_(max=len(weight) - 1)


def _eigenbasis(S: Tensor) -> tuple[Tensor, Tensor]:
    values, V = torch.linalg.eigh(S)
    return values.clamp(min=0), V


def _pseudo_inverse(values: Tensor, V: Tensor) -> Tensor:
    kept = values > 1e-10 * values[-1]
    return (V * torch.where(kept, 1 / values, 0.0)) @ V.T
