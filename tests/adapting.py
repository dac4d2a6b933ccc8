"""Small tasks of sentences, and classifiers on tiny models, for what adapts and evaluates."""

import random

import torch

from probes.encoders.text_features import TextFeatures
from probes.task import sentence_task
from probes.transfer.classifier import Classifier

ANIMALS = ("dog", "sailors", "children", "owners")
THINGS = ("light", "water", "station", "reports")
REST = ("the", "old", "a", "that", "near", "walks", "she", "never")
CLASSES = ("animal", "thing")


def sentence(rng, noun):
    words = [rng.choice(REST) for _ in range(rng.randint(2, 7))]
    words.insert(rng.randrange(len(words) + 1), noun)
    return " ".join(words)


def nouns(n=90, seed=0, wrong=0.1, name="nouns", splits=("train", "dev", "test")):
    """Does an animal or a thing stand in the sentence? Some labels are wrong."""
    rng = random.Random(seed)
    texts, labels, parts = [], [], []
    for k in range(n):
        label = k % 2
        texts.append(sentence(rng, rng.choice((ANIMALS, THINGS)[label])))
        labels.append(CLASSES[label if rng.random() >= wrong else 1 - label])
        parts.append(
            splits[min(2 * k // n, 1) + (4 * k // n == 3)] if len(splits) > 1 else splits[0]
        )
    return sentence_task(texts, labels, splits=parts, name=name, labelling="noun", title=name)


def classifier(folder, seed=0, classes=CLASSES, **options):
    return Classifier.from_features(TextFeatures.from_pretrained(folder, **options), classes, seed)


def state(classifier):
    return {name: tensor.clone() for name, tensor in classifier.state().items()}


def differing(a, b):
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name], b[name])]
