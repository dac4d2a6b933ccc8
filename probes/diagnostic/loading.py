"""The model of a run: of texts or of images, as its task asks."""

from __future__ import annotations

from typing import Any

import torch

from probes.configs import ProbeConfig
from probes.encoders import ImageEncoder, TextEncoder
from probes.errors import InputError
from probes.states.corpus import require_single
from probes.task import Task

OF_TEXTS = ("part", "max_tokens", "truncation", "stride", "lost")
"""Settings that mean nothing of images."""


def load_encoder(
    config: ProbeConfig, task: Task, device: torch.device, like: dict[str, Any] | None = None
) -> TextEncoder | ImageEncoder:
    """Load the model that a run is of.

    Parameters
    ----------
    config : ProbeConfig
        Every setting.
    task : Task
        Whose units it will read.
    device : torch.device
        Where to compute.
    like : dict, optional
        What was said of the pretrained model, where the same is wanted with random weights.

    Returns
    -------
    TextEncoder or ImageEncoder
        In evaluation mode.

    Raises
    ------
    InputError
        If it cannot be loaded, a setting is of texts and the task of images, or the task is of
        pairs of texts.
    """
    require_single(task)
    random_weights = None if like is None else config.seed
    if task.unit == "image":
        _require_no_text(config)
        return ImageEncoder.from_pretrained(
            config.model,
            revision=config.revision,
            dtype=config.dtype,
            device=device,
            attention=config.attention,
            trust_remote_code=config.trust_remote_code,
            random_weights=random_weights,
        )
    return TextEncoder.from_pretrained(
        config.model,
        revision=config.revision,
        dtype=config.dtype,
        device=device,
        attention=config.attention,
        max_tokens=config.max_tokens,
        trust_remote_code=config.trust_remote_code,
        random_weights=random_weights,
        part=config.part,
        is_causal=None if like is None else like["is_causal"],
    )


def _require_no_text(config: ProbeConfig) -> None:
    fields = ProbeConfig.__dataclass_fields__
    for name in OF_TEXTS:
        if getattr(config, name) != fields[name].default:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"{flag} {getattr(config, name)}: it is of texts, and this task is of images; "
                "leave it out"
            )
