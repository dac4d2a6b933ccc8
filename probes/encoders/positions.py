"""The positions of an image in a layer, and one vector of them."""

from __future__ import annotations

import torch
from torch import Tensor

from probes.choices import ImagePooling
from probes.errors import InputError


def as_positions(states: Tensor, what: str = "a layer") -> Tensor:
    """Lay out states as (images, positions, width).

    Parameters
    ----------
    states : Tensor of shape (images, width), (images, positions, width), or (images, width, …, …)
        Vectors, tokens, or feature maps with their channels first.
    what : str
        For complaints.

    Returns
    -------
    Tensor of shape (images, positions, width)
        A view where that is possible.
    """
    if not isinstance(states, Tensor) or states.ndim not in (2, 3, 4):
        came = tuple(states.shape) if isinstance(states, Tensor) else type(states).__name__
        raise InputError(
            f"{what} gives {came}; expected (images, width), (images, tokens, width) or "
            "(images, width, height, width of the map)"
        )
    if states.ndim == 2:
        return states[:, None]
    return states if states.ndim == 3 else states.flatten(2).transpose(1, 2)


def pool_positions(states: Tensor, pooling: ImagePooling, n_special: int) -> Tensor:
    """Pool the positions of each image to one vector.

    Parameters
    ----------
    states : Tensor of shape (images, positions, width)
        Of a layer.
    pooling : {"cls", "mean", "patch"}
        As `ImageEncoder.run`.
    n_special : int
        Positions before the patches.

    Returns
    -------
    Tensor of shape (images, width), float32 (float64 where the states are)
        With gradients, where they are recorded.
    """
    wide = states if states.dtype == torch.float64 else states.float()
    if pooling == "cls":
        return wide[:, 0].clone()
    return wide[:, n_special if pooling == "patch" else 0 :].mean(dim=1)
