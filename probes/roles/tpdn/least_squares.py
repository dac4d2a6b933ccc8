"""Ridge regression on sparse designs, exact, for many targets and penalties.

minimise  (1/n) ‖Z − X B − 1 bᵀ‖² + λ ‖B‖²,  with λ chosen a layer on held-out rows.

Everything is computed from additive moments (n, Σx, Σxxᵀ, Σxzᵀ); where there are fewer rows than
columns, from the rows' products instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from probes.errors import InputError
from probes.roles.tpdn.positive import Factor, times

Floats = npt.NDArray[np.float64]

PENALTIES: tuple[float, ...] = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10)
"""Tried on held-out rows, per mean loss, from the strongest on, until all layers have had enough;
then half a decade to both sides of those that were chosen."""

HALF = 10**0.5

ENOUGH = 1.02
"""A weaker penalty is left untried where the last had this many times the best held-out loss."""

FLAT = 1e-3
"""So it is where the last one lowered the loss by no more than this share, and was no stronger than
`RARE` times the mean square of the rarest column: then no column waits for a weaker one."""

RARE = 100

DENSE = 0.15
"""A design that holds more than this share of numbers is multiplied as a dense one."""


@dataclass(frozen=True, eq=False)
class LinearFit:
    """A fitted map from a design to targets.

    Parameters
    ----------
    intercept : ndarray of shape (n_targets,)
        b.
    coef : ndarray of shape (n_columns, n_targets), or None
        B; None where it is kept as what follows.
    rows : csr_array of shape (n_rows, n_columns), or None
        The training rows, of which B is a combination: Xᵀ A.
    dual : ndarray of shape (n_rows, n_targets), or None
        A.
    penalties : ndarray of shape (n_layers,)
        The λ of each layer.
    losses : dict of float to ndarray of shape (n_layers,)
        By penalty, the mean squared error on the held-out rows; empty where only one was given.
    moments : Moments, or None
        Of the rows that were fitted; None where their products were taken instead.
    """

    intercept: Floats
    coef: Floats | None
    rows: sparse.csr_array | None
    dual: Floats | None
    penalties: Floats
    losses: dict[float, Floats]
    moments: Moments | None = None

    def predict(self, X: sparse.csr_array) -> Floats:
        """Map a design of shape (n, n_columns) to targets, shape (n, n_targets)."""
        if self.coef is not None:
            return _times(X, self.coef) + self.intercept
        assert self.rows is not None and self.dual is not None
        return _product(X, self.rows) @ self.dual + self.intercept

    def direction(self, x: sparse.csr_array) -> Floats:
        """Map a design of shape (n, n_columns) to targets, without the intercept."""
        return self.predict(x) - self.intercept


@dataclass(frozen=True, eq=False)
class Moments:
    """What a least-squares fit needs to know of some rows; moments of disjoint rows add.

    Parameters
    ----------
    n : int
        Number of rows.
    x, z : ndarray of shape (n_columns,) and (n_targets,)
        Sums.
    xx, xz : ndarray of shape (n_columns, n_columns) and (n_columns, n_targets)
        Sums of products, not centred.
    """

    n: int
    x: Floats
    z: Floats
    xx: Floats
    xz: Floats

    @classmethod
    def of(cls, X: sparse.csr_array, Z: npt.NDArray[Any]) -> Moments:
        """Sum over rows; Z of shape (n, n_targets)."""
        Z = np.asarray(Z, dtype=np.float64)
        xx = _gram(X)
        return cls(X.shape[0], np.asarray(X.sum(axis=0)), Z.sum(axis=0), xx, _times(X.T, Z))

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.n + other.n,
            self.x + other.x,
            self.z + other.z,
            self.xx + other.xx,
            self.xz + other.xz,
        )

    def centred(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Give the means of x and z, and the centred mean products of x with x and with z."""
        x, z = self.x / self.n, self.z / self.n
        return x, z, self.xx / self.n - np.outer(x, x), self.xz / self.n - np.outer(x, z)


def _gram(X: sparse.csr_array) -> Floats:
    if X.nnz > DENSE * X.shape[0] * X.shape[1]:
        dense = X.toarray()
        return dense.T @ dense
    return np.asarray((X.T @ X).toarray())


def _times(X: Any, coef: Floats) -> Floats:
    """Multiply a design, or a transposed one, with a dense matrix."""
    return np.asarray((X.toarray() if X.nnz > DENSE * X.shape[0] * X.shape[1] else X) @ coef)


def _product(X: sparse.csr_array, Y: sparse.csr_array) -> Floats:
    """Multiply two designs, X Yᵀ."""
    if max(X.nnz / max(X.shape[0], 1), Y.nnz / max(Y.shape[0], 1)) > DENSE * X.shape[1]:
        return np.asarray(X.toarray() @ Y.toarray().T)
    return np.asarray((X @ Y.T).toarray())


def fit_least_squares(
    X: sparse.csr_array,
    Z: npt.NDArray[Any],
    held_out: npt.NDArray[np.bool_],
    *,
    n_layers: int = 1,
    penalties: Sequence[float] = PENALTIES,
    refit: bool = True,
) -> LinearFit:
    """Fit all layers at the penalty that held-out rows choose for each.

    Parameters
    ----------
    X : csr_array of shape (n, n_columns)
        The design.
    Z : ndarray of shape (n, n_layers · width)
        Targets, the layers side by side.
    held_out : ndarray of shape (n,), bool
        Rows by which the penalty is chosen; the others are fitted.
    n_layers : int
        How many layers stand in `Z`.
    penalties : sequence of float
        Positive, per mean loss.
    refit : bool
        Whether the held-out rows are fitted, too, once the penalty is chosen.

    Returns
    -------
    LinearFit
        In float64.

    Raises
    ------
    InputError
        If no rows are left to fit or to choose by, a penalty is not positive, or Z is not finite.
    """
    _check(X, Z, held_out, penalties)
    (X_train, Z_train), (X_held, Z_held) = _divided(X, Z, held_out)
    fitted = (_Primal if X.shape[1] <= len(Z_train) else _Dual)(X_train, Z_train)
    losses: dict[float, Floats] = {}

    def ask(penalty: float) -> None:
        errors = np.square(fitted.predict(penalty, X_held) - Z_held)
        losses[penalty] = errors.reshape(len(errors), n_layers, -1).mean(axis=(0, 2))

    if len(penalties) > 1:
        _search(sorted(penalties, reverse=True), ask, losses, _rarest(X_train))
        for penalty in np.unique(_chosen(losses)):
            if not _flat_around(float(penalty), losses):
                ask(float(penalty) * HALF)
                ask(float(penalty) / HALF)
        chosen = _chosen(losses)
    else:
        chosen = np.full(n_layers, penalties[0])
    whole = fitted.extended(X_held, Z_held) if refit else fitted
    return whole.finish(chosen, losses)


def _divided(
    X: sparse.csr_array, Z: npt.NDArray[Any], held_out: npt.NDArray[np.bool_]
) -> tuple[tuple[sparse.csr_array, npt.NDArray[Any]], tuple[sparse.csr_array, npt.NDArray[Any]]]:
    """Cut into the rows to fit and the held-out ones; nothing is copied where those come last."""
    n = int((~held_out).sum())
    if held_out[n:].all():
        return (X[:n], Z[:n]), (X[n:], Z[n:])
    return (X[~held_out], Z[~held_out]), (X[held_out], Z[held_out])


def _search(
    penalties: Sequence[float],
    ask: Callable[[float], None],
    losses: dict[float, Floats],
    rarest: float,
) -> None:
    """Try penalties from the strongest on, until a weaker one can bring nothing."""
    best: Floats | None = None
    for penalty in penalties:
        ask(penalty)
        loss = losses[penalty]
        if best is not None:
            flat = bool((best - loss <= FLAT * best).all()) and penalty <= RARE * rarest
            if flat or (loss > ENOUGH * np.minimum(best, loss)).all():
                break
        best = loss if best is None else np.minimum(best, loss)


def _rarest(X: sparse.csr_array) -> float:
    """Give the smallest mean square of a column that is not empty."""
    squares = np.asarray(X.multiply(X).sum(axis=0)) / X.shape[0]
    return float(squares[squares > 0].min(initial=np.inf))


def _flat_around(penalty: float, losses: dict[float, Floats]) -> bool:
    """Say whether the penalties next to this one do as well, in every layer that chose it."""
    order = sorted(losses)
    at = order.index(penalty)
    beside = [losses[p] for p in order[max(at - 1, 0) : at + 2]]
    mine = _chosen(losses) == penalty
    return bool((np.stack(beside)[:, mine] <= (1 + FLAT) * losses[penalty][mine]).all())


def _chosen(losses: dict[float, Floats]) -> Floats:
    """Give each layer's best penalty; of equals the strongest."""
    order = sorted(losses, reverse=True)
    return np.asarray(order)[np.argmin(np.stack([losses[p] for p in order]), axis=0)]


def _check(
    X: sparse.csr_array,
    Z: npt.NDArray[Any],
    held_out: npt.NDArray[np.bool_],
    penalties: Sequence[float],
) -> None:
    if X.shape[0] != len(Z):
        raise InputError(f"{X.shape[0]} sequences and {len(Z)} encodings; give one for each")
    if not np.isfinite(Z).all():
        row = int(np.flatnonzero(~np.isfinite(Z).all(axis=1))[0])
        raise InputError(f"the encoding of sequence {row} holds NaN or infinity")
    if not penalties or min(penalties) <= 0:
        raise InputError(f"penalties {tuple(penalties)}; expected at least one, all positive")
    if held_out.all() or (len(penalties) > 1 and not held_out.any()):
        raise InputError(
            f"{len(held_out)} sequences, {int(held_out.sum())} of them held out to choose the "
            "penalty; expected some of both, give more sequences or a single penalty"
        )


class _Primal:
    """Fewer columns than rows: solve with the columns' products."""

    def __init__(self, X: sparse.csr_array, Z: npt.NDArray[Any]) -> None:
        self._take(Moments.of(X, Z))

    def _take(self, moments: Moments) -> None:
        self._moments = moments
        self._x, self._z, self._xx, self._xz = moments.centred()
        self._latest: dict[float, Floats] = {}

    def extended(self, X: sparse.csr_array, Z: npt.NDArray[Any]) -> _Primal:
        """Take in the rows that were left out; no other is summed again."""
        self._take(self._moments + Moments.of(X, Z))
        return self

    def _coef(self, penalty: float, targets: slice | Floats = slice(None)) -> Floats:
        if penalty in self._latest:
            return self._latest[penalty][:, targets]
        return Factor(self._xx, penalty).solve(self._xz[:, targets])

    def predict(self, penalty: float, X: sparse.csr_array) -> Floats:
        coef = self._coef(penalty)
        self._latest = dict([*self._latest.items(), (penalty, coef)][-2:])  # one is often chosen
        return _times(X, coef) + (self._z - self._x @ coef)

    def finish(self, penalties: Floats, losses: dict[float, Floats]) -> LinearFit:
        width = self._xz.shape[1] // len(penalties)
        coef = np.empty_like(self._xz)
        for penalty in np.unique(penalties):
            targets = np.repeat(penalties == penalty, width)
            coef[:, targets] = self._coef(float(penalty), targets)
        intercept = self._z - self._x @ coef
        return LinearFit(intercept, coef, None, None, penalties, losses, self._moments)


class _Dual:
    """Fewer rows than columns: solve with the rows' products."""

    def __init__(self, X: sparse.csr_array, Z: npt.NDArray[Any]) -> None:
        self._rows = X
        Z = np.asarray(Z, dtype=np.float64)
        self._mean = Z.mean(axis=0)
        self._Z = Z - self._mean
        products = _product(self._rows, self._rows)
        self._means = products.mean(axis=0)
        self._overall = float(self._means.mean())
        self._products = products - self._means - self._means[:, None] + self._overall

    def extended(self, X: sparse.csr_array, Z: npt.NDArray[Any]) -> _Dual:
        """Take in the rows that were left out."""
        rows: sparse.csr_array = sparse.vstack([self._rows, X], format="csr")
        return _Dual(rows, np.concatenate([self._Z + self._mean, Z]))

    def _factor(self, penalty: float) -> Factor:
        return Factor(self._products / len(self._products), penalty)

    def predict(self, penalty: float, X: sparse.csr_array) -> Floats:
        n = len(self._products)
        across = _product(X, self._rows)
        across += self._overall - self._means - across.mean(axis=1)[:, None]
        hat = self._factor(penalty).solve(across.T)
        return times(hat.T, self._Z) / n + self._mean

    def finish(self, penalties: Floats, losses: dict[float, Floats]) -> LinearFit:
        n, width = len(self._products), self._Z.shape[1] // len(penalties)
        dual = np.empty_like(self._Z)
        for penalty in np.unique(penalties):
            targets = np.repeat(penalties == penalty, width)
            dual[:, targets] = self._factor(float(penalty)).solve(self._Z[:, targets]) / n
        dual -= dual.mean(axis=0)  # zero but for rounding: B is a combination of centred rows
        intercept = self._mean - self._means @ dual
        return LinearFit(intercept, None, self._rows, dual, penalties, losses)
