"""The processes that share a pass: how many there are, which is this one, on which device."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch

from probes.errors import EnvironmentFailure


@dataclass(frozen=True)
class World:
    """One process among those that run the same command.

    Parameters
    ----------
    rank, size : int
        Number of this process, and of all.
    device : torch.device
        Where this process computes.
    wait : callable
        Returns when every process has called it.
    close : callable
        Ends the connection between the processes.
    """

    rank: int
    size: int
    device: torch.device
    wait: Callable[[], None]
    close: Callable[[], None]

    @property
    def is_first(self) -> bool:
        """Whether this process does what is done once."""
        return self.rank == 0


def alone(device: torch.device | str = "cpu") -> World:
    """Make the world of one process.

    Parameters
    ----------
    device : torch.device or str
        Where to compute.

    Returns
    -------
    World
        In which waiting takes no time.
    """
    return World(0, 1, torch.device(device), lambda: None, lambda: None)


def join() -> World:
    """Join the processes that ``accelerate launch`` or ``torchrun`` started.

    Returns
    -------
    World
        Of one process where none of them started this one.

    Raises
    ------
    EnvironmentFailure
        If the processes that the launcher started cannot join, or not all of them.
    """
    from accelerate import Accelerator

    launched = int(os.environ.get("WORLD_SIZE", "1"))
    try:
        accelerator = Accelerator()
    except ValueError as error:  # before accelerate 1.13, where a launcher's address is missing
        raise EnvironmentFailure(
            f"the launcher started {launched} processes (WORLD_SIZE), which cannot join: {error}"
        ) from error
    if launched != accelerator.num_processes:
        raise EnvironmentFailure(
            f"the launcher started {launched} processes (WORLD_SIZE), accelerate sees "
            f"{accelerator.num_processes}; for CPU processes set ACCELERATE_USE_CPU=1 and use "
            "torchrun"
        )
    return World(
        rank=accelerator.process_index,
        size=accelerator.num_processes,
        device=accelerator.device,
        wait=accelerator.wait_for_everyone,
        close=accelerator.end_training,
    )
