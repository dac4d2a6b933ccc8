"""The encoders of McCoy et al. (2019): from digits to one vector."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from probes.roles.digits.batches import Batch


class UniEncoder(nn.Module):
    """A GRU from left to right; the encoding is its last state.

    Parameters
    ----------
    n_digits : int
        How many digits there are.
    embedding : int
        Width of a digit's embedding.
    hidden : int
        Width of the encoding.
    """

    def __init__(self, n_digits: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_digits, embedding)
        self.gru = nn.GRU(embedding, hidden)

    def forward(self, batch: Batch) -> Tensor:
        """Encode, shape (n, hidden)."""
        _, last = self.gru(self.embedding(batch.digits))
        return last[0]


class BiEncoder(nn.Module):
    """Two GRUs of half the width, from either side; the encoding is both last states.

    Parameters
    ----------
    n_digits, embedding, hidden
        As of `UniEncoder`; ``hidden`` is even.
    """

    def __init__(self, n_digits: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_digits, embedding)
        self.gru = nn.GRU(embedding, hidden // 2, bidirectional=True)

    def forward(self, batch: Batch) -> Tensor:
        """Encode, shape (n, hidden)."""
        _, last = self.gru(self.embedding(batch.digits))
        return torch.cat((last[0], last[1]), 1)


class PublishedBiEncoder(nn.Module):
    """What the authors' code has in the place of `BiEncoder`, to reproduce their figures.

    Its second GRU reads from left to right as well: what is reversed is the order of the sequences
    of a batch, and not that of the digits. While it is taught, half of each encoding is thus of
    another sequence, and the decoder learns to do without it. Later, when sequences are encoded
    one by one, it is of the sequence itself.

    Parameters
    ----------
    n_digits, embedding, hidden
        As of `BiEncoder`.
    """

    def __init__(self, n_digits: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_digits, embedding)
        self.first = nn.GRU(embedding, hidden // 2)
        self.second = nn.GRU(embedding, hidden // 2)

    def forward(self, batch: Batch) -> Tensor:
        """Encode, shape (n, hidden)."""
        words = self.embedding(batch.digits)
        _, first = self.first(words)
        _, second = self.second(words)
        other = second[0].flip(0) if self.training else second[0]
        return torch.cat((first[0], other), 1)


class TreeEncoder(nn.Module):
    """A binary Tree-GRU over the digits' own trees; the encoding is the root's state.

    Of a node with the word w and the children's states l and r::

        z, q = σ(W w + L l + R r)        h~ = tanh(W' w + L' (q · l) + R' (q · r))
        h = z · l + z · r + (1 - z) · h~

    Leaves have zero for children, inner nodes zero for a word.

    Parameters
    ----------
    n_digits, embedding, hidden
        As of `UniEncoder`.

    Notes
    -----
    Chen, Huang, Chiang, Chen (2017), as McCoy et al. (2019) have it. The maps of z, q and h~ lie
    in one another's wake in one matrix each for w, l and r, biases and all.
    """

    def __init__(self, n_digits: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_digits, embedding)
        self.word = nn.Linear(embedding, 3 * hidden)
        self.left = nn.Linear(hidden, 3 * hidden)
        self.right = nn.Linear(hidden, 3 * hidden)

    def forward(self, batch: Batch) -> Tensor:
        """Encode, shape (n, hidden)."""
        n, width = batch.n, self.left.in_features
        inner = self.word.bias + self.left.bias + self.right.bias
        nodes = self._leaves(batch, inner)
        both = torch.cat((self.left.weight, self.right.weight), 1).T  # (2 · hidden, 3 · hidden)
        gates, proposal = both[:, : 2 * width], both[:, 2 * width :]
        for rows in batch.upwards:
            left, right = nodes.index_select(0, rows).split(n)
            z, q = (
                torch.addmm(inner[: 2 * width], torch.cat((left, right), 1), gates)
                .sigmoid()
                .chunk(2, 1)
            )
            h = torch.addmm(
                inner[2 * width :], torch.cat((q * left, q * right), 1), proposal
            ).tanh()
            nodes = torch.cat((nodes, h + z * (left + right - h)))
        return nodes[-n:]

    def _leaves(self, batch: Batch, inner: Tensor) -> Tensor:
        """Give every digit its state, shape (length · n, hidden); there are few digits."""
        gates = nn.functional.linear(self.embedding.weight, self.word.weight, inner)
        z, _, h = gates.chunk(3, 1)
        states = (1 - z.sigmoid()) * h.tanh()
        return states.index_select(0, batch.digits.reshape(-1))


ENCODERS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "uni": UniEncoder,
    "bi": BiEncoder,
    "tree": TreeEncoder,
    "bi-published": PublishedBiEncoder,
}
"""By the names of McCoy et al. (2019), table 2, and what their code has for ``bi``."""
