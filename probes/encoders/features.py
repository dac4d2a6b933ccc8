"""Pretrained networks with one pooled feature vector an item, which may be trained."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, Self, get_args

import torch
from torch import Tensor

from probes.errors import InputError, unknown

FeatureKind = Literal["text", "image"]
"""What the items are."""

SETTINGS = "features.json"
"""What is written beside the weights: `Features.settings`, as JSON."""


_CLASSES = {
    "text": ("probes.encoders.text_features", "TextFeatures"),
    "image": ("probes.encoders.image_features", "ImageFeatures"),
}
"""By kind, imported when one is loaded: text needs no library of images."""


class Features(Protocol):
    """A pretrained network with a pooled feature vector that can be trained.

    Attributes
    ----------
    module : torch.nn.Module
        Everything that fine-tuning may change, float32.
    width : int
        Of the pooled feature.
    kind : {"text", "image"}
        What the items are.
    """

    module: torch.nn.Module
    width: int
    kind: FeatureKind

    def collate(self, items: Sequence[Any]) -> dict[str, Tensor]:
        """Lay out raw texts, pairs of texts or PIL images as one batch on the CPU.

        Texts are padded on the right, images stacked. A pair is a tuple of two texts.

        Every tensor has a row an item. One named ``cut``, bool of shape (n,), says of which items
        some was left out; it is not needed to compute features.
        """
        ...

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute features, shape (n, width), with gradients where these are enabled."""
        ...

    def blocks(self) -> list[torch.nn.Module]:
        """List the network's parts from the input upwards, embeddings or stem first."""
        ...

    def copy(self) -> Self:
        """Make an independent deep copy."""
        ...

    def save(self, folder: Path) -> None:
        """Write configuration, safetensors, tokenizer or processor, and `SETTINGS`.

        Plain transformers loads them where the architecture allows.
        """
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        ...

    def settings(self) -> dict[str, Any]:
        """Give the kind, and what `load` needs beside the weights: pooling, length and so on."""
        ...


def load_features(folder: str | Path) -> Features:
    """Read what `Features.save` wrote, of whatever kind.

    Parameters
    ----------
    folder : str or Path
        With the network's own files and `SETTINGS`.

    Returns
    -------
    Features
        Of the kind that was written, in evaluation mode.

    Raises
    ------
    InputError
        If the folder holds none, or what it holds is damaged or of an unknown kind.
    """
    path = Path(folder) / SETTINGS
    if not path.is_file():
        raise InputError(f"{folder} holds no {SETTINGS}; give a folder of a saved classifier")
    try:
        kind = json.loads(path.read_text(encoding="utf-8"))["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); save the classifier again") from None
    features: Features = _class_of(kind).load(Path(folder))
    return features


def pretrained(kind: FeatureKind, name: str, **options: Any) -> Features:
    """Load a pretrained network as features.

    Parameters
    ----------
    kind : {"text", "image"}
        What its items are.
    name : str
        Folder, or name on the hub.
    **options
        Of ``from_pretrained`` of that kind; those that are None are left to it.

    Returns
    -------
    Features
        In evaluation mode.

    Raises
    ------
    InputError
        If it cannot be loaded, or the kind has no such option.
    """
    cls: Any = _class_of(kind)
    given = {key: value for key, value in options.items() if value is not None}
    known = list(inspect.signature(cls.from_pretrained).parameters)
    for key in given:
        if key not in known:
            raise unknown(f"option of {kind} features", key, known[1:])
    features: Features = cls.from_pretrained(name, **given)
    return features


def _class_of(kind: str) -> Any:
    if kind not in _CLASSES:
        raise unknown("kind of features", kind, get_args(FeatureKind))
    module, name = _CLASSES[kind]
    return getattr(importlib.import_module(module), name)
