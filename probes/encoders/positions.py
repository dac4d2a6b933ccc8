"""The positions of an image in a layer, and one vector of them."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor

from probes.choices import ImagePooling
from probes.errors import InputError, unknown


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


def require_pooling(pooling: str, n_special: int, model: str) -> None:
    """Refuse a pooling that a model's positions do not have.

    Parameters
    ----------
    pooling : str
        As it is asked for.
    n_special : int
        Positions of the model before its patches.
    model : str
        For the message.

    Raises
    ------
    InputError
        If it is unknown, or ``"cls"`` and there is no such position.
    """
    if pooling not in get_args(ImagePooling):
        raise unknown("pooling of an image", pooling, get_args(ImagePooling))
    if pooling == "cls" and not n_special:
        raise InputError(
            f"pooling 'cls' reads a special token before the patches, and {model} has none; "
            "choose mean or patch"
        )


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
