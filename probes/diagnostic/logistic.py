"""Multinomial logistic regression with L2, for many label columns and penalties on one X.

The objective of a column y at a penalty λ is

    F(W, b) = mean_i −log softmax(W x_i + b)[y_i] + λ/2 ‖W‖²_F,

with one row of W a class and the intercept b not penalised: scikit-learn's
`LogisticRegression(C=1 / (n λ))`. For two classes, too, W has two rows; scikit-learn then has one,
their difference, of which this objective penalises half the square: `C=2 / (n λ)`.

All columns and penalties share the passes over X (`probes.diagnostic.softmax`). A column's weaker
penalty starts from the solution of the next stronger one, as soon as that one is roughly there, so
the passes stay wide. Each problem is solved by L-BFGS (Nocedal 1980) on top of an approximate
Hessian taken at its start (`probes.diagnostic.curvature`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probes.cores import each_core
from probes.diagnostic.curvature import (
    BlockCurvature,
    KroneckerCurvature,
    Spectrum,
    class_curvature,
    probabilities,
)
from probes.diagnostic.descent import Descent
from probes.diagnostic.softmax import Each, Loss, log_loss
from probes.errors import InputError

HANDOVER = 5e-3
"""Relative gain still promised to a problem when the next weaker penalty starts from it."""

GAP = 32.0
"""Largest factor between neighbouring penalties, or between the curvature at W = 0 and the
strongest; wider gaps get auxiliary penalties, left as soon as the next one can start."""

SAFETY = 8
"""By how much the estimate of the remaining decrease must undercut the tolerance."""

AHEAD = 0.5
"""How far the start of a weaker penalty lies beyond its neighbour's solution, on the line from the
neighbour before: solutions move on about as far for each factor of the penalty."""

SAMPLE_ROWS = 8192
"""Rows, evenly spaced, from which the mean curvature of the classes is taken."""


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """Solutions for C columns, column c at p_c penalties."""

    coef: tuple[Tensor, ...]
    """One a column, shape (p_c, K_c, d), fp64; the classes' weights sum to zero."""
    intercept: tuple[Tensor, ...]
    """One a column, shape (p_c, K_c), fp64; they sum to zero."""
    objective: tuple[Tensor, ...]
    """One a column, shape (p_c,), fp64."""
    bound: tuple[Tensor, ...]
    """One a column, shape (p_c,): (F − D) / F with D the value of a dual point, so that the
    objective is certainly within this fraction of the optimum. Often far from tight: see
    `fit_logistic`."""
    expected: tuple[Tensor, ...]
    """One a column, shape (p_c,): the relative decrease that one more step promised at the end."""
    n_evaluations: tuple[Tensor, ...]
    """One a column, shape (p_c,), int64: passes over all rows of X."""
    converged: tuple[Tensor, ...]
    """One a column, shape (p_c,), bool."""


def fit_logistic(
    X: Tensor,
    columns: Sequence[Tensor],
    penalties: Sequence[Sequence[float]],
    *,
    tol: float = 1e-4,
    max_evaluations: int = 500,
    start: Sequence[tuple[Tensor, Tensor]] | None = None,
) -> LogisticFit:
    """Fit every column at every one of its penalties.

    A problem has converged when its objective F is certified to be within `tol` of the optimum
    (the relative duality gap, at most ‖∂F/∂W‖² / (2 λ F) up to the intercept's part), or when both
    the last decrease and the decrease that the quasi-Newton model promises are below `tol` / 8 of
    F in two steps running. The second is an estimate: where λ is weak, it is reached several times
    earlier than the certificate, and the tests hold it against solutions at tight tolerance.

    Parameters
    ----------
    X : Tensor of shape (n, d), fp32 or fp64
        The inputs. Give dimensions of comparable scale where the penalty should treat them alike.
    columns : sequence of C LongTensor of shape (n,)
        Classes of each column, from 0 to K_c − 1, each of them present.
    penalties : sequence of C sequences of float
        λ > 0 for each column.
    tol : float
        Relative suboptimality aimed at.
    max_evaluations : int
        Passes over X that a problem may take.
    start : sequence of C pairs of Tensor, shapes (K_c, d) and (K_c,), optional
        Weights and intercept from which each column's strongest penalty starts, such as the
        solution at one that is stronger still; by default the optimum without weights.

    Returns
    -------
    LogisticFit
        On the device of X.

    Raises
    ------
    InputError
        If X has a value that is not finite (the message names the row), a column does not fit X,
        a class is absent, or a penalty is not positive.

    Notes
    -----
    Certificate: for probabilities q_i with mean equal to that of the one-hot labels Y, weak duality
    gives F* ≥ mean H(q_i) − ‖(q − Y)ᵀ X / n‖² / (2 λ), H the entropy in nats. The fitted p nearly
    satisfies the constraint; mixing in a constant distribution with the smallest weight ε that
    repairs it, and H((1 − ε) p + ε t) ≥ (1 − ε) H(p) + ε H(t), keeps the bound rigorous and free of
    passes over the data. It is evaluated in fp64 from the pass's fp32 products.
    """
    counts = _check(X, columns, penalties)
    shift = X.mean(0)
    if bool((shift.abs() > 1e-2 * X.std(0, correction=0)).any()):
        X = X - shift
    else:
        shift = torch.zeros_like(shift)
    with each_core(X.device) as workers:
        each: Each = workers.map if X.device.type == "cpu" else map
        data = _Data(X, each)
        chains = []
        for c, (y, levels) in enumerate(zip(columns, penalties, strict=True)):
            column = _Column(X, y, counts[c])
            chain = _chain(data, column, c, levels, tol)
            if start is None:
                chain[0].begin(data, *column.null())
            else:
                W, b = (part.double() for part in start[c])
                chain = chain[next(k for k, p in enumerate(chain) if not p.auxiliary) :]
                chain[0].begin(data, W, b + W @ shift.double())
            chains.append(chain)
        _solve(data, chains, max_evaluations)
    return _gather(chains, shift.double())


def _chain(
    data: _Data, column: _Column, c: int, levels: Sequence[float], tol: float
) -> list[_Problem]:
    """Order a column's penalties from the strongest, with auxiliary ones in wide gaps."""
    chain: list[_Problem] = []
    S = torch.diag(column.prior) - torch.outer(column.prior, column.prior)
    above = float(S.trace()) / len(S) * float(data.spectrum.values.mean())
    for i in sorted(range(len(levels)), key=lambda i: -levels[i]):
        level = float(levels[i])
        steps = math.ceil(math.log(above / level, GAP)) if above > level else 1
        for k in range(1, steps):
            penalty = above * (level / above) ** (k / steps)
            chain.append(_Problem(column, (c, -1), penalty, tol))
        chain.append(_Problem(column, (c, i), level, tol))
        above = level
    return chain


def _solve(data: _Data, chains: list[list[_Problem]], max_evaluations: int) -> None:
    """Evaluate all running problems together until none is left."""
    while True:
        running = [p for chain in chains for p in chain if p.running]
        if not running:
            return
        for K in sorted({p.column.n_classes for p in running}):
            group = [p for p in running if p.column.n_classes == K]
            loss = log_loss(
                data.X,
                torch.stack([p.column.y for p in group]),
                torch.stack([p.descent.point[:, :-1] for p in group]),
                torch.stack([p.descent.point[:, -1] for p in group]),
                data.each,
            )
            _receive(data, group, loss, max_evaluations)
        for chain in chains:
            for k, weaker in enumerate(chain):
                if k > 0 and not weaker.begun and chain[k - 1].handed_over:
                    point = _ahead(chain[:k])
                    known = chain[k - 1].curvature_at(weaker.penalty)
                    weaker.begin(data, point[:, :-1], point[:, -1], known)


def _receive(data: _Data, group: list[_Problem], loss: Loss, max_evaluations: int) -> None:
    list(data.each(lambda j: group[j].receive(loss, j, max_evaluations), range(len(group))))


def _ahead(chain: list[_Problem]) -> Tensor:
    """Guess the solution of the next penalty from those of the stronger ones."""
    last = chain[-1].descent.best
    if len(chain) < 2 or chain[-1].penalty == chain[-2].penalty:
        return last
    return last + AHEAD * (last - chain[-2].descent.best)


class _Data:
    """X, centred, with what is computed of it once."""

    def __init__(self, X: Tensor, each: Each) -> None:
        self.X, self.each = X, each
        self.mean = X.mean(0, dtype=torch.float64)
        self.spectrum = Spectrum(X, each)
        step = max(1, len(X) // SAMPLE_ROWS)
        self.sample = X[::step]


class _Column:
    """Labels, with the moments that the certificate needs."""

    def __init__(self, X: Tensor, y: Tensor, n_classes: int) -> None:
        self.y, self.n_classes = y, n_classes
        count = torch.bincount(y, minlength=n_classes)
        self.prior = count.double() / len(y)
        sums = X.new_zeros(n_classes, X.shape[1]).index_add_(0, y, X)
        self.means = sums.double() / len(y)

    def null(self) -> tuple[Tensor, Tensor]:
        """W = 0 and the intercept that is optimal for it."""
        return torch.zeros_like(self.means), self.prior.log()


class _Problem:
    """One column at one penalty."""

    def __init__(self, column: _Column, place: tuple[int, int], penalty: float, tol: float) -> None:
        self.column, self.place, self.penalty, self.tol = column, place, penalty, tol
        self.begun = self.running = self.converged = self.handed_over = False
        self.expected = self.bound = math.inf
        self.n_evaluations = 0
        self.auxiliary = place[1] < 0

    def begin(
        self,
        data: _Data,
        W: Tensor,
        b: Tensor,
        known: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> None:
        """Start from (W, b), with the curvature there and along steps that are known."""
        self.begun = self.running = True
        self.mean = data.mean
        curvature = self._curvature(data, W, b)

        def precondition(vector: Tensor) -> Tensor:
            grad = vector.view(self.column.n_classes, -1)
            coef, intercept = curvature.solve(grad[:, :-1], grad[:, -1])
            return torch.cat([coef, intercept[:, None]], 1).flatten()

        self.descent = Descent(torch.cat([W, b[:, None]], 1), precondition, known)

    def curvature_at(self, penalty: float) -> list[tuple[Tensor, Tensor]]:
        """Its last steps, with the changes of the gradient that another penalty would have seen."""
        weights = torch.ones_like(self.descent.best)
        weights[:, -1] = 0
        change = (penalty - self.penalty) * weights.flatten()
        return [(s, y + change * s) for s, y in self.descent.recent]

    def _curvature(self, data: _Data, W: Tensor, b: Tensor) -> KroneckerCurvature | BlockCurvature:
        n, d = data.X.shape
        S = class_curvature(probabilities(data.sample, W, b))
        typical = float(S.trace()) / len(S) * float(data.spectrum.values.mean())
        if self.penalty > 0.1 * typical or d * d > 8 * n or not bool(W.any()):
            return KroneckerCurvature(data.spectrum, S, self.penalty)
        p = probabilities(data.X, W, b, data.each)
        return BlockCurvature(data.X, data.spectrum, p, S, self.penalty, data.each)

    def receive(self, loss: Loss, j: int, max_evaluations: int) -> None:
        """Take the pass's answer at the point that was asked for."""
        self.n_evaluations += 1
        W = self.descent.point[:, :-1]
        value = float(loss.value[j]) + 0.5 * self.penalty * float((W * W).sum())
        grad = torch.cat([loss.coef[j] + self.penalty * W, loss.intercept[j][:, None]], 1)
        if self.descent.receive(value, grad):
            scale = max(value, 1e-300)
            self.expected = self.descent.remaining / scale
            self.bound = self._gap(loss, j, value) / scale
            self.converged = self.bound <= self.tol or SAFETY * self.expected <= self.tol
            self.handed_over = self.descent.promise <= HANDOVER * scale
        if self.converged or self.descent.stuck or self.n_evaluations >= max_evaluations:
            self.running = False
            self.handed_over = True
        if self.auxiliary and self.handed_over:
            self.running = False
        if not self.running:
            self.descent.settle()

    def _gap(self, loss: Loss, j: int, value: float) -> float:
        """F minus a value of the dual, see the notes of `fit_logistic`."""
        W, b = self.descent.best[:, :-1], self.descent.best[:, -1]
        excess = loss.intercept[j]
        p_mean = self.column.prior + excess
        mix = float((excess / p_mean.clamp(min=1e-300)).clamp(min=0).max())
        if mix >= 0.5:
            return math.inf
        entropy = float(loss.value[j]) - float((W * loss.coef[j]).sum() + b @ excess)
        G = loss.coef[j] - mix * (loss.coef[j] + self.column.means)
        if mix > 0:
            t = (p_mean - excess / mix).clamp(min=0)
            G = G + mix * t[:, None] * self.mean
            entropy = (1 - mix) * entropy - mix * float(torch.special.xlogy(t, t).sum())
        return max(0.0, value - entropy + float((G * G).sum()) / (2 * self.penalty))


def _gather(chains: list[list[_Problem]], shift: Tensor) -> LogisticFit:
    coef, intercept, numbers = [], [], []
    for chain in chains:
        problems = sorted((p for p in chain if not p.auxiliary), key=lambda p: p.place)
        points = torch.stack([p.descent.best for p in problems])
        points = points - points.mean(1, keepdim=True)
        coef.append(points[:, :, :-1].contiguous())
        intercept.append(points[:, :, -1] - coef[-1] @ shift)
        numbers.append(
            [(p.descent.value, p.bound, p.expected, p.n_evaluations, p.converged) for p in problems]
        )
    fields = [
        tuple(torch.tensor([row[k] for row in rows], device=shift.device) for rows in numbers)
        for k in range(5)
    ]
    exact = [tuple(t.double() for t in column) for column in fields[:3]]
    return LogisticFit(tuple(coef), tuple(intercept), *exact, *fields[3:])


def _check(
    X: Tensor,
    columns: Sequence[Tensor],
    penalties: Sequence[Sequence[float]],
) -> list[int]:
    if X.ndim != 2 or X.dtype not in (torch.float32, torch.float64):
        raise InputError(f"X has shape {tuple(X.shape)} and {X.dtype}; expected (n, d), float32")
    if len(X) == 0:
        raise InputError("X has no rows; give at least one labelled unit")
    check_finite(X)
    if len(columns) != len(penalties):
        raise InputError(f"{len(columns)} label columns, {len(penalties)} lists of penalties")
    counts = []
    for c, (y, levels) in enumerate(zip(columns, penalties, strict=True)):
        if y.shape != X.shape[:1] or y.dtype != torch.int64:
            raise InputError(
                f"label column {c} has shape {tuple(y.shape)} and {y.dtype}; "
                f"expected ({len(X)},), int64: one label a row of X"
            )
        if not levels:
            raise InputError(f"label column {c} has no penalty; give at least one")
        for level in levels:
            if not 0 < level < math.inf:
                raise InputError(f"penalty {level} of label column {c}; expected a positive number")
        negative = torch.nonzero(y < 0)
        if len(negative):
            row = int(negative[0])
            raise InputError(
                f"label {int(y[row])} in row {row} of column {c}; expected 0 or more (leave rows "
                "without a label out of X)"
            )
        K = int(y.max()) + 1
        absent = torch.nonzero(torch.bincount(y, minlength=K) == 0)
        if len(absent):
            raise InputError(
                f"class {int(absent[0])} of label column {c} has no row; number the classes "
                "that are present"
            )
        counts.append(K)
    return counts


def check_finite(X: Tensor, what: str = "X") -> None:
    """Refuse values that are not finite.

    Parameters
    ----------
    X : Tensor of shape (n, d) or (n,)
        What to look at.
    what : str
        How the message calls it.

    Raises
    ------
    InputError
        Names the first row with such a value.
    """
    if not bool(torch.isfinite(X.sum(dtype=torch.float64))):
        rows = ~torch.isfinite(X).view(len(X), -1).all(1)
        if bool(rows.any()):
            row = int(torch.nonzero(rows)[0])
            raise InputError(
                f"{what} has a value in row {row} that is not finite (NaN or infinity)"
            )
