"""The processes that train together: each computes a part of every batch, and the parts add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from accelerate.utils import reduce
from torch import Tensor

from probes.states import World, join


@dataclass(frozen=True)
class Processes:
    """One process among those that train together.

    Parameters
    ----------
    world : World
        Which it is, of how many, and where it computes.
    """

    world: World

    @classmethod
    def join(cls) -> Processes:
        """Join the processes that ``accelerate launch`` or ``torchrun`` started."""
        return cls(join())

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.world.device

    @property
    def is_first(self) -> bool:
        """Whether this process does what is done once."""
        return self.world.is_first

    def own(self, n: int) -> range:
        """Give this process's share of n things that are in order: a run of them, maybe empty."""
        rank, size = self.world.rank, self.world.size
        return range(n * rank // size, n * (rank + 1) // size)

    def total(self, tensors: Sequence[Tensor]) -> None:
        """Add up tensors over all processes, in place; every process calls it alike."""
        if self.world.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        flat = reduce(flat, reduction="sum")
        start = 0
        for tensor in tensors:
            tensor.copy_(flat[start : start + tensor.numel()].view_as(tensor))
            start += tensor.numel()
