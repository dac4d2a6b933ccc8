"""The tensor product decomposition itself: filler and role embeddings of given dimensions."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.schemes import Role, RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.alternating import ROUGH, Factors, FromMoments, FromRows, Problem
from probes.roles.tpdn.bindings import (
    Bindings,
    Floats,
    bound,
    counts,
    given_vectors,
    number,
    weighted,
)
from probes.roles.tpdn.decomposition import Decomposition, Dev, with_dev
from probes.roles.tpdn.least_squares import PENALTIES, Moments, fit_least_squares
from probes.roles.tpdn.positive import small_by_one_thread

MOST_PAIRS = 4000
"""With more filler-role pairs than this, moments cost more than the sequences."""


class TPDN(Decomposition):
    """Fillers and roles of given dimensions, bound by their tensor product.

    e(s) ≈ b + W · vec( Σ_i f(s_i) ⊗ r(role_i(s)) ), fitted by alternating least squares, of which
    no step raises the objective.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles.
    filler_dim, role_dim : int
        Dimensions of the embeddings; McCoy et al. (2019) use 20 and 20. More than there are
        fillers or roles change nothing.
    embeddings : mapping of filler to ndarray of shape (dimension,), optional
        Fixed vectors of the fillers (a model's word embeddings, GloVe): then f is a linear squeeze
        of them. By default fillers are free.
    penalty : float, optional
        λ of the squared vectors B(f, r), per mean loss; by default as held-out sequences choose it
        without any limit of dimensions (no less than the noise asks for), or 1e-6 where there are
        too many pairs for that.
    restarts : int
        Number of starts, of which the lowest objective is kept: the first from the best fit
        without a limit of dimensions (at random where there are too many pairs), the rest at
        random.
    most_sweeps : int
        Of a start.
    tolerance : float
        Sweeps end when one lowers the objective by less than this share of where it began.
    random_state : int
        Of the starts, and the draw of held-out sequences.

    Attributes
    ----------
    filler_embeddings_ : ndarray of shape (n_fillers, at most filler_dim)
        f, in the order of ``vocabulary_.fillers``.
    role_embeddings_ : ndarray of shape (n_roles, at most role_dim)
        r.
    weights_ : ndarray of shape (filler_dim, role_dim, width)
        W.
    objectives_ : list of float
        After each sweep of the start that was kept.
    penalty_ : float
        λ.

    Notes
    -----
    McCoy, Linzen, Dunbar, Smolensky (2019), arXiv:1812.08718, section 2. Differs in the fit: least
    squares in place of gradient steps (`GradientTPDN`).
    """

    penalty_: float

    def __init__(
        self,
        scheme: RoleScheme,
        filler_dim: int = 20,
        role_dim: int = 20,
        *,
        embeddings: Mapping[Any, npt.NDArray[Any]] | None = None,
        penalty: float | None = None,
        restarts: int = 1,
        most_sweeps: int = 200,
        tolerance: float = 2e-3,
        random_state: int = 0,
    ) -> None:
        self.scheme = scheme
        self.filler_dim = filler_dim
        self.role_dim = role_dim
        self.embeddings = embeddings
        self.penalty = penalty
        self.restarts = restarts
        self.most_sweeps = most_sweeps
        self.tolerance = tolerance
        self.random_state = random_state

    def fit(
        self, sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None = None
    ) -> Self:
        """Fit the embeddings and W; as `Decomposition.fit`, of one layer.

        Raises
        ------
        InputError
            Also if Z has several layers, a dimension is below 1, or a filler has no embedding.
        """
        self._check(Z)
        with small_by_one_thread():
            return self._fit(sequences, Z, dev)

    def _fit(self, sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None) -> Self:
        flat, held_out = with_dev(sequences, Z, dev, self.random_state)
        bindings, self.vocabulary_ = number(sequences, self.scheme)
        self._remember(bindings, np.asarray(Z))
        self._table = self._given_table()
        n_roles = self.vocabulary_.n_roles
        n_fillers = len(self.vocabulary_.fillers)
        n_fillers = n_fillers if self._table is None else self._table.shape[1]
        targets = flat[: len(sequences)]
        best = None
        if n_fillers * n_roles <= MOST_PAIRS:
            variance = targets.var(axis=0, dtype=np.float64)
            every = self._behind(bindings, dev)
            moments, best = self._without_limit(every, flat, held_out, dev, float(variance.mean()))
            if moments is None:
                moments = Moments.of(self._design(bindings), targets)
            total = float(variance.sum())
            small = FromMoments(moments, total, n_fillers, n_roles, self.penalty_)
            best = small.unconstrained() if best is None else best.reshape(n_fillers, n_roles, -1)
            problem: Problem = small
        else:
            self.penalty_ = self.penalty or 1e-6
            wide = np.asarray(targets, np.float64)
            problem = FromRows(bindings, wide, n_fillers, n_roles, self.penalty_, self._table)
        starts = [self._start(problem, k, best) for k in range(self.restarts)]
        fits = [_alternate(problem, *start, self.most_sweeps, self.tolerance) for start in starts]
        factors, self.objectives_ = min(fits, key=lambda fit: fit[1][-1])
        self._finish(factors, targets.mean(axis=0, dtype=np.float64), len(targets))
        return self

    def _check(self, Z: npt.NDArray[Any]) -> None:
        if np.ndim(Z) != 2:
            raise InputError(f"encodings of shape {np.shape(Z)}; TPDN takes one layer, (n, width)")
        if self.filler_dim < 1 or self.role_dim < 1 or self.restarts < 1:
            raise InputError(
                f"filler_dim {self.filler_dim}, role_dim {self.role_dim}, restarts "
                f"{self.restarts}; expected 1 or more of each"
            )

    def _given_table(self) -> Floats | None:
        """Give the fillers' fixed vectors, and a constant for the bias of the squeeze."""
        if self.embeddings is None:
            return None
        fillers = self.vocabulary_.fillers
        return given_vectors(self.embeddings, fillers, len(fillers))

    def _design(self, bindings: Bindings) -> Any:
        n_roles = self.vocabulary_.n_roles
        if self._table is None:
            return counts(bindings, len(self.vocabulary_.fillers), n_roles)
        return weighted(bindings, self._table, n_roles)

    def _without_limit(
        self,
        every: Bindings,
        Z: npt.NDArray[Any],
        held_out: npt.NDArray[np.bool_],
        dev: Dev | None,
        variance: float,
    ) -> tuple[Moments | None, Floats | None]:
        """Set λ, and give moments and B as a fit without a limit of dimensions has them.

        λ is as held-out sequences choose it, and no less than the noise asks for: low rank ties
        rare pairs to others, and held-out sequences may hold none of the rare. The floor is the λ
        of a Gaussian prior by which a binding has ten times the variance that the encodings have
        for each of their items.
        """
        if self.penalty:
            self.penalty_ = self.penalty
            return None, None
        fit = fit_least_squares(
            self._design(every), Z, held_out, penalties=PENALTIES, refit=dev is None
        )
        chosen = float(fit.penalties[0])
        noise = float(fit.losses[chosen][0])
        prior = 10 * variance * len(Z) / max(len(every.sequence), 1)
        self.penalty_ = max(chosen, noise / (len(Z) * prior) if prior > 0 else 0.0)
        return fit.moments, fit.coef

    def _start(self, problem: Problem, which: int, best: Floats | None) -> tuple[Floats, Floats]:
        """Start from the leading directions of the best B of all, or at random."""
        filler_dim = min(self.filler_dim, problem.n_fillers)
        role_dim = min(self.role_dim, problem.n_roles)
        if which == 0 and best is not None:
            assert isinstance(problem, FromMoments)
            weight = problem.weight
            roles = _leading(best.swapaxes(0, 1), weight.sum(axis=0), role_dim)
            return _leading(best, weight.sum(axis=1), filler_dim), roles
        random = np.random.default_rng([self.random_state, which])
        return (
            _orthonormal(random.standard_normal((problem.n_fillers, filler_dim))),
            _orthonormal(random.standard_normal((problem.n_roles, role_dim))),
        )

    def _finish(self, factors: Factors, mean: Floats, n: int) -> None:
        given = self._table
        self.filler_embeddings_ = factors.fillers if given is None else given @ factors.fillers
        self.role_embeddings_, self.weights_ = factors.roles, factors.weights
        filler, role = np.divmod(self._pairs, self.vocabulary_.n_roles)
        roles = self.role_embeddings_[role] * self._n_of_pairs[:, None]
        bound_sum = self.filler_embeddings_[filler].T @ roles
        self._intercept = mean - np.tensordot(bound_sum, self.weights_, 2) / n

    def _predict(self, bindings: Bindings) -> Floats:
        sequence, filler, role = bindings.triples
        f, r = self.filler_embeddings_[filler], self.role_embeddings_[role]
        sums = bound(sequence, f, r, bindings.n_sequences)
        return sums @ self.weights_.reshape(sums.shape[1], -1) + self._intercept

    def _binding(self, filler: int, role: int) -> Floats:
        f, r = self.filler_embeddings_[filler], self.role_embeddings_[role]
        return np.asarray(np.einsum("a,c,acw->w", f, r, self.weights_))

    def bound(self, filler: Hashable, role: Role, part: int = 0) -> Floats:
        """Give the tensor product of a filler and a role, shape (filler_dim, role_dim)."""
        f = self.vocabulary_.filler(filler)
        r = self.vocabulary_.role(role, part)
        return np.outer(self.filler_embeddings_[f], self.role_embeddings_[r])

    @property
    def n_parameters_(self) -> int:
        """Numbers in the embeddings (or the squeeze) and in W."""
        squeeze = self.filler_embeddings_.size
        if self._table is not None:
            squeeze = self._table.shape[1] * self.filler_embeddings_.shape[1]
        return squeeze + self.role_embeddings_.size + self.weights_.size


def _alternate(
    problem: Problem, fillers: Floats, roles: Floats, most_sweeps: int, tolerance: float
) -> tuple[Factors, list[float]]:
    """Sweep over roles, fillers and W; a part whose dimension is no limit stands still."""
    weights, objective = problem.solve_weights(fillers, roles)
    at, objectives = Factors(fillers, roles, weights), [objective]
    limits = fillers.shape[1] < problem.n_fillers, roles.shape[1] < problem.n_roles
    for _ in range(most_sweeps if any(limits) else 0):
        roles, fillers = at.roles, at.fillers
        if limits[1]:
            roles = problem.solve_roles(at, ROUGH)
            at = Factors(fillers, roles, at.weights)
        if limits[0]:
            fillers = problem.solve_fillers(at, ROUGH)
        roles, fillers = _orthonormal(roles), _orthonormal(fillers)  # W takes the rest up
        weights, objective = problem.solve_weights(fillers, roles)
        at = Factors(fillers, roles, weights)
        objectives.append(objective)
        if objectives[-2] - objective <= tolerance * abs(objectives[0]):
            break
    return at, objectives


def _leading(table: Floats, weight: Floats, k: int) -> Floats:
    """Give the k leading directions of the first axis, where its rows weigh as much as given."""
    root = np.sqrt(np.maximum(weight, weight.max() * 1e-9))[:, None]
    matrix = table.reshape(len(table), -1) * root
    leading = np.linalg.eigh(matrix @ matrix.T)[1][:, ::-1][:, :k]
    return _orthonormal(leading / root)


def _orthonormal(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.qr(matrix)[0])
