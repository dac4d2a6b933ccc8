"""A classifier in a folder: its network's own files, its head, and what it is.

``classifier.json`` says what it is, ``head.safetensors`` holds the head; beside them lies what the
network writes of itself, as plain transformers reads it where the architecture allows:
configuration, ``model.safetensors``, tokenizer or processor.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from probes.encoders.features import load_features
from probes.errors import InputError
from probes.files import write_whole

if TYPE_CHECKING:
    from probes.transfer.classifier import Classifier

ABOUT = "classifier.json"
HEAD = "head.safetensors"
PARTS = ("weight", "bias")

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
        If a file stands there.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the classifier")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ABOUT).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        new = Path(name)
        classifier.features.save(new)
        for path in sorted(new.iterdir()):
            os.replace(path, folder / path.name)
    head = {part: getattr(classifier.head, part).detach().cpu().contiguous() for part in PARTS}
    write_whole(folder / HEAD, safetensors.torch.save(head, _identity(classifier)))
    about = {"format": FORMAT, **classifier.about(), "temperature": classifier.temperature}
    write_whole(folder / ABOUT, (json.dumps(about, ensure_ascii=False, indent=1) + "\n").encode())


def weight_files(folder: Path) -> tuple[Path, ...]:
    """List the files that hold a saved classifier's weights, each parameter and buffer in one."""
    return tuple(sorted(folder.glob("*.safetensors")))


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
    _check_head(folder / HEAD, len(own), int(about["width"]))
    features = load_features(folder)
    head = nn.utils.skip_init(nn.Linear, features.width, len(own))
    classifier = Classifier(features, head.eval(), own, float(about["temperature"]))
    for what, came in json.loads(json.dumps(classifier.about())).items():
        if about.get(what) != came:
            raise InputError(
                f"{folder / ABOUT} says {what} {about.get(what)!r}, and the files beside it make "
                f"{came!r}; give the files that were saved together"
            )
    with safe_open(folder / HEAD, framework="pt") as file, torch.no_grad():
        for part in PARTS:
            getattr(head, part).copy_(file.get_tensor(part))
    return classifier


def _about(folder: Path) -> dict[str, Any]:
    path = folder / ABOUT
    if not path.is_file():
        raise InputError(f"{folder} holds no classifier ({ABOUT} is not there); check the path")
    if {path.name for path in weight_files(folder)} <= {HEAD}:
        raise InputError(
            f"{folder} holds no weights of its network as safetensors; nothing else is read"
        )
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
    except (SafetensorError, FileNotFoundError) as error:
        raise InputError(f"{path} is damaged ({error}); save the classifier again") from None
    for part in PARTS:
        if there.get(part) != expected[part]:
            raise InputError(
                f"{path}: {part} is {there.get(part, 'not there')}, expected {expected[part]} for "
                f"{n_classes} classes of features of width {width}; give the files that were saved "
                "together"
            )
