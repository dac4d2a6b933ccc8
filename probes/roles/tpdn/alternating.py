"""Alternating least squares for B(f, r) = W · (F_f ⊗ R_r): no step goes up.

minimise  J = (1/n) Σ ‖z − z̄ − Σ_i (B(f_i, r_i) − mean)‖² + λ Σ_{f,r} ‖B(f, r)‖²

over F (fillers or given components × filler_dim), R (roles × role_dim) and W. W is solved exactly,
F and R by conjugate gradients, as closely as is asked. Small problems are solved from moments,
whose cost does not depend on the number of sequences; large vocabularies from the rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from probes.roles.tpdn.bindings import Bindings, Floats, Ints, bound
from probes.roles.tpdn.least_squares import Moments
from probes.roles.tpdn.positive import Factor, times

PRECISE = 1e-10
"""Residual at which conjugate gradients stop, as a share of the right side."""

ROUGH = 0.5
"""The same within a sweep, as a share of the residual at which they start: the next W changes the
system before more is gained."""

MOST_STEPS = 500
"""Of conjugate gradients."""


@dataclass(frozen=True, eq=False)
class Factors:
    """A decomposition's three parts.

    Parameters
    ----------
    fillers : ndarray of shape (n_fillers, filler_dim)
        F; of given fillers, the map from their components.
    roles : ndarray of shape (n_roles, role_dim)
        R.
    weights : ndarray of shape (filler_dim, role_dim, width)
        W.
    """

    fillers: Floats
    roles: Floats
    weights: Floats

    @property
    def table(self) -> Floats:
        """B, shape (n_fillers, n_roles, width)."""
        return np.einsum("fa,rc,acw->frw", self.fillers, self.roles, self.weights, optimize=True)


class Problem(ABC):
    """What is minimised, and the minimum over each part while the others stand."""

    n_fillers: int
    n_roles: int

    @abstractmethod
    def solve_weights(self, fillers: Floats, roles: Floats) -> tuple[Floats, float]:
        """Give the best W, and J at it."""

    @abstractmethod
    def solve_fillers(self, at: Factors, enough: float = PRECISE) -> Floats:
        """Give the best F while R and W stand, until the residual is so small a share."""

    @abstractmethod
    def solve_roles(self, at: Factors, enough: float = PRECISE) -> Floats:
        """Give the best R while F and W stand, until the residual is so small a share."""


class FromMoments(Problem):
    """From the moments of the filler-role counts.

    Parameters
    ----------
    moments : Moments
        Of a design with column ``filler · n_roles + role``.
    total : float
        Mean square of the centred targets, summed over dimensions.
    n_fillers, n_roles : int
        Of the design.
    penalty : float
        λ.
    """

    def __init__(
        self, moments: Moments, total: float, n_fillers: int, n_roles: int, penalty: float
    ) -> None:
        self.n_fillers, self.n_roles = n_fillers, n_roles
        self._total = total
        _, _, self._xx, self._xz = moments.centred()
        self._xx.flat[:: len(self._xx) + 1] += penalty
        self._four = self._xx.reshape(n_fillers, n_roles, n_fillers, n_roles)
        self._targets = self._xz.reshape(n_fillers, n_roles, -1)

    def unconstrained(self) -> Floats:
        """Give the best B of all, shape (n_fillers, n_roles, width)."""
        return _solve(self._xx, self._xz).reshape(self._targets.shape)

    @property
    def weight(self) -> Floats:
        """The mean square of each pair's count, shape (n_fillers, n_roles)."""
        return np.diag(self._xx).reshape(self.n_fillers, self.n_roles)

    def solve_weights(self, fillers: Floats, roles: Floats) -> tuple[Floats, float]:
        """As `Problem.solve_weights`."""
        shape = (fillers.shape[1], roles.shape[1], self._targets.shape[2])
        right = np.einsum("fa,rc,frw->acw", fillers, roles, self._targets, optimize=True)
        right = right.reshape(-1, shape[2])
        half = times(self._xx.reshape(-1, self.n_roles), roles)  # one side of the four first
        half = half.reshape(*self._four.shape[:3], -1)
        system = np.einsum("frgd,rc,fa,gb->acbd", half, roles, fillers, fillers, optimize=True)
        W = _solve(system.reshape(len(right), -1), right)
        return W.reshape(shape), self._total - float((right * W).sum())

    def solve_fillers(self, at: Factors, enough: float = PRECISE) -> Floats:
        """As `Problem.solve_fillers`."""
        maps = np.einsum("rc,acw->raw", at.roles, at.weights, optimize=True)
        blocks = np.stack([_block(self._four[f, :, f], maps) for f in range(self.n_fillers)])

        def apply(fillers: Floats) -> Floats:
            table = np.tensordot(fillers, maps, (1, 1))
            return _to_part(self._times(table), maps)

        right = _to_part(self._targets, maps)
        return _conjugate_gradients(apply, right, at.fillers, enough, blocks)

    def solve_roles(self, at: Factors, enough: float = PRECISE) -> Floats:
        """As `Problem.solve_roles`."""
        maps = np.einsum("fa,acw->fcw", at.fillers, at.weights, optimize=True)
        blocks = np.stack([_block(self._four[:, r, :, r], maps) for r in range(self.n_roles)])

        def apply(roles: Floats) -> Floats:
            table = np.tensordot(maps, roles, (1, 1)).transpose(0, 2, 1)
            return _to_part(self._times(table).swapaxes(0, 1), maps)

        right = _to_part(self._targets.swapaxes(0, 1), maps)
        return _conjugate_gradients(apply, right, at.roles, enough, blocks)

    def _times(self, table: Floats) -> Floats:
        """Multiply a B, shape (n_fillers, n_roles, width), with the products of pairs."""
        return times(self._xx, table.reshape(len(self._xx), -1)).reshape(table.shape)


def _to_part(table: Floats, maps: Floats) -> Floats:
    """Sum (own, other, width) over what the maps, (other, k, width), do with it: (own, k)."""
    flat = maps.transpose(0, 2, 1).reshape(-1, maps.shape[1])
    return table.reshape(len(table), -1) @ flat


def _block(products: Floats, maps: Floats) -> Floats:
    """Give the system of one item alone, (k, k), from the products of what it is bound to."""
    times = (products @ maps.reshape(len(maps), -1)).reshape(maps.shape)
    k = maps.shape[1]
    return maps.swapaxes(0, 1).reshape(k, -1) @ times.swapaxes(0, 1).reshape(k, -1).T


def _solve(system: Floats, right: Floats) -> Floats:
    """Solve a positive semidefinite system; a direction that nothing decides stays near zero."""
    system = (system + system.T) / 2
    size = float(np.trace(system)) / len(system) or 1.0
    for tiny in (1e-15, 1e-12, 1e-9):
        try:
            factor = Factor(system, tiny * size)
        except np.linalg.LinAlgError:
            continue
        x = factor.solve(right)
        return x + factor.solve(right - times(system, x))  # once refined
    return np.asarray(np.linalg.lstsq(system, right, rcond=None)[0])


class FromRows(Problem):
    """From the sequences themselves: memory grows with the items, not with the pairs.

    Parameters
    ----------
    bindings : Bindings
        The training items.
    targets : ndarray of shape (n, width)
        Encodings.
    n_fillers, n_roles : int
        Of the vocabulary; with `table`, its number of components in place of the fillers.
    penalty : float
        λ.
    table : ndarray of shape (n_vocabulary, n_components), optional
        Given vectors of the fillers.
    """

    def __init__(
        self,
        bindings: Bindings,
        targets: Floats,
        n_fillers: int,
        n_roles: int,
        penalty: float,
        table: Floats | None = None,
    ) -> None:
        self.n_fillers, self.n_roles = n_fillers, n_roles
        self._sequence, filler, self._role = bindings.triples
        self._filler = filler
        self._given = None if table is None else table[filler]
        self._n = bindings.n_sequences
        self._penalty = penalty
        squares = _by(filler, n_fillers) if self._given is None else self._given.T**2
        self._weight = sparse.csr_array(squares @ _by(self._role, n_roles).T) / self._n
        self._targets = targets - targets.mean(axis=0)
        self._total = float((self._targets**2).sum()) / self._n

    def _of_items(self, fillers: Floats) -> Floats:
        return fillers[self._filler] if self._given is None else self._given @ fillers

    def _to_fillers(self, items: Floats) -> Floats:
        if self._given is not None:
            return self._given.T @ items
        return np.asarray(_by(self._filler, self.n_fillers) @ items)

    def _bound(self, fillers: Floats, roles: Floats) -> Floats:
        """Sum the bindings of each sequence, centred, shape (n, filler_dim · role_dim)."""
        sums = bound(self._sequence, self._of_items(fillers), roles[self._role], self._n)
        return sums - sums.mean(axis=0)

    def solve_weights(self, fillers: Floats, roles: Floats) -> tuple[Floats, float]:
        """As `Problem.solve_weights`."""
        bound = self._bound(fillers, roles)
        size = np.kron(fillers.T @ fillers, roles.T @ roles)
        right = bound.T @ self._targets / self._n
        W = _solve(bound.T @ bound / self._n + self._penalty * size, right)
        shape = (fillers.shape[1], roles.shape[1], right.shape[1])
        return W.reshape(shape), self._total - float((right * W).sum())

    def solve_fillers(self, at: Factors, enough: float = PRECISE) -> Floats:
        """As `Problem.solve_fillers`."""
        maps = np.einsum("rc,acw->raw", at.roles, at.weights, optimize=True)
        size = np.einsum("raw,rbw->ab", maps, maps, optimize=True)
        flat = at.weights.reshape(-1, at.weights.shape[2])
        roles = at.roles[self._role]

        def gradient(rows: Floats) -> Floats:
            items = (rows @ flat.T)[self._sequence].reshape(len(roles), -1, roles.shape[1])
            return self._to_fillers(np.einsum("iac,ic->ia", items, roles, optimize=True)) / self._n

        def apply(fillers: Floats) -> Floats:
            rows = self._bound(fillers, at.roles) @ flat
            return gradient(rows) + self._penalty * fillers @ size

        blocks = _blocks(self._weight, maps) + self._penalty * size
        return _conjugate_gradients(apply, gradient(self._targets), at.fillers, enough, blocks)

    def solve_roles(self, at: Factors, enough: float = PRECISE) -> Floats:
        """As `Problem.solve_roles`."""
        maps = np.einsum("fa,acw->fcw", at.fillers, at.weights, optimize=True)
        size = np.einsum("fcw,fdw->cd", maps, maps, optimize=True)
        flat = at.weights.reshape(-1, at.weights.shape[2])
        fillers = self._of_items(at.fillers)

        def gradient(rows: Floats) -> Floats:
            items = (rows @ flat.T)[self._sequence].reshape(len(fillers), fillers.shape[1], -1)
            own = np.einsum("iac,ia->ic", items, fillers, optimize=True)
            return np.asarray(_by(self._role, self.n_roles) @ own) / self._n

        def apply(roles: Floats) -> Floats:
            return gradient(self._bound(at.fillers, roles) @ flat) + self._penalty * roles @ size

        blocks = _blocks(self._weight.T, maps) + self._penalty * size
        return _conjugate_gradients(apply, gradient(self._targets), at.roles, enough, blocks)


def _blocks(weight: sparse.csr_array, maps: Floats) -> Floats:
    """Give the systems of single items, (own, k, k), as if no sequence had one twice."""
    own = np.einsum("oaw,obw->oab", maps, maps, optimize=True)
    return np.asarray(weight @ own.reshape(len(own), -1)).reshape(-1, *own.shape[1:])


def _by(groups: Ints, n: int) -> sparse.csr_array:
    """Give the matrix that sums by group, (n, n_items)."""
    return sparse.csr_array(
        (np.ones(len(groups)), (groups, np.arange(len(groups)))), (n, len(groups))
    )


def _conjugate_gradients(
    apply: Callable[[Floats], Floats],
    right: Floats,
    start: Floats,
    enough: float,
    blocks: Floats,
) -> Floats:
    """Solve a positive semidefinite system from a start; no step raises its quadratic.

    `blocks`, (n, k, k), are the systems of single rows, or nearly so, by whose inverses the
    residual is weighed.
    """
    size = np.trace(blocks, axis1=1, axis2=2).max() / blocks.shape[1] or 1.0
    inverse = np.linalg.inv(blocks + 1e-12 * size * np.eye(blocks.shape[1]))

    def weighed(residual: Floats) -> Floats:
        return np.asarray((inverse @ residual[:, :, None])[:, :, 0])

    x, residual = start.copy(), right - apply(start)
    direction = weighed(residual)
    size = float((residual * direction).sum())
    limit = max(enough**2 * size, PRECISE**2 * float((right * weighed(right)).sum()))
    for _ in range(MOST_STEPS):
        if size <= limit:
            break
        applied = apply(direction)
        step = size / float((direction * applied).sum())
        x += step * direction
        residual -= step * applied
        towards = weighed(residual)
        new = float((residual * towards).sum())
        direction = towards + new / size * direction
        size = new
    return x
