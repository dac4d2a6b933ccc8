"""All cores at once, each on work of its own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch


@contextmanager
def each_core(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Give workers: on a CPU as many as torch has threads, each single-threaded; elsewhere one.

    Cores that share one operation wait for one another within it; cores that have work of their
    own do not, and what they compute does not depend on how many they are.

    Parameters
    ----------
    device : torch.device
        Where the tensors are.

    Yields
    ------
    concurrent.futures.ThreadPoolExecutor
        Within, every operation of torch on a CPU is single-threaded. On leaving, work that has not
        begun is dropped.
    """
    n_threads = torch.get_num_threads()
    on_cpu = device.type == "cpu"
    workers = ThreadPoolExecutor(
        n_threads if on_cpu else 1, initializer=_single if on_cpu else None
    )
    try:
        if on_cpu:
            _single()
        yield workers
    finally:
        workers.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(n_threads)


def _single() -> None:
    torch.set_num_threads(1)
