"""Tiny vision models of every family, from their configurations and a fixed seed alone."""

import json
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import nn

import zoo
from probes.encoders.network import Network
from probes.encoders.pixels import Pixels

SIZE = 32

_PLAIN = {"hidden_size": 32, "num_attention_heads": 4, "image_size": SIZE, "patch_size": 8}
_VIT = _PLAIN | {"num_hidden_layers": 3, "intermediate_size": 48}
_DINO = _PLAIN | {"num_hidden_layers": 3}
_TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 50,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
_STAGES = {"hidden_sizes": [16, 24], "depths": [1, 2]}

FAMILIES: dict[str, tuple[str, dict]] = {
    "vit": ("ViTConfig", _VIT),
    "dinov2": ("Dinov2Config", _DINO),
    "dinov2-registers": ("Dinov2WithRegistersConfig", _DINO | {"num_register_tokens": 3}),
    "clip": ("CLIPConfig", {"text_config": _TEXT, "vision_config": _VIT}),
    "siglip": ("SiglipConfig", {"text_config": _TEXT, "vision_config": _VIT}),
    "resnet": ("ResNetConfig", _STAGES | {"embedding_size": 16, "layer_type": "basic"}),
    "resnet-bottleneck": ("ResNetConfig", _STAGES | {"embedding_size": 16}),
    "convnext": ("ConvNextConfig", _STAGES | {"num_stages": 2, "image_size": SIZE}),
    "swin": (
        "SwinConfig",
        {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 2}
        | {"image_size": SIZE, "patch_size": 4},
    ),
}
SPECIAL = {"vit": 1, "dinov2": 1, "dinov2-registers": 4, "clip": 1}
"""Positions before the patches; none in the other families."""
MAPS = ("resnet", "resnet-bottleneck", "convnext")


def save(family: str, folder: str | Path) -> None:
    """Write a model with its image processor, in the form of Hugging Face."""
    name, fields = FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        model = transformers.AutoModel.from_config(getattr(transformers, name)(**fields))
    zoo._draw(model)
    model.save_pretrained(folder)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": SIZE, "width": SIZE},
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.25, 0.3],
    }
    Path(folder, "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")


def noise(n: int, seed: int = 1, height: int = 40, width: int = 50) -> np.ndarray:
    """Images of noise, smaller or larger than the models take."""
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (n, height, width, 3), dtype=np.uint8)


class Convolutions(nn.Module):
    """A network that is no model of Hugging Face, with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
        self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 12, 3, stride=2, padding=1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(self.body(self.stem(x))).flatten(1))


def network() -> Network:
    """What `--model python:…:network` calls."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        module = Convolutions()
    layers = {"stem": "stem", "body": "body", "features": "pool"}
    return Network(module, layers, Pixels(SIZE, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
