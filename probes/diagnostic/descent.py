"""L-BFGS as a conversation: it asks for one point at a time, and whoever evaluates may batch.

Nocedal (1980), on top of a preconditioner whose scale follows the pairs; line search by safeguarded
quadratic interpolation under Armijo's condition. The recursion over the pairs is done on their
inner products (the compact form of Byrd, Nocedal & Schnabel 1994): two products with one matrix a
step, whatever the number of pairs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

MEMORY = 40
"""Pairs kept."""

SCALES = 7
"""Recent pairs whose median sᵀy / yᵀP⁻¹y scales the inverse of the preconditioner P. Of the last
pair alone it jumps; without it, an approximation that is too small by a half overshoots forever."""

RECENT = 10
"""Pairs at hand for a similar function."""

WINDOW = 5
"""Steps over which the rate of convergence is taken."""

NOISE = 2e-7
"""Relative error of an objective made of fp32 logits: below it no increase is believed."""


class _Pairs:
    """Steps s, the changes y of the gradient along them, and P⁻¹ y: the last ones.

    With R the inner products s_i · y_j, i not younger than j, and B those of y_i and P⁻¹ y_j, the
    two loops of the recursion are two triangular systems in R.
    """

    def __init__(self, like: Tensor) -> None:
        self._rows = like.new_empty(0, 2, len(like))  # s and P⁻¹ y of each pair
        self._R = torch.zeros(MEMORY, MEMORY, dtype=torch.float64)
        self._B = torch.zeros(MEMORY, MEMORY, dtype=torch.float64)
        self._order: list[int] = []  # rows, the oldest pair's first
        self._scales: list[float] = []

    def __len__(self) -> int:
        return len(self._order)

    def clear(self) -> None:
        """Forget all."""
        self._order.clear()
        self._scales.clear()

    def add(self, s: Tensor, y: Tensor, solved: Tensor) -> None:
        """Take a pair, unless the function is not convex along it."""
        sy, yy = float(s @ y), float(y @ solved)
        if not (sy > 1e-10 * float(s.norm()) * float(y.norm()) and yy > 0):
            return
        row = self._free_row()
        self._rows[row, 0], self._rows[row, 1] = s, solved
        self._order.append(row)
        self._scales = [*self._scales[1 - SCALES :], sy / yy]
        ry, by = self._products(y)
        self._R[: len(ry), row] = ry
        self._B[: len(by), row] = self._B[row, : len(by)] = by

    def solve(self, gradient: Tensor, solved: Tensor) -> Tensor:
        """Apply the inverse Hessian to a gradient, given P⁻¹ of it."""
        if not self._order:
            return solved.clone()
        scale = statistics.median(self._scales)
        order = torch.tensor(self._order)
        R = self._R[order][:, order].triu()
        sg, yg = (part[order] for part in self._products(gradient))
        first = torch.linalg.solve_triangular(R, sg[:, None], upper=True)[:, 0]
        rest = R.diagonal() * first - scale * (yg - self._B[order][:, order] @ first)
        second = torch.linalg.solve_triangular(R.T, rest[:, None], upper=False)[:, 0]
        weights = torch.empty(len(order), 2, dtype=torch.float64)
        weights[order] = torch.stack([second, -scale * first], 1)
        return torch.addmv(solved, self._flat().T, weights.flatten().to(solved.device), beta=scale)

    def _products(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        products = (self._flat() @ vector).view(-1, 2).cpu()
        return products[:, 0], products[:, 1]

    def _flat(self) -> Tensor:
        return self._rows[: len(self._order)].flatten(0, 1)

    def _free_row(self) -> int:
        n = len(self._order)
        if n == MEMORY:
            return self._order.pop(0)
        if n == len(self._rows):
            more = self._rows.new_empty(min(MEMORY, max(8, 2 * n)), *self._rows.shape[1:])
            more[:n] = self._rows
            self._rows = more
        return n


class Descent:
    """Minimise a smooth convex function of an array.

    Parameters
    ----------
    start : Tensor
        Where to begin, fp64.
    precondition : callable
        From a flat gradient to an approximate Newton step's negative; symmetric, positive.
    known : sequence of pairs of Tensor
        Steps, flat, and the changes of the gradient along them, such as a similar function's
        `recent`.

    Attributes
    ----------
    point : Tensor
        Where the function is wanted next.
    best : Tensor
        The last accepted point.
    value : float
        The function there.
    promise : float
        The decrease that the quadratic model promises of a whole step from `best`.
    remaining : float
        Estimate of the value's distance from the minimum: the promise, or what the steps of the
        last two windows, continued as a geometric series, still would gain, if that is more.
        Infinite until there are so many steps, or while the gain is growing.
    stuck : bool
        No step along the direction is an improvement: rounding has the last word.
    recent : list of pairs of Tensor
        The last steps, and the changes of the gradient along them.
    """

    def __init__(
        self,
        start: Tensor,
        precondition: Callable[[Tensor], Tensor],
        known: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> None:
        self.point = self.best = start
        self.value = self.promise = self.remaining = math.inf
        self.stuck = False
        self._precondition = precondition
        self._pairs = _Pairs(start.flatten())
        self._values: list[float] = []
        self._direction = self._gradient = self._solved = torch.zeros_like(start).flatten()
        self._slope, self._step = 0.0, 1.0
        self.recent = list(known)[-RECENT:]
        for s, y in known:
            self._pairs.add(s, y, precondition(y))

    def receive(self, value: float, gradient: Tensor) -> bool:
        """Take value and gradient at `point`, and set `point` anew.

        Parameters
        ----------
        value : float
            The function at `point`.
        gradient : Tensor
            Its gradient there, of the shape of `point`.

        Returns
        -------
        bool
            Whether the point was accepted (and is now `best`).
        """
        g = gradient.flatten()
        if self._values:
            allowed = 1e-4 * self._step * self._slope + NOISE * abs(self.value)
            if not value <= self.value + allowed:
                return self._shorten(value)
        solved = self._precondition(g)
        if self._values:
            step = (self.point - self.best).flatten()
            self._pairs.add(step, g - self._gradient, solved - self._solved)
            self.recent = [*self.recent[1 - RECENT :], (step, g - self._gradient)]
        self.best, self.value, self._gradient, self._solved = self.point, value, g, solved
        self._values.append(value)
        self._turn()
        self.remaining = max(self.promise, self._extrapolated())
        return True

    def settle(self) -> None:
        """Give back what only further steps need; `recent` stays."""
        self._pairs = _Pairs(self._gradient[:0])

    def _extrapolated(self) -> float:
        values = self._values
        window = min(WINDOW, (len(values) - 1) // 2)
        if window == 0:
            return math.inf
        late = values[-1 - window] - values[-1]
        early = values[-1 - 2 * window] - values[-1 - window]
        if late <= 0:
            return 0.0
        return late * late / (early - late) if early > late else math.inf

    def _shorten(self, value: float) -> bool:
        t, slope = self._step, self._slope
        rise = value - self.value - t * slope
        least = -slope * t * t / (2 * rise) if math.isfinite(rise) and rise > 0 else 0.0
        self._step = min(max(least, 0.1 * t), 0.5 * t)
        if self._step < 1e-8:
            if not len(self._pairs):
                self.stuck = True
            self._pairs.clear()
            self._turn()
            return False
        self._go()
        return False

    def _turn(self) -> None:
        """Choose a direction from `best`."""
        solved = self._pairs.solve(self._gradient, self._solved)
        slope = -float(self._gradient @ solved)
        if not slope < 0 and len(self._pairs):
            self._pairs.clear()
            self._turn()
            return
        self.stuck = not slope < 0 and bool(self._gradient.any())
        self.promise = max(0.0, -0.5 * slope)
        self._direction, self._slope, self._step = -solved, slope, 1.0
        self._go()

    def _go(self) -> None:
        step = self._step * self._direction
        self.point = self.best + step.view_as(self.best)
