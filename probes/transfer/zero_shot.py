"""The zero-shot classifier of a model of images and texts: a head of what it says of class names.

Radford et al. (2021), arXiv:2103.00020, §3.1.2 and §3.1.4; it is the first end of WiSE-FT as
Wortsman et al. (2022), arXiv:2109.01903, §3 have it, and where their fine-tuning begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from probes.encoders.features import Features
from probes.encoders.text_tower import TextTokens, TextTower
from probes.errors import InputError
from probes.transfer.classifier import Classifier
from probes.transfer.templates import TEMPLATES, filled, require_templates


def zero_shot(
    features: Features,
    classes: Sequence[str],
    templates: Sequence[str] = TEMPLATES,
    *,
    trust_remote_code: bool = False,
) -> Classifier:
    """Make the classifier that a model of images and texts is without any training.

    Parameters
    ----------
    features : Features
        Of images, with the pooling ``"embedding"``; they are not copied. The text tower and its
        tokenizer are read where they come from: by their name and revision.
    classes : sequence of str
        What the logits stand for, in their order; these are the names that the templates take.
    templates : sequence of str
        Sentences, each with one ``{}`` for the name.
    trust_remote_code : bool
        Whether code that comes with the model may run.

    Returns
    -------
    Classifier
        In evaluation mode. Its head's row of a class is the mean over templates of the texts'
        vectors of length one, brought to length one again, times the model's scale of logits;
        its bias is nought (CLIP), or the model's own (SigLIP). With one template its logits are the
        model's ``logits_per_image``.

    Raises
    ------
    InputError
        If the features are others, a template has not one place, or there is no text tower.
    """
    texts = _texts(features, classes, templates)
    name, where = _model(features, trust_remote_code)
    classifier = Classifier.from_features(features, classes)
    tower = TextTower.from_pretrained(name, where, device=classifier.device)
    vectors = tower(texts)
    if vectors.shape[1] != features.width:
        raise InputError(
            f"the texts' vectors of {name!r} have width {vectors.shape[1]}, the images' "
            f"{features.width}; give features of the same model"
        )
    means = vectors.reshape(len(classes), len(templates), -1).mean(1)
    with torch.no_grad():
        classifier.head.weight.copy_(tower.scale * nn.functional.normalize(means, dim=-1))
        classifier.head.bias.fill_(tower.bias)
    return classifier


def require_texts(
    features: Features,
    classes: Sequence[str],
    templates: Sequence[str],
    *,
    trust_remote_code: bool = False,
) -> None:
    """Refuse what no zero-shot classifier can be made of, before any weights of texts are read.

    Parameters
    ----------
    features, classes, templates, trust_remote_code
        As `zero_shot`.

    Raises
    ------
    InputError
        As `zero_shot`.
    """
    texts = _texts(features, classes, templates)
    TextTokens.from_pretrained(*_model(features, trust_remote_code)).require_room(texts)


def _texts(features: Features, classes: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Give the texts, class by class, of features that can be compared with them."""
    require_templates(templates)
    pooling = features.settings()["pooling"]
    if pooling != "embedding":
        raise InputError(
            "a zero-shot classifier compares embeddings of images with those of texts, and these "
            f"{features.kind} features have the pooling {pooling!r}; load those of images with the "
            "pooling 'embedding'"
        )
    return [filled(template, name) for name in classes for template in templates]


def _model(features: Features, trust_remote_code: bool) -> tuple[str, dict[str, Any]]:
    """Say where features come from: there is the text tower, too."""
    about = features.settings()
    where = {"revision": about["revision"] or None, "trust_remote_code": trust_remote_code}
    return about["name"], where
