"""The vector of an image that a model of images and texts compares with vectors of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from probes.errors import InputError


@dataclass(frozen=True)
class Embedding:
    """How the vector is had from what an image tower returns.

    Parameters
    ----------
    field : str
        Of the output that holds it.
    """

    field: str

    def __call__(self, model: nn.Module, output: Any) -> Tensor:
        """Give it at length one, of shape (images, width), float32 (float64 where it is that)."""
        vectors: Tensor = getattr(output, self.field)
        wide = vectors if vectors.dtype == torch.float64 else vectors.float()
        return nn.functional.normalize(wide, dim=-1)


_TOWERS = {
    "clip_vision_model": ("CLIPVisionModelWithProjection", Embedding("image_embeds")),
    "siglip_vision_model": ("SiglipVisionModel", Embedding("pooler_output")),
}
"""By type of the image tower: the class of transformers that has the embedding, and where."""


def embedding_of(config: Any, name: str) -> tuple[Any, Embedding]:
    """Say which class gives the embedding of images, and how.

    Parameters
    ----------
    config : transformers.PretrainedConfig
        Of an image tower.
    name : str
        Of the model, for the message.

    Returns
    -------
    type, Embedding
        The class loads the tower up to its embedding.

    Raises
    ------
    InputError
        If it is no tower of a model of images and texts whose embedding is known.
    """
    if config.model_type not in _TOWERS:
        raise without_embedding(name, config.model_type)
    cls, embedding = _TOWERS[config.model_type]
    return getattr(transformers, cls), embedding


def without_embedding(name: str, kind: str) -> InputError:
    """Make the error for a model whose images are compared with no texts."""
    return InputError(
        f"the model {name!r} ({kind}) compares images with no texts, so that there is no pooling "
        "'embedding' and no zero-shot classifier; give one of images and texts, CLIP or SigLIP, or "
        "choose another pooling (cls, mean, patch) or method"
    )
