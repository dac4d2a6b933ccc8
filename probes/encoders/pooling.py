"""From sub-token states to one vector a unit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from probes.choices import Pooling


@dataclass(frozen=True, eq=False)
class Segments:
    """Which positions of a padded batch make up which vector.

    Parameters
    ----------
    positions : Tensor of shape (n_positions,), int64
        Indices into the batch, flattened to (rows · tokens, width).
    lengths : Tensor of shape (n_vectors,), int64
        How many of them, in order, each vector is made of; at least one each.
    """

    positions: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> Segments:
        """Copy to a device."""
        return Segments(self.positions.to(device), self.lengths.to(device))

    def after_start(self, width: int) -> Segments:
        """Give the positions in a batch whose rows begin with one token more.

        Parameters
        ----------
        width : int
            Tokens a row, without that one.

        Returns
        -------
        Segments
            For a decoder, which reads the same tokens after its start token.
        """
        return Segments(self.positions + self.positions // width + 1, self.lengths)

    def reduced(self, pooling: Pooling) -> Segments:
        """Keep the one position that ``first``, ``last`` or ``cls`` pooling reads.

        Parameters
        ----------
        pooling : {"first", "last", "mean", "max", "cls"}
            How the units are pooled; ``mean`` and ``max`` keep every position.

        Returns
        -------
        Segments
            With lengths of one for the other three.
        """
        if pooling in ("mean", "max"):
            return self
        ends = self.lengths.cumsum(0)
        at = ends - 1 if pooling == "last" else ends - self.lengths
        return Segments(self.positions[at], torch.ones_like(self.lengths))


def pool(hidden: Tensor, segments: Segments, pooling: Pooling) -> Tensor:
    """Pool sub-tokens to one vector a unit.

    Parameters
    ----------
    hidden : Tensor of shape (rows, tokens, width)
        A layer's states.
    segments : Segments
        On the same device, as `Segments.reduced` leaves them.
    pooling : {"first", "last", "mean", "max", "cls"}
        ``mean`` and ``max`` reduce; all else reads the one position.

    Returns
    -------
    Tensor of shape (n_vectors, width), float32 (float64 where the states are)
        A copy. The mean over one sub-token is that sub-token, bit for bit.
    """
    flat = hidden.reshape(-1, hidden.shape[-1])
    wide = flat.dtype if flat.dtype == torch.float64 else torch.float32
    ends = segments.lengths.cumsum(0)
    pooled = flat.index_select(0, segments.positions[ends - segments.lengths]).to(wide)
    several = torch.nonzero(segments.lengths > 1).squeeze(1)
    if len(several):
        keep = torch.repeat_interleave(segments.lengths > 1, segments.lengths)
        pieces = flat.index_select(0, segments.positions[keep]).to(wide)
        pooled[several] = torch.segment_reduce(
            pieces, "max" if pooling == "max" else "mean", lengths=segments.lengths[several]
        )
    return pooled
