"""L-BFGS as a conversation: it asks for one point at a time, and whoever evaluates may batch.

Nocedal (1980), on top of a preconditioner whose scale follows the pairs; line search by safeguarded
quadratic interpolation under Armijo's condition.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MEMORY = 40
"""Pairs kept. One costs as much as a pass over four rows."""

SCALES = 7
"""Recent pairs whose median sᵀy / yᵀP⁻¹y scales the inverse of the preconditioner P. Of the last
pair alone it jumps; without it, an approximation that is too small by a half overshoots forever."""

WINDOW = 5
"""Steps over which the rate of convergence is taken."""

NOISE = 2e-7
"""Relative error of an objective made of fp32 logits: below it no increase is believed."""


@dataclass(frozen=True, eq=False)
class _Pair:
    """A step s, the change y of the gradient along it, and P⁻¹ y."""

    s: Tensor
    y: Tensor
    solved: Tensor
    rho: float
    scale: float


class Descent:
    """Minimise a smooth convex function of an array.

    Parameters
    ----------
    start : Tensor
        Where to begin, fp64.
    precondition : callable
        From a flat gradient to an approximate Newton step's negative; symmetric, positive.

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
    """

    def __init__(self, start: Tensor, precondition: Callable[[Tensor], Tensor]) -> None:
        self.point = self.best = start
        self.value = self.promise = self.remaining = math.inf
        self.stuck = False
        self._precondition = precondition
        self._pairs: list[_Pair] = []
        self._values: list[float] = []
        self._direction = self._gradient = self._solved = torch.zeros_like(start).flatten()
        self._slope, self._step = 0.0, 1.0

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
            self._remember(step, g - self._gradient, solved - self._solved)
        self.best, self.value, self._gradient, self._solved = self.point, value, g, solved
        self._values.append(value)
        self._turn()
        self.remaining = max(self.promise, self._extrapolated())
        return True

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
            if not self._pairs:
                self.stuck = True
            self._pairs.clear()
            self._turn()
            return False
        self._go()
        return False

    def _remember(self, s: Tensor, y: Tensor, solved: Tensor) -> None:
        sy, yy = float(s @ y), float(y @ solved)
        if sy > 1e-10 * float(s.norm()) * float(y.norm()) and yy > 0:
            pair = _Pair(s, y, solved, 1 / sy, sy / yy)
            self._pairs = [*self._pairs[1 - MEMORY :], pair]

    def _turn(self) -> None:
        """Choose a direction from `best`: the two-loop recursion, P⁻¹ applied by linearity."""
        q, solved = self._gradient.clone(), self._solved.clone()
        weights = []
        for pair in reversed(self._pairs):
            weight = pair.rho * float(pair.s @ q)
            weights.append(weight)
            q -= weight * pair.y
            solved -= weight * pair.solved
        if self._pairs:
            solved *= statistics.median(pair.scale for pair in self._pairs[-SCALES:])
        for pair, weight in zip(self._pairs, reversed(weights), strict=True):
            solved += (weight - pair.rho * float(pair.y @ solved)) * pair.s
        slope = -float(self._gradient @ solved)
        if not slope < 0 and self._pairs:
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
