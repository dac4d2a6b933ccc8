"""Positive definite systems, solved by one library.

numpy, scipy and torch each bring their own threads for matrices, and those of one get in the way of
the others': a product by one between two factorisations by another takes more than twice the time.
What is large goes through torch; where that is mixed with much that is small, numpy gets one
thread (`small_by_one_thread`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

Floats = npt.NDArray[np.float64]


class Factor:
    """The Cholesky factor of a symmetric system.

    Parameters
    ----------
    system : ndarray of shape (n, n), float64
        Symmetric; of which the lower half is read.
    shift : float
        Is added to its diagonal.

    Raises
    ------
    numpy.linalg.LinAlgError
        If it is not positive definite.
    """

    def __init__(self, system: Floats, shift: float = 0.0) -> None:
        shifted = torch.from_numpy(system).clone()
        shifted.diagonal().add_(shift)
        factor, failed = torch.linalg.cholesky_ex(shifted)
        if failed:
            raise np.linalg.LinAlgError("the system is not positive definite")
        self._factor: Tensor = factor

    def solve(self, right: Floats) -> Floats:
        """Solve for right sides of shape (n, k)."""
        columns = torch.from_numpy(np.ascontiguousarray(right))
        solved: Floats = torch.cholesky_solve(columns, self._factor).numpy()
        return solved


def times(left: Floats, right: Floats) -> Floats:
    """Multiply two matrices."""
    pair = (torch.from_numpy(np.ascontiguousarray(part)) for part in (left, right))
    product: Floats = torch.mm(*pair).numpy()
    return product


@contextmanager
def small_by_one_thread() -> Iterator[None]:
    """Let numpy and scipy multiply in one thread, and torch as it was told."""
    with threadpool_limits(1, user_api="blas"):
        yield
