"""What fine-tuning did to a model: how far features moved, and along which inputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.metrics import Floats


@dataclass(frozen=True)
class Split:
    """The change of a linear layer's weights, along the training inputs and across them.

    Parameters
    ----------
    within, across : ndarray of shape (n_outputs, n_inputs)
        The part in the row space of the training inputs, which their outputs see, and the rest,
        which only other inputs see; they sum to the change.
    within_norm, across_norm : float
        Frobenius norms; their squares sum to the change's.
    rank : int
        Dimension of the row space.
    n_inputs : int
        Width of the inputs; where the rank reaches it, nothing lies across.
    """

    within: Floats
    across: Floats
    within_norm: float
    across_norm: float
    rank: int
    n_inputs: int


def feature_shift(before: npt.ArrayLike, after: npt.ArrayLike) -> float:
    """Measure how far the features of the same units moved: their mean Euclidean distance.

    Parameters
    ----------
    before, after : array_like of shape (n_units, width)
        Features of the same units, row by row, before and after fine-tuning.

    Returns
    -------
    float
        The mean over units of ‖after - before‖, in the features' own unit: beside it belongs
        `feature_norm`. Kumar et al. (2022), arXiv:2202.10054, §4, measure it on units at home and
        on units under shift.

    Raises
    ------
    InputError
        If the shapes differ, there is no unit, or a number is not finite.
    """
    A, B = _features(before), _features(after)
    if A.shape != B.shape:
        raise InputError(
            f"features have shape {A.shape} before and {B.shape} after; give the same units twice"
        )
    return float(np.linalg.norm(B - A, axis=1).mean())


def feature_norm(features: npt.ArrayLike) -> float:
    """Measure how long features are: their mean Euclidean norm.

    Parameters
    ----------
    features : array_like of shape (n_units, width)
        Of any units.

    Returns
    -------
    float
        The mean over units; what a feature shift is to be compared with.

    Raises
    ------
    InputError
        If there is no unit, or a number is not finite.
    """
    return float(np.linalg.norm(_features(features), axis=1).mean())


def head_norm(weight: npt.ArrayLike) -> float:
    """Measure how large a linear head is: the Frobenius norm of its weights, without the bias.

    Parameters
    ----------
    weight : array_like of shape (n_classes, width)
        Of the head.

    Returns
    -------
    float
        Tomihari & Sato (2024): it grows in linear probing, and a large head moves the features
        less in the fine-tuning that follows, and is less calibrated.

    Raises
    ------
    InputError
        If it is no matrix, or a number is not finite.
    """
    return float(np.linalg.norm(_features(weight, "the weights of the head")))


def split_change(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    inputs: npt.ArrayLike,
    *,
    tolerance: float | None = None,
) -> Split:
    """Split the change of a linear layer's weights by the row space of its training inputs.

    Parameters
    ----------
    before, after : array_like of shape (n_outputs, n_inputs)
        Weights, as ``torch.nn.Linear`` has them.
    inputs : array_like of shape (n_units, n_inputs)
        What entered the layer in training. Where it has a bias, leave it out: the split is of the
        weights.
    tolerance : float, optional
        Singular values of the inputs above this share of the largest count; by default
        max(n_units, n_inputs) ε, with the ε of the inputs' dtype (as numpy's ``matrix_rank``).

    Returns
    -------
    Split
        Both parts.

    Raises
    ------
    InputError
        If shapes do not fit, a number is not finite, or the tolerance is no share.

    Notes
    -----
    With the inputs' reduced singular value decomposition X = U S Vᵀ, cut at the rank: the part
    within is Δ V Vᵀ. A step of gradient descent on a loss of the layer's outputs is a sum of
    outer products with inputs, so that the whole change lies within, with momentum too (Kumar
    et al. 2022, §3). What lies across is the doing of weight decay, of Adam, or of inputs that
    were not given, as when the layers below moved. Cost O(n_units n_inputs²).
    """
    given = np.asarray(inputs)
    X = _features(given, "inputs")
    old, new = _features(before, "weights before"), _features(after, "weights after")
    if old.shape != new.shape or old.shape[1] != X.shape[1]:
        raise InputError(
            f"weights have shape {old.shape} before and {new.shape} after, inputs {X.shape}; "
            "expected (n_outputs, n_inputs) twice and (n_units, n_inputs)"
        )
    if tolerance is None:
        dtype = given.dtype if np.issubdtype(given.dtype, np.floating) else np.dtype(np.float64)
        tolerance = max(X.shape) * float(np.finfo(dtype).eps)
    if not 0 <= tolerance < 1:
        raise InputError(f"tolerance {tolerance}: expected a share of the largest singular value")
    _, values, rows = np.linalg.svd(X, full_matrices=False)
    rank = int((values > tolerance * values[0]).sum())
    basis = rows[:rank]
    change = new - old
    within = change @ basis.T @ basis
    across = change - within
    lengths = float(np.linalg.norm(within)), float(np.linalg.norm(across))
    return Split(within, across, *lengths, rank, X.shape[1])


def _features(values: npt.ArrayLike, what: str = "features") -> Floats:
    X = np.asarray(values, np.float64)
    if X.ndim != 2 or 0 in X.shape:
        raise InputError(f"{what} have shape {X.shape}; expected two dimensions, neither empty")
    if not np.isfinite(X).all():
        row = int(np.flatnonzero(~np.isfinite(X).all(1))[0])
        raise InputError(f"{what} are not finite in row {row}; leave such units out, counted")
    return X
