"""Low-rank additions to a network's linear maps, by `peft`, merged into the weights at the end."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

from probes.errors import InputError
from probes.transfer.classifier import Classifier
from probes.transfer.schedule import noise_seed
from probes.transfer.settings import Change


def add_adapters(classifier: Classifier, change: Change, seed: int) -> Callable[[], None]:
    """Put low-rank additions into a classifier's network, in place.

    Parameters
    ----------
    classifier : Classifier
        Its network is given additions that change nothing yet.
    change : Change
        Rank, scale and targets.
    seed : int
        Of the additions' first factors.

    Returns
    -------
    callable
        Merges what the additions have become into the weights, and takes them out.

    Raises
    ------
    InputError
        If `peft` is not installed, or does not know where to put them.

    Notes
    -----
    Hu et al. (2022), arXiv:2106.09685.
    """
    try:
        peft: Any = importlib.import_module("peft")
    except ImportError as error:
        raise InputError(
            "LoRA needs peft, which is not installed: pip install 'layerprobes[lora]'"
        ) from error
    config = peft.LoraConfig(
        r=change.lora_rank,
        lora_alpha=change.lora_alpha or change.lora_rank,
        lora_dropout=0.0,
        target_modules=list(change.lora_targets) or None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(noise_seed(seed, 0, 0))
        try:
            model = peft.LoraModel(classifier.features.module, config, "default")
        except ValueError as error:
            maps = {
                name.rpartition(".")[2]
                for name, part in classifier.features.module.named_modules()
                if isinstance(part, torch.nn.Linear)
            }
            raise InputError(
                f"LoRA: {' '.join(str(error).split())}; name lora_targets among "
                f"{', '.join(sorted(maps))}"
            ) from error

    def merge() -> None:
        model.merge_and_unload()

    return merge
