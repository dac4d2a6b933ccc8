"""When which items are seen, at which rate: functions of the seed and the step alone."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


def rate_at(step: int, n_steps: int, warmup: float) -> float:
    """Give the share of the learning rate at a step: a rise, then a cosine down to nought.

    Parameters
    ----------
    step : int
        From 0.
    n_steps : int
        Of the whole training.
    warmup : float
        Share of them in which it rises.

    Returns
    -------
    float
        0 to 1.
    """
    n_warm = math.ceil(warmup * n_steps)
    if step < n_warm:
        return (step + 1) / (n_warm + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))


def batches_of(n: int, batch_size: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Cut the items of an epoch into batches, the last maybe smaller.

    Parameters
    ----------
    n : int
        Number of items; each is in one batch.
    batch_size : int
        Of all processes together.
    seed, epoch : int
        Decide the order.

    Returns
    -------
    list of ndarray of int64
        Numbers of items.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def noise_seed(seed: int, step: int, rank: int) -> int:
    """Seed what is random within a step (dropout), so that nothing need be kept to resume."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)
