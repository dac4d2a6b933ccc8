"""The gradient recipe of McCoy et al. (2019) written out plainly, beside `GradientTPDN`.

One forward pass a batch of 32 sequences of equal length; the losses of 32 batches are summed, and
go backwards, as one update. Batches are drawn as `GradientTPDN` draws them, so that the two can be
compared update by update.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from probes.roles.schemes import RoleScheme

BATCH = 32
TOGETHER = 32


class PlainTPDN(nn.Module):
    """Embeddings, their tensor product summed over a sequence, and a linear map."""

    def __init__(self, n_fillers: int, n_roles: int, dims: tuple[int, int], width: int) -> None:
        super().__init__()
        self.fillers = nn.Embedding(n_fillers + 1, dims[0], padding_idx=n_fillers)
        self.roles = nn.Embedding(n_roles + 1, dims[1], padding_idx=n_roles)
        self.last = nn.Linear(dims[0] * dims[1], width)

    def forward(self, fillers: Tensor, roles: Tensor) -> Tensor:
        """Map a batch of one length."""
        bound = torch.bmm(self.fillers(fillers).transpose(1, 2), self.roles(roles))
        mapped: Tensor = self.last(bound.flatten(1))
        return mapped


@dataclass
class Trained:
    """A network with its best weights, its losses on dev in order, and what its numbers mean."""

    net: PlainTPDN
    numbers: tuple[dict[Any, int], dict[Any, int]]
    dev_losses: list[float]
    n_epochs: int

    def mse(self, scheme: RoleScheme, sequences: Sequence[Any], Z: Any) -> float:
        """Give the mean squared error over sequences and dimensions."""
        with torch.no_grad():
            lengths = _by_length(scheme, sequences, Z, *self.numbers)
            errors = [((self.net(f, r) - z) ** 2).mean(1) for f, r, z in lengths]
        return float(torch.cat(errors).mean())


def train_as_published(
    scheme: RoleScheme,
    train: tuple[Sequence[Any], Any],
    dev: tuple[Sequence[Any], Any],
    dims: tuple[int, int] = (20, 20),
    *,
    seed: int = 0,
    most_epochs: int = 100,
) -> Trained:
    """Train on sequences and their encodings; of dev, unknown fillers and roles add nothing."""
    fillers: dict[Any, int] = {}
    roles: dict[Any, int] = {}
    for sequence in train[0]:
        for filler, role in zip(sequence, scheme.roles(sequence), strict=True):
            fillers.setdefault(filler, len(fillers))
            roles.setdefault(role, len(roles))
    of_length = _by_length(scheme, *train, fillers, roles)
    held_out = [
        tuple(column[k : k + BATCH] for column in columns)
        for columns in _by_length(scheme, *dev, fillers, roles)
        for k in range(0, len(columns[0]), BATCH)
    ]
    torch.manual_seed(seed)
    net = PlainTPDN(len(fillers), len(roles), dims, train[1].shape[1])
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    random = np.random.default_rng(seed)
    losses: list[float] = []
    best = {name: value.clone() for name, value in net.state_dict().items()}
    waited = 0

    def ask() -> None:
        nonlocal best, waited
        with torch.no_grad():
            parts = [((net(f, r) - z) ** 2).mean(1).sum().item() for f, r, z in held_out]
        loss = sum(parts) / len(dev[0])
        waited += 1
        if not losses or loss < min(losses):
            best = {name: value.clone() for name, value in net.state_dict().items()}
            waited = 0
        losses.append(loss)

    n_epochs = 0
    for _ in range(most_epochs):
        n_epochs += 1
        least = min(losses, default=np.inf)
        batches = []
        for columns in of_length:
            rows = torch.from_numpy(random.permutation(len(columns[0])))
            batches += [(columns, rows[k : k + BATCH]) for k in range(0, len(rows), BATCH)]
        order = random.permutation(len(batches))
        for update, first in enumerate(range(0, len(order), TOGETHER)):
            adam.zero_grad()
            losses_of_batches = []
            for k in order[first : first + TOGETHER]:
                columns, rows = batches[k]
                f, r, z = (column[rows] for column in columns)
                losses_of_batches.append(nn.functional.mse_loss(net(f, r), z))
            torch.stack(losses_of_batches).sum().backward()
            adam.step()
            if update % 31 == 0:
                ask()
                if waited >= 10:
                    break
        if waited >= 10 or min(losses) == least:
            break
    ask()
    net.load_state_dict(best)
    return Trained(net, (fillers, roles), losses, n_epochs)


def _by_length(
    scheme: RoleScheme, sequences: Sequence[Any], Z: Any, fillers: Any, roles: Any
) -> list[tuple[Tensor, ...]]:
    """Lay out fillers, roles and encodings of each length, from the shortest on."""
    rows_of: dict[int, list[int]] = {}
    for row, sequence in enumerate(sequences):
        rows_of.setdefault(len(sequence), []).append(row)
    found = []
    for _, rows in sorted(rows_of.items()):
        f = [[fillers.get(x, len(fillers)) for x in sequences[row]] for row in rows]
        r = [[roles.get(x, len(roles)) for x in scheme.roles(sequences[row])] for row in rows]
        z = torch.tensor(np.asarray(Z)[rows], dtype=torch.float32)
        found.append((torch.tensor(f), torch.tensor(r), z))
    return found
