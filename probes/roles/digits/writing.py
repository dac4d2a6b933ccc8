"""The decoders of McCoy et al. (2019): from one vector to digits.

A decoder is told neither the digits nor what it wrote before: it begins with ``relu(encoding)``,
reads zeros at every step, and is unrolled for the known length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probes.roles.digits.batches import Batch


class UniDecoder(nn.Module):
    """A GRU from left to right.

    Parameters
    ----------
    n_digits : int
        How many digits there are.
    embedding : int
        Width of the zeros that it reads.
    hidden : int
        Width of the encoding.
    """

    needs_tree = False

    def __init__(self, n_digits: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(embedding, hidden)
        self.out = nn.Linear(hidden, n_digits)

    def forward(self, encodings: Tensor, batch: Batch) -> Tensor:
        """Decode encodings (n, hidden) to logits, shape (length, n, n_digits)."""
        zeros = encodings.new_zeros(batch.length, batch.n, self.gru.input_size)
        states, _ = self.gru(zeros, encodings.relu()[None])
        return self.out(states)


class BiDecoder(nn.Module):
    """Two GRUs of half the width, from either side, that begin alike.

    Parameters
    ----------
    n_digits, embedding, hidden
        As of `UniDecoder`; ``hidden`` is even.
    """

    needs_tree = False

    def __init__(self, n_digits: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.gru = nn.GRU(embedding, hidden // 2, bidirectional=True)
        self.out = nn.Linear(hidden, n_digits)
        self.squeeze = nn.Linear(hidden, hidden // 2)

    def forward(self, encodings: Tensor, batch: Batch) -> Tensor:
        """Decode encodings (n, hidden) to logits, shape (length, n, n_digits)."""
        zeros = encodings.new_zeros(batch.length, batch.n, self.gru.input_size)
        first = self.squeeze(encodings.relu())
        states, _ = self.gru(zeros, torch.stack((first, first)))
        return self.out(states)


class TreeDecoder(nn.Module):
    """A GRU to each left child and one to each right child, down the input's own tree.

    Parameters
    ----------
    n_digits, embedding, hidden
        As of `UniDecoder`; ``embedding`` does not enter.

    Notes
    -----
    Chen, Liu, Song (2018), as McCoy et al. (2019) have it. The two GRUs lie beside each other in
    one matrix. They read zeros, so of their maps of the input only the biases are there.
    """

    needs_tree = True

    def __init__(self, n_digits: int, embedding: int, hidden: int) -> None:
        super().__init__()
        del embedding
        self.divide = nn.Linear(hidden, 6 * hidden)  # of each: reset, update, proposal
        self.read = nn.Parameter(torch.empty(6 * hidden).uniform_(-(hidden**-0.5), hidden**-0.5))
        self.out = nn.Linear(hidden, n_digits)

    def forward(self, encodings: Tensor, batch: Batch) -> Tensor:
        """Decode encodings (n, hidden) to logits, shape (length, n, n_digits)."""
        nodes = encodings.relu()
        width = nodes.shape[1]
        read = self.read.view(2, 3 * width)
        for rows in batch.downwards:
            parent = nodes.index_select(0, rows)
            maps = self.divide(parent).view(batch.n, 2, 3 * width)
            gates = (maps[..., : 2 * width] + read[:, : 2 * width]).sigmoid()
            reset, update = gates.chunk(2, 2)
            proposal = (read[:, 2 * width :] + reset * maps[..., 2 * width :]).tanh()
            made = proposal + update * (parent[:, None] - proposal)
            nodes = torch.cat((nodes, made.transpose(0, 1).reshape(-1, width)))
        return self.out(nodes.index_select(0, batch.leaves)).view(batch.length, batch.n, -1)


DECODERS: dict[str, type[UniDecoder] | type[BiDecoder] | type[TreeDecoder]] = {
    "uni": UniDecoder,
    "bi": BiDecoder,
    "tree": TreeDecoder,
}
"""By the names of McCoy et al. (2019), table 2."""
