"""Loading of Hugging Face vision models and of the image towers of models with two."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from probes.choices import Dtype
from probes.encoders.embedding import embedding_of
from probes.encoders.load import load_weights, model_class, model_options, read_config
from probes.encoders.network import is_reference
from probes.encoders.pixels import PretrainedPixels
from probes.errors import InputError


def reads_images(name: str, where: dict[str, Any]) -> bool:
    """Whether a model reads images and no text, or has an image tower of its own (CLIP).

    Parameters
    ----------
    name : str
        Folder, name on the hub, or reference to a network of Python.
    where : dict
        Its ``revision``, and whether to ``trust_remote_code``.

    Raises
    ------
    InputError
        If its configuration cannot be loaded.
    """
    if is_reference(name):
        return True
    config = read_config(name, where)
    if type(config) in transformers.MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING:
        return True
    return _takes_pixels(config)


def _takes_pixels(config: Any) -> bool:
    cls = transformers.MODEL_MAPPING.get(type(config), None)
    return getattr(cls, "main_input_name", "") == "pixel_values"


def load_image_model(
    name: str,
    where: dict[str, Any],
    *,
    dtype: Dtype,
    attention: str | None = None,
    random_weights: int | None = None,
    embeds: bool = False,
) -> tuple[Any, PretrainedPixels, str]:
    """Load a vision model and its image processor.

    Parameters
    ----------
    name, where, dtype, attention, random_weights
        As `probes.encoders.load.load_model`.
    embeds : bool
        Whether it is loaded up to the vector that is compared with texts.

    Returns
    -------
    model : transformers.PreTrainedModel
        Without a head; of a model with two towers that of images.
    pixels : PretrainedPixels
        Its image processor.
    revision : str
        What was loaded.

    Raises
    ------
    InputError
        If one of them cannot be loaded, the model reads no images, or compares them with no texts.
    """
    config = whole = read_config(name, where)
    commit = getattr(config, "_commit_hash", None)
    if not _takes_pixels(config) and hasattr(config, "vision_config"):
        config = config.vision_config
    if not _takes_pixels(config):
        raise InputError(
            f"the model {name!r} ({config.model_type}) reads no images; give a vision model, such "
            "as ViT, DINOv2, CLIP, SigLIP, ResNet, ConvNeXt or Swin"
        )
    tower = embedding_of(config, name)[0] if embeds else None
    if config.model_type.startswith("siglip"):
        config.vision_use_head = embeds  # a head that pools, and is no layer
    elif embeds:
        config.projection_dim = whole.projection_dim  # the tower's own may say something else
    pixels = PretrainedPixels.of(name, where)
    options = model_options(config, dtype, attention)
    if random_weights is None:
        model = load_weights(name, config, {**where, **options}, tower=tower)
        return model, pixels, commit or where["revision"] or ""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_weights)
        if tower is not None:
            model = tower._from_config(config, **options)
        else:
            model = model_class(config).from_config(
                config, trust_remote_code=where["trust_remote_code"], **options
            )
    return model, pixels, f"random weights, seed {random_weights}"
