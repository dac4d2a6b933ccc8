"""Spaces in which analogies are asked: vectors as they are, and with what they share removed.

Every transform is fitted on rows that are given (the candidate words) and applied to all. Vectors
of models, and of later layers above all, lie in a narrow cone (Ethayarajh, 2019), where cosines
say less; results name the space beside the answer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from probes.analogy.vectors import blocks
from probes.errors import InputError

Rows = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


def as_is(X: Rows, fit_on: Rows | None = None) -> Rows:
    """Give the vectors themselves."""
    return X


def centred(X: Rows, fit_on: Rows | None = None) -> Rows:
    """Subtract the mean.

    Parameters
    ----------
    X : ndarray of shape (n, width), float32
        Vectors.
    fit_on : ndarray of shape (m, width), float32, optional
        The vectors whose mean it is; `X` itself if None.

    Returns
    -------
    ndarray of shape (n, width), float32
        A new array.
    """
    mean = _mean(X if fit_on is None else fit_on)
    return _mapped(X, lambda block: block - mean)


def without_leading(X: Rows, k: int, fit_on: Rows | None = None) -> Rows:
    """Subtract the mean and remove the leading principal components ("all but the top").

    Parameters
    ----------
    X : ndarray of shape (n, width), float32
        Vectors.
    k : int
        Components, from 0 to the width.
    fit_on : ndarray of shape (m, width), float32, optional
        The vectors whose mean and components they are; `X` itself if None.

    Returns
    -------
    ndarray of shape (n, width), float32
        A new array.

    Raises
    ------
    InputError
        If there are not so many components.

    Notes
    -----
    Mu and Viswanath (2018), arXiv:1702.01417, algorithm 1.
    """
    width = X.shape[1]
    if not 0 <= k <= width:
        raise InputError(f"{k} leading components of vectors of width {width}; give 0 to {width}")
    mean, _, directions = _components(X if fit_on is None else fit_on)
    leading = directions[:, width - k :]
    return _mapped(X, lambda block: (b := block - mean) - (b @ leading) @ leading.T)


def all_but_the_top(X: Rows, fit_on: Rows | None = None) -> Rows:
    """Remove as many leading components as Mu and Viswanath (2018) advise: width / 100.

    Rounded down, and at least 1. See `without_leading`.
    """
    return without_leading(X, max(1, X.shape[1] // 100), fit_on)


def whitened(X: Rows, fit_on: Rows | None = None) -> Rows:
    """Subtract the mean and give every direction the same variance, none a covariance.

    (X - mean) · V · diag(variance)^(-1/2) · Vᵀ,  with V the principal components: ZCA, which
    moves vectors least, and turns with them where they are rotated.

    Parameters
    ----------
    X : ndarray of shape (n, width), float32
        Vectors.
    fit_on : ndarray of shape (m, width), float32, optional
        The vectors whose mean and covariance they are; `X` itself if None.

    Returns
    -------
    ndarray of shape (n, width), float32
        A new array. A direction in which the vectors do not vary beyond the rounding of float32 is
        removed rather than blown up: the covariance is the identity on the others.

    Notes
    -----
    Kessy, Lewin and Strimmer (2018), arXiv:1512.00809. The covariance is that of the population
    (divided by m).
    """
    mean, variances, directions = _components(X if fit_on is None else fit_on)
    kept = variances > _rounding(mean, variances)
    V = directions[:, kept]
    whitening = (V / np.sqrt(variances[kept])) @ V.T
    return _mapped(X, lambda block: (block - mean) @ whitening)


def unit(X: Rows) -> Rows:
    """Scale rows to unit length; a row that is zero stays zero.

    Parameters
    ----------
    X : ndarray of shape (n, width), float32
        Vectors.

    Returns
    -------
    ndarray of shape (n, width), float32
        A new array.
    """
    return _mapped(X, _unit)


def anisotropy(X: Rows) -> float:
    """Compute the mean cosine of two different words: 0 where directions are spread evenly.

    (|Σ u|² - n) / (n (n - 1)),  with u the n vectors at unit length: exact, over all pairs.

    Parameters
    ----------
    X : ndarray of shape (n, width), float32
        Vectors; those that are zero have no cosine, and are left out.

    Returns
    -------
    float
        At most 1.

    Raises
    ------
    InputError
        If fewer than two vectors have a direction.

    Notes
    -----
    Ethayarajh (2019), arXiv:1909.00512, §3.4, who estimates it from 1,000 words drawn at random.
    """
    total = np.zeros(X.shape[1])
    n = 0
    for _, block in blocks(X):
        total += _unit(block.astype(np.float64)).sum(axis=0)
        n += int(block.any(axis=1).sum())
    if n < 2:
        raise InputError(f"the anisotropy of {n} vectors that are not zero; expected at least 2")
    return float((total @ total - n) / (n * (n - 1)))


SPACES: dict[str, Callable[..., Rows]] = {
    "as-is": as_is,
    "centred": centred,
    "all-but-the-top": all_but_the_top,
    "whitened": whitened,
}
"""By the name that results carry."""


def _unit(block: Floats) -> Floats:
    # By the largest value first: the squares of small ones would vanish.
    largest = np.abs(block).max(axis=1, keepdims=True)
    block = np.divide(block, largest, out=np.zeros_like(block), where=largest > 0)
    length = np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
    return np.divide(block, length, out=block, where=length > 0)


def _mean(X: Rows) -> Floats:
    if not len(X):
        raise InputError("the mean of no vectors; expected at least 1")
    total = np.zeros(X.shape[1])
    for _, block in blocks(X):
        total += block.sum(axis=0, dtype=np.float64)
    return total / len(X)


def _components(X: Rows) -> tuple[Floats, Floats, Floats]:
    """Compute the mean, and the variances, ascending, along the principal components (columns)."""
    mean = _mean(X)
    covariance = np.zeros((X.shape[1], X.shape[1]))
    for _, block in blocks(X):
        deviation = block - mean
        covariance += deviation.T @ deviation
    variances, directions = np.linalg.eigh(covariance / len(X))
    return mean, variances, directions


def _rounding(mean: Floats, variances: Floats) -> float:
    """Bound the variance that rounding alone may leave in a direction: of X, and of `eigh`."""
    width = len(mean)
    square = float(mean @ mean + variances.sum())  # the mean square of a vector's length
    of_X = width * float(np.finfo(np.float32).eps) ** 2 * square
    of_eigh = width * float(np.finfo(np.float64).eps) * float(variances[-1])
    return max(of_X, of_eigh)


def _mapped(X: Rows, of: Callable[[Floats], Floats]) -> Rows:
    """Apply a map to every row in float64, a block at a time."""
    out = np.empty(X.shape, dtype=np.float32)
    for start, block in blocks(X):
        out[start : start + len(block)] = of(block.astype(np.float64))
    return out
