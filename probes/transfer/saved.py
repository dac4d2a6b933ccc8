"""A classifier in a folder: its network's own files, one file of weights, and what it is.

``classifier.json`` says what it is, ``model.safetensors`` holds all its weights: those of the
network under the names that plain transformers reads (it passes over the head's), and the head's.
Beside them lie the network's configuration and tokenizer or processor.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from probes.encoders.features import load_features, save_features
from probes.errors import InputError
from probes.files import write_whole

if TYPE_CHECKING:
    from probes.transfer.classifier import Classifier

ABOUT = "classifier.json"
WEIGHTS = "model.safetensors"
HEAD = {"weight": "probes_head.weight", "bias": "probes_head.bias"}
"""Names of the head's tensors in the file, which no network's own can be."""

FORMAT = 1


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Write a classifier into a folder, new or old; what it is stands there last.

    Parameters
    ----------
    classifier : Classifier
        Of any kind.
    folder : Path
        A folder with a classifier is written over.

    Raises
    ------
    InputError
        If a file stands there, or the network writes no `WEIGHTS`.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the classifier")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        new = Path(name)
        save_features(classifier.features, new)
        _add_head(classifier, new / WEIGHTS)
        for path in sorted(new.iterdir()):
            os.replace(path, folder / path.name)
    about = {
        "format": FORMAT,
        **classifier.about(),
        "temperature": classifier.temperature,
    }
    write_whole(folder / ABOUT, (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode())


def _add_head(classifier: Classifier, path: Path) -> None:
    if not path.is_file():
        raise InputError(f"the network wrote no {WEIGHTS}; it cannot be saved as a classifier")
    with safe_open(path, framework="pt") as file:
        metadata = {**(file.metadata() or {}), **_identity(classifier)}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    for part, name in HEAD.items():
        tensors[name] = getattr(classifier.head, part).detach().cpu().contiguous()
    part_path = path.with_suffix(".part")
    save_file(tensors, part_path, metadata)
    with open(part_path, "rb") as written:
        os.fsync(written.fileno())
    part_path.replace(path)


def _identity(classifier: Classifier) -> dict[str, str]:
    """What the file itself says, so that weights of two kinds are never averaged unawares."""
    about = classifier.about()
    classes = json.dumps(about["classes"], ensure_ascii=False)
    return {"architecture": about["architecture"], "classes": classes}


def load_classifier(folder: Path, classes: Sequence[str] | None = None) -> Classifier:
    """Read a classifier from a folder.

    Nothing that could run is read: JSON, safetensors, and a tokenizer's or processor's files.

    Parameters
    ----------
    folder : Path
        As `save_classifier` left it.
    classes : sequence of str, optional
        What its classes must be, in order.

    Returns
    -------
    Classifier
        In evaluation mode, on the CPU.

    Raises
    ------
    InputError
        If there is none, it is damaged, its network is of another architecture than it says, or
        its classes are not those wanted. The head's shape is read from the file's header, before
        anything is copied.
    """
    from probes.transfer.classifier import Classifier

    about = _about(folder)
    own = tuple(about["classes"])
    if classes is not None and own != tuple(classes):
        raise InputError(
            f"{folder}: classes in the order {', '.join(own)}; expected {', '.join(classes)}; give "
            "a classifier of the same task"
        )
    _check_head(folder / WEIGHTS, len(own), int(about["width"]))
    features = load_features(folder)
    head = nn.utils.skip_init(nn.Linear, features.width, len(own))
    classifier = Classifier(features, head.eval(), own, float(about["temperature"]))
    for what, came in json.loads(json.dumps(classifier.about())).items():
        if about.get(what) != came:
            raise InputError(
                f"{folder / ABOUT} says {what} {about.get(what)!r}, and the files beside it make "
                f"{came!r}; give the files that were saved together"
            )
    with safe_open(folder / WEIGHTS, framework="pt") as file, torch.no_grad():
        for part, name in HEAD.items():
            getattr(head, part).copy_(file.get_tensor(name))
    return classifier


def _about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    if not path.is_file():
        raise InputError(f"{folder} holds no classifier ({ABOUT} is not there); check the path")
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder} holds no {WEIGHTS}; no other file of weights is read")
    try:
        about = dict(json.loads(path.read_text(encoding="utf-8")))
        if about["format"] != FORMAT:
            raise InputError(
                f"{path} is of format {about['format']}, this version reads {FORMAT}; save the "
                "classifier again"
            )
        for name in ("classes", "width", "temperature"):
            about[name]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged ({error}); save the classifier again") from None
    return about


def _check_head(path: Path, n_classes: int, width: int) -> None:
    expected = {"weight": [n_classes, width], "bias": [n_classes]}
    try:
        with safe_open(path, framework="pt") as file:
            there = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error}); save the classifier again") from None
    for part, name in HEAD.items():
        if there.get(name) != expected[part]:
            raise InputError(
                f"{path}: {name} is {there.get(name, 'not there')}, expected {expected[part]} for "
                f"{n_classes} classes of features of width {width}; give the files that were saved "
                "together"
            )
