"""Gradient flow on a two-layer linear network, f(x) = vᵀ B x: Kumar et al.'s theory, in numbers.

Shapes: a head `v` (k,), features `B` (k, d), inputs `X` (n, d) with n < d, targets `Y` (n,) = X w*
with w* = B*ᵀ v*. What lies outside the row space of `X` no gradient sees, and fine-tuning leaves
it as it was: there the head that has grown or shrunk meets features that have not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.errors import EnvironmentFailure, InputError
from probes.metrics import Floats

SETTLED = 1e-9
"""Length of the gradient at which the flow has ended, as a share of ‖X‖ ‖Y‖ ‖(v, B)‖, or of its
length at the start where that is more."""

_RTOL, _ATOL = 1e-11, 1e-13
_BETWEEN = 4  # points to a step, so that a drawing has no corners
_LONGEST = 1e12  # in units of the fastest change at the start


@dataclass(frozen=True)
class Flow:
    """The way of a head and its features under gradient flow.

    Parameters
    ----------
    times : ndarray of shape (n_times,)
        From 0 on; the solver's steps, and some between.
    v : ndarray of shape (n_times, k)
        The head at each time.
    B : ndarray of shape (n_times, k, d)
        The features at each time.
    """

    times: Floats
    v: Floats
    B: Floats

    @property
    def w(self) -> Floats:
        """The linear function at each time, Bᵀ v, of shape (n_times, d)."""
        return np.asarray(np.einsum("tk,tkd->td", self.v, self.B))


def loss(X: npt.ArrayLike, Y: npt.ArrayLike, v: npt.ArrayLike, B: npt.ArrayLike) -> float:
    """Measure the training loss ‖X Bᵀ v - Y‖², a sum over units."""
    X, Y, v, B = _checked(X, Y, v, B)
    return float(np.square(X @ B.T @ v - Y).sum())


def gradients(
    X: npt.ArrayLike, Y: npt.ArrayLike, v: npt.ArrayLike, B: npt.ArrayLike
) -> tuple[Floats, Floats]:
    """Derive the loss by the head and by the features.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Inputs.
    Y : array_like of shape (n,)
        Targets.
    v : array_like of shape (k,)
        Head.
    B : array_like of shape (k, d)
        Features.

    Returns
    -------
    by_v : ndarray of shape (k,)
        -2 B Xᵀ (Y - X Bᵀ v).
    by_B : ndarray of shape (k, d)
        -2 v (Y - X Bᵀ v)ᵀ X; each row lies in the row space of X. (Kumar et al. print it without
        the minus.)

    Raises
    ------
    InputError
        If the shapes do not fit.
    """
    X, Y, v, B = _checked(X, Y, v, B)
    rest = (Y - X @ B.T @ v) @ X
    return -2 * B @ rest, -2 * np.outer(v, rest)


def fine_tune(X: npt.ArrayLike, Y: npt.ArrayLike, v: npt.ArrayLike, B: npt.ArrayLike) -> Flow:
    """Follow the gradient of head and features until it vanishes.

    Parameters
    ----------
    X, Y, v, B
        As in `gradients`; head and features are those at time 0.

    Returns
    -------
    Flow
        The way; at its last time the gradient is as short as `SETTLED` says (the start itself,
        where the loss is nought).

    Raises
    ------
    InputError
        If the shapes do not fit.
    EnvironmentFailure
        If the solver finds no end.
    """
    X, Y, v, B = _checked(X, Y, v, B)
    return _flow(X, Y, v, B, head_only=False)


def probe_by_flow(X: npt.ArrayLike, Y: npt.ArrayLike, v: npt.ArrayLike, B: npt.ArrayLike) -> Flow:
    """Follow the gradient of the head alone until it vanishes; as `fine_tune`."""
    X, Y, v, B = _checked(X, Y, v, B)
    return _flow(X, Y, v, B, head_only=True)


def linear_probe(X: npt.ArrayLike, Y: npt.ArrayLike, B: npt.ArrayLike) -> Floats:
    """Solve for the head by least squares: where `probe_by_flow` ends from a head of nought.

    Parameters
    ----------
    X, Y, B
        As in `gradients`.

    Returns
    -------
    ndarray of shape (k,)
        Of least norm, where the features of the units leave it open.
    """
    B = np.asarray(B, np.float64)
    X, Y, _, B = _checked(X, Y, np.zeros(len(B)), B)
    return np.asarray(np.linalg.lstsq(X @ B.T, Y, rcond=None)[0])


def ood_error(w: npt.ArrayLike, w_star: npt.ArrayLike) -> float:
    """Measure the error on inputs of covariance I, ‖w - w*‖², for w = Bᵀ v."""
    return float(np.square(np.asarray(w, np.float64) - np.asarray(w_star, np.float64)).sum())


def extractor_error(B: npt.ArrayLike, B_star: npt.ArrayLike) -> tuple[float, Floats]:
    """Measure how far features are from the right ones, whatever their rotation.

    Parameters
    ----------
    B, B_star : array_like of shape (k, d)
        Each with orthonormal rows.

    Returns
    -------
    error : float
        ‖B - U B*‖ in the spectral norm.
    U : ndarray of shape (k, k)
        The rotation that brings B* nearest to B (Procrustes).
    """
    B, B_star = np.asarray(B, np.float64), np.asarray(B_star, np.float64)
    left, _, right = np.linalg.svd(B @ B_star.T)
    U = left @ right
    return float(np.linalg.norm(B - U @ B_star, 2)), U


def distortion_bound(
    X: npt.ArrayLike,
    v: npt.ArrayLike,
    B: npt.ArrayLike,
    v_star: npt.ArrayLike,
    B_star: npt.ArrayLike,
) -> float:
    """Bound the root of fine-tuning's OOD error from below, at all times.

    Parameters
    ----------
    X : array_like of shape (n, d)
        Inputs, n < d and k < d - n.
    v, B : array_like of shape (k,) and (k, d)
        Head and features before fine-tuning; the rows of B are orthonormal.
    v_star, B_star : array_like of shape (k,) and (k, d)
        Those that made the targets; the rows of B* are orthonormal.

    Returns
    -------
    float
        cos θ_k(R, S^⊥) / √k · min(φ, φ² / ‖w*‖) / (1 + ‖w*‖)² - ε, with R the row space of B, S
        that of X, φ² = |(vᵀv*)² - (v*ᵀv*)²| and ε the `extractor_error`; of no use where negative.

    Raises
    ------
    InputError
        If the shapes do not fit.

    Notes
    -----
    Kumar et al. (2022), arXiv:2202.10054, theorem 3.1 of the first version (whose φ² lacks the
    absolute value, without which it can be negative). B* and v* are turned by the rotation that
    brings B* nearest to B, which changes no function.
    """
    v_star, B_star = np.asarray(v_star, np.float64), np.asarray(B_star, np.float64)
    w_star = B_star.T @ v_star
    X, _, v, B = _checked(X, np.asarray(X, np.float64) @ w_star, v, B)
    error, U = extractor_error(B, B_star)
    own = float(v_star @ v_star)
    phi = np.sqrt(abs(float(v @ U @ v_star) ** 2 - own**2))
    length = float(np.linalg.norm(w_star))
    _, values, rows = np.linalg.svd(X, full_matrices=True)
    rank = int((values > max(X.shape) * np.finfo(float).eps * values[0]).sum())
    cosines = np.linalg.svd(B @ rows[rank:].T, compute_uv=False)
    cosine = float(cosines[len(B) - 1]) if len(cosines) >= len(B) else 0.0
    return float(cosine / np.sqrt(len(B)) * min(phi, phi**2 / length) / (1 + length) ** 2 - error)


def _flow(X: Floats, Y: Floats, v: Floats, B: Floats, *, head_only: bool) -> Flow:
    from scipy.integrate import solve_ivp

    k = len(v)

    def slope(_: float, at: Floats) -> Floats:
        by_v, by_B = gradients(X, Y, at[:k], at[k:].reshape(B.shape))
        return -np.concatenate([by_v, 0 * by_B.ravel() if head_only else by_B.ravel()])

    start = np.concatenate([v, B.ravel()])
    steep, size, span = (float(np.linalg.norm(part)) for part in (slope(0.0, start), start, X))
    scale = span * float(np.linalg.norm(Y))

    def unsettled(time: float, at: Floats) -> float:
        return float(np.linalg.norm(slope(time, at))) - SETTLED * max(steep, scale * size)

    unsettled.terminal = True  # type: ignore[attr-defined]
    if unsettled(0.0, start) <= 0:
        return Flow(np.zeros(1), v[None].copy(), B[None].copy())
    end = _LONGEST / (span**2 * size**2 + scale)
    found = solve_ivp(
        slope, (0, end), start, method="DOP853", rtol=_RTOL, atol=_ATOL, events=unsettled,
        dense_output=True,
    )  # fmt: skip
    if found.status != 1:
        raise EnvironmentFailure(f"the gradient flow found no end: {found.message}")
    steps = np.arange(len(found.t))
    times = np.interp(np.arange(_BETWEEN * steps[-1] + 1) / _BETWEEN, steps, found.t)
    way = found.sol(times).T
    return Flow(times, way[:, :k], way[:, k:].reshape(-1, *B.shape))


def _checked(
    X: npt.ArrayLike, Y: npt.ArrayLike, v: npt.ArrayLike, B: npt.ArrayLike
) -> tuple[Floats, Floats, Floats, Floats]:
    X, Y, v, B = (np.asarray(values, np.float64) for values in (X, Y, v, B))
    fits = X.ndim == 2 and B.ndim == 2 and X.shape[1] == B.shape[1]
    if not fits or Y.shape != X.shape[:1] or v.shape != B.shape[:1]:
        raise InputError(
            f"inputs {X.shape}, targets {Y.shape}, head {v.shape}, features {B.shape}; expected "
            "(n, d), (n,), (k,) and (k, d)"
        )
    return X, Y, v, B
