"""Fine-tuning and linear probing in the plane: f(x) = v (b · x), and one unit on the first axis.

The unit tells the first coordinate of w* alone. Pretrained features `b` that point as w* does hold
the second, too: a probe turns them up or down as a whole and finds both, while fine-tuning moves
the first feature with the head and leaves the second where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from probes.metrics import Floats
from probes.transfer.flow import Flow, fine_tune, linear_probe, ood_error, probe_by_flow

Pair = tuple[float, float]


@dataclass(frozen=True)
class Outcome:
    """What each way of adapting learns from one head that it begins with.

    Parameters
    ----------
    v : float
        The head at the start.
    closed : dict of str to tuple of float
        The function w that is learned, by closed form, under ``"FT"``, ``"LP"`` and ``"LP-FT"``.
    simulated : dict of str to tuple of float
        The same where gradient flow ends.
    errors : dict of str to float
        The OOD error ‖w - w*‖² of each, by closed form.
    paths : dict of str to Flow
        The ways there.
    """

    v: float
    closed: dict[str, Pair]
    simulated: dict[str, Pair]
    errors: dict[str, float]
    paths: dict[str, Flow]


def fine_tuned(v: float, b: Pair, w_star: Pair) -> Pair:
    """Say what fine-tuning learns, by closed form.

    Parameters
    ----------
    v : float
        The head at the start.
    b : tuple of float
        The features at the start.
    w_star : tuple of float
        The function that made the target.

    Returns
    -------
    tuple of float
        (w*_1, v∞ b_2).

    Notes
    -----
    Gradient flow keeps c = v² - b_1² and b_2 as they are, and ends where v b_1 = w*_1: at
    v∞² = (c + √(c² + 4 w*_1²)) / 2. The sign of v∞ is v's where c > 0; where c < 0 the sign of b_1
    cannot change and that of v∞ follows from it. Where c = 0 and v b_1 has not the sign of w*_1,
    the flow runs into the saddle at nought and learns nothing. (The setting is that of figure 2
    of Kumar et al. 2022, arXiv:2202.10054; the closed form is ours.)
    """
    c = v**2 - b[0] ** 2
    if c == 0 and v * b[0] * w_star[0] <= 0:
        return (0.0, 0.0)
    root = np.hypot(c, 2 * w_star[0])
    # The form of the two without a difference of near numbers.
    square = (c + root) / 2 if c > 0 else 2 * w_star[0] ** 2 / (root - c)
    sign = np.sign(v) if c > 0 else np.sign(w_star[0] * b[0]) if c < 0 else np.sign(v)
    return (float(w_star[0]), float(sign * np.sqrt(square) * b[1]))


def probed(b: Pair, w_star: Pair) -> Pair:
    """Say what linear probing learns, whatever the head at the start: (w*_1, w*_1 b_2 / b_1)."""
    return (float(w_star[0]), float(w_star[0] / b[0] * b[1]))


def adapt(heads: Sequence[float], b: Pair, w_star: Pair) -> list[Outcome]:
    """Adapt by each way, from each head, by closed form and by gradient flow.

    Parameters
    ----------
    heads : sequence of float
        Heads at the start.
    b : tuple of float
        Features at the start; the first is not nought.
    w_star : tuple of float
        The function that made the target.

    Returns
    -------
    list of Outcome
        One a head.

    Notes
    -----
    LP-FT begins at LP's solution: there the loss is nought, and nothing moves.
    """
    X, Y = np.array([[1.0, 0.0]]), np.array([w_star[0]])
    outcomes = []
    for head in heads:
        v, B = np.array([head]), np.array([b])
        closed = {"FT": fine_tuned(head, b, w_star), "LP": probed(b, w_star)}
        closed["LP-FT"] = closed["LP"]
        paths = {"FT": fine_tune(X, Y, v, B), "LP": probe_by_flow(X, Y, v, B)}
        paths["LP-FT"] = fine_tune(X, Y, linear_probe(X, Y, B), B)
        simulated = {way: _pair(path.w[-1]) for way, path in paths.items()}
        errors = {way: ood_error(w, w_star) for way, w in closed.items()}
        outcomes.append(Outcome(head, closed, simulated, errors, paths))
    return outcomes


def largest_gap(outcomes: Sequence[Outcome]) -> float:
    """Find the largest difference between a closed form and its simulation, in any coordinate."""
    return max(
        abs(closed - simulated)
        for outcome in outcomes
        for way in outcome.closed
        for closed, simulated in zip(outcome.closed[way], outcome.simulated[way], strict=True)
    )


def _pair(w: Floats) -> Pair:
    return (float(w[0]), float(w[1]))
