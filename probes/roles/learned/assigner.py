"""A network that reads a sequence and gives each item a distribution over roles."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from probes.roles.numbers import lengths_of
from probes.roles.sequences import Fillers


@dataclass(frozen=True)
class Padded:
    """Sequences as a matrix.

    Parameters
    ----------
    items : Tensor of shape (n, length), int64
        The fillers' numbers; past the end of a sequence, and of a filler that is not known, the
        number after the last.
    mirror : Tensor of shape (n, length), int64
        Places that turn each sequence round and leave the padding where it is.
    mask : Tensor of shape (n, length), bool
        Where a sequence has an item.
    """

    items: Tensor
    mirror: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: Tensor | slice) -> Padded:
        return Padded(self.items[rows], self.mirror[rows], self.mask[rows])


def pad(sequences: Sequence[Fillers], numbers: Mapping[Hashable, int]) -> Padded:
    """Number the fillers and pad to the longest sequence.

    Parameters
    ----------
    sequences : sequence of sequences of fillers
        Of any lengths.
    numbers : mapping of filler to int
        From 0 on, without gaps.

    Returns
    -------
    Padded
    """
    lengths = lengths_of(sequences)
    places = np.arange(max(lengths.max(initial=0), 1))
    mask = places < lengths[:, None]
    items = np.full(mask.shape, len(numbers))
    items[mask] = [numbers.get(item, len(numbers)) for s in sequences for item in s]
    mirror = np.where(mask, lengths[:, None] - 1 - places, places)
    return Padded(torch.from_numpy(items), torch.from_numpy(mirror), torch.from_numpy(mask))


class Assigner(nn.Module):
    """An LSTM in each direction over embeddings of the fillers, and a softmax.

    A role that counts from the right needs the future, so that without the second direction no
    more than left-to-right roles (and those of earlier neighbours) can be found.

    Parameters
    ----------
    n_fillers, n_roles : int
        Known fillers, and roles.
    width, hidden : int
        Of the embeddings, and of the state of one direction.
    bidirectional : bool
        Whether the sequence is read backwards too.
    sees_item : bool
        Whether an item's role may depend on the item, and not only on those before and after.
    """

    def __init__(
        self,
        n_fillers: int,
        n_roles: int,
        width: int,
        hidden: int,
        bidirectional: bool = True,
        sees_item: bool = True,
    ) -> None:
        super().__init__()
        self.sees_item = sees_item
        self.embeddings = nn.Embedding(n_fillers + 1, width, padding_idx=n_fillers)
        self.forwards = nn.LSTM(width, hidden, batch_first=True)
        self.backwards = nn.LSTM(width, hidden, batch_first=True) if bidirectional else None
        self.out = nn.Linear(hidden * (1 + bidirectional), n_roles)

    def forward(self, batch: Padded) -> Tensor:
        """Give the scores of the roles, before the softmax, (n, length, n_roles)."""
        E = self.embeddings(batch.items)
        states = self._states(self.forwards, E)  # what follows the end does not reach back
        if self.backwards is not None:
            back = self._states(self.backwards, _turned(E, batch.mirror))
            states = torch.cat([states, _turned(back, batch.mirror)], 2)
        scores: Tensor = self.out(states)
        return scores

    def _states(self, lstm: nn.LSTM, E: Tensor) -> Tensor:
        states: Tensor = lstm(E)[0]
        if self.sees_item:
            return states
        return torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)

    def attention(self, batch: Padded) -> Tensor:
        """Give the distributions over roles, (n, length, n_roles); zero on padding."""
        return torch.softmax(self(batch), -1) * batch.mask[..., None]


def _turned(states: Tensor, mirror: Tensor) -> Tensor:
    return states.gather(1, mirror[..., None].expand(-1, -1, states.shape[2]))


def bind(fillers: Tensor, batch: Padded, attention: Tensor) -> Tensor:
    """Sum the tensor products of fillers and roles.

    Parameters
    ----------
    fillers : Tensor of shape (n_fillers + 1, d)
        A vector each, the last zero.
    batch : Padded
        The sequences.
    attention : Tensor of shape (n, length, n_roles)
        Zero on padding.

    Returns
    -------
    Tensor of shape (n, d * n_roles)
    """
    return torch.bmm(fillers[batch.items].transpose(1, 2), attention).flatten(1)


def batches(n: int, size: int, n_steps: int) -> Iterator[Tensor]:
    """Draw the rows of batches: shuffle, take all in turn, and shuffle again.

    Parameters
    ----------
    n : int
        Rows.
    size : int
        Of a batch; at most n.
    n_steps : int
        Batches.

    Yields
    ------
    Tensor of shape (size,), int64
        By torch's seed, as the weights are.
    """
    size = min(size, n)
    waiting = torch.randperm(n)
    for _ in range(n_steps):
        if len(waiting) < size:
            waiting = torch.randperm(n)
        yield waiting[:size]
        waiting = waiting[size:]


BLOCK = 2048


@torch.no_grad()
def attend(assigner: Assigner, data: Padded) -> Tensor:
    """Give the distributions of many sequences, block by block."""
    blocks = [
        assigner.attention(data[start : start + BLOCK]) for start in range(0, len(data), BLOCK)
    ]
    return torch.cat(blocks) if blocks else assigner.attention(data)


@dataclass(frozen=True)
class Learned:
    """What a recipe hands back: encoding ≈ Σ fillers[item] ⊗ attention · table + intercept.

    Parameters
    ----------
    assigner : Assigner
        Of the roles.
    fillers : Tensor of shape (n_fillers + 1, d)
        The last is zero.
    table : Tensor of shape (d * n_roles, width)
        W and the role embeddings in one.
    intercept : Tensor of shape (width,)
    """

    assigner: Assigner
    fillers: Tensor
    table: Tensor
    intercept: Tensor

    def predict(self, data: Padded, attention: Tensor) -> Tensor:
        """Give the encodings under an attention."""
        return bind(self.fillers, data, attention) @ self.table + self.intercept


def snap(attention: Tensor) -> Tensor:
    """Put all of each item's attention on its first role; padding stays zero."""
    hard = torch.zeros_like(attention)
    hard.scatter_(-1, attention.argmax(-1, keepdim=True), 1.0)
    return hard * (attention.sum(-1, keepdim=True) > 0)


def squared_error(learned: Learned, data: Padded, Z: Tensor, attention: Tensor) -> float:
    """Give the mean squared distance of predicted and true encodings."""
    return float((learned.predict(data, attention) - Z).square().sum(1).mean())
