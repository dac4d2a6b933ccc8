"""A list of jobs in several processes, of which some give rise to others."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Job:
    """A function of a module, and what it is called with.

    Parameters
    ----------
    function : callable
        That another process can import.
    arguments : tuple
        That can be sent there.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


Then = Callable[[Job, Any], Iterable[Job]]
"""Is told a job and what it gave; says what is to be done next, before all that waits."""


def do_all(jobs: Iterable[Job], then: Then) -> None:
    """Do jobs, one a core, and what they give rise to.

    Parameters
    ----------
    jobs : iterable of Job
        In order of their importance.
    then : callable
        Is told of each job when it is done, in this process.

    Notes
    -----
    As many processes as torch has threads, each with one thread: what is computed does not depend
    on how many there are. With one thread, no process is started.
    """
    waiting = deque(jobs)
    n_workers = torch.get_num_threads()
    if n_workers == 1:
        while waiting:
            job = waiting.popleft()
            waiting.extendleft(reversed(list(then(job, job.function(*job.arguments)))))
        return
    running: dict[Future[Any], Job] = {}
    with _pool(n_workers) as pool:
        while waiting or running:
            while waiting and len(running) < n_workers:
                job = waiting.popleft()
                running[pool.submit(job.function, *job.arguments)] = job
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job = running.pop(future)
                waiting.extendleft(reversed(list(then(job, future.result()))))


@contextmanager
def _pool(n_workers: int) -> Iterator[ProcessPoolExecutor]:
    pool = ProcessPoolExecutor(
        n_workers,
        mp_context=multiprocessing.get_context("spawn"),  # a forked torch may hang
        initializer=torch.set_num_threads,
        initargs=(1,),
    )
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
