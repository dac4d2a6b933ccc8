"""Linear probing: scikit-learn's objective at every penalty, and an encoder that stays as it is."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from adapting import CLASSES, classifier, differing, nouns, state
from probes.errors import InputError
from probes.task import sentence_task
from probes.transfer.classifier import Classifier
from probes.transfer.examples import class_names, labelled, shifted
from probes.transfer.linear import CS, linear_probe, with_fresh_scale
from probes.transfer.passes import features_of
from probes.transfer.processes import Processes

SOME = (1e-4, 1e-2, 1e-1, 1.0)
SKLEARN = (1e-7, 1e-4, 1e-2, 1.0, 30.0)


def three_classes(n=120):
    base = nouns(n, seed=2)
    labels = [
        "much" if len(text.split()) > 6 else label
        for text, label in zip(base.texts, base.labels, strict=True)
    ]
    return sentence_task(
        base.texts, labels, splits=base.splits, name="x", labelling="three", title="three"
    )


def sklearn_objective(X, y, C):
    model = LogisticRegression(C=C, tol=1e-10, max_iter=20_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    logs = model.predict_log_proba(X)[np.arange(len(y)), y]
    return -logs.mean() + (model.coef_**2).sum() / (2 * C * len(y)), model


@pytest.mark.parametrize("task", [nouns(80), three_classes()], ids=["two classes", "three"])
def test_the_objective_is_scikit_learns_at_every_penalty(tiny, one_thread, task):
    made = classifier(tiny("bert"), classes=class_names(task))
    found = linear_probe(made, task, Cs=SKLEARN)
    train = labelled(task, "train", made.classes)
    X = made.feature_matrix(train.items)[0].astype(np.float64)
    X = (X - X.mean()) / X.std()
    for point in found.path:
        expected, _ = sklearn_objective(X, train.labels, point.C)
        assert point.converged
        assert expected * (1 - 1e-6) <= point.objective <= expected * (1 + 1e-4)


def test_the_head_predicts_as_scikit_learn_does_on_normalised_features(tiny, one_thread):
    task = nouns(80)
    made = classifier(tiny("bert"))
    found = linear_probe(made, task, Cs=(0.01,), tol=1e-8)
    train = labelled(task, "train", CLASSES)
    X = made.feature_matrix(train.items)[0].astype(np.float64)
    mean, deviation = X.mean(), X.std()
    _, model = sklearn_objective((X - mean) / deviation, train.labels, 0.01)
    dev = labelled(task, "dev", CLASSES)
    D = made.feature_matrix(dev.items)[0]
    expected = model.predict_log_proba((D - mean) / deviation)
    np.testing.assert_allclose(
        found.classifier.predict(dev.items).log_probabilities, expected, atol=2e-4
    )


def test_fifty_penalties_from_the_strongest_and_of_equals_the_strongest(tiny, one_thread):
    found = linear_probe(classifier(tiny("bert")), nouns())
    assert [p.C for p in found.path] == list(CS) and len(CS) == 50
    assert CS[0] == pytest.approx(1e-7) and CS[-1] == pytest.approx(100)
    accuracies = [p.accuracy for p in found.path]
    assert found.chosen == accuracies.index(max(accuracies))
    assert accuracies[found.chosen] > 0.6
    losses = [p.objective for p in found.path]
    assert losses == sorted(losses, reverse=True)


def test_the_accuracy_that_chose_is_the_classifiers_own(tiny, one_thread):
    task = nouns()
    found = linear_probe(classifier(tiny("bert")), task, Cs=SOME)
    dev = labelled(task, "dev", CLASSES)
    right = found.classifier.predict(dev.items).codes == dev.labels
    assert right.mean() == found.path[found.chosen].accuracy


class Normed:
    """Features through a batch norm, to see whether its statistics move."""

    kind = "text"

    def __init__(self, features):
        self.inner = features
        self.width = features.width
        self.module = nn.ModuleDict({"net": features.module, "norm": nn.BatchNorm1d(self.width)})

    def collate(self, items):
        return self.inner.collate(items)

    def __call__(self, batch):
        return self.module["norm"](self.inner(batch))

    def blocks(self):
        return [*self.inner.blocks(), self.module["norm"]]

    def copy(self):
        twin = Normed(self.inner.copy())
        twin.module["norm"].load_state_dict(self.module["norm"].state_dict())
        return twin

    def settings(self):
        return {}


def test_the_encoder_stays_bit_identical_with_its_batch_norm(tiny, one_thread):
    made = classifier(tiny("bert"))
    normed = Classifier.from_features(Normed(made.features), CLASSES)
    normed.features.module.train()  # even where it is left in training mode
    before = state(normed)
    found = linear_probe(normed, nouns(), Cs=SOME)
    assert not differing(state(normed), before)
    assert differing(state(found.classifier), before) == ["head.weight", "head.bias"]
    assert any("running_mean" in name for name in before)


def test_labels_that_the_training_split_lacks_are_wrong_and_strangers_are_refused(tiny):
    task = nouns()
    labels = task.labels.copy()
    labels[np.flatnonzero(task.splits == "test")[0]] = "plant"
    odd = task.relabel("noun", labels)
    assert class_names(odd) == CLASSES
    assert (labelled(odd, "test", CLASSES).labels == -1).sum() == 1
    with pytest.raises(InputError, match=r"nouns: the labels plant are no classes"):
        shifted(odd, CLASSES)
    with pytest.raises(InputError, match="no label of the test split"):
        shifted(task, ("Animal", "Thing"))


def test_tasks_that_cannot_be_learnt_are_refused(tiny, one_thread):
    made = classifier(tiny("bert"))
    with pytest.raises(InputError, match="classes are animal, thing, the task's animal, much"):
        linear_probe(made, three_classes())
    with pytest.raises(InputError, match="one or more positive numbers"):
        linear_probe(made, nouns(), Cs=(0.0,))
    real = nouns().relabel("length", np.ones(90), kind="real")
    with pytest.raises(InputError, match="real values"):
        linear_probe(made, real)
    with pytest.raises(InputError, match="the training split has 1 classes"):
        class_names(nouns().relabel("one", np.array(["a"] * 90, dtype=object)))
    with pytest.raises(InputError, match="the dev split has no labelled item"):
        linear_probe(made, nouns(splits=("train",)))
    zero = made.with_state({n: torch.zeros_like(t) for n, t in made.state().items()})
    with pytest.raises(InputError, match="all features are one number"):
        linear_probe(zero, nouns())


def test_a_head_of_fresh_scale_answers_the_same_and_is_as_large_as_a_drawn_one(tiny):
    probed = linear_probe(classifier(tiny("bert")), nouns()).classifier
    scaled = with_fresh_scale(probed)
    texts = list(nouns().texts)
    before, after = (one.predict(texts) for one in (probed, scaled))
    assert (before.codes == after.codes).all()
    width = probed.features.width
    new, old = (one.head.weight.detach() for one in (scaled, probed))
    assert float(new.std(correction=0)) == pytest.approx((3 * width) ** -0.5)
    ratio = float(new.norm() / old.norm())
    assert after.logits == pytest.approx(before.logits * ratio, abs=1e-5)
    drawn = [classifier(tiny("bert"), seed).head.weight.std().item() for seed in range(20)]
    assert np.mean(drawn) == pytest.approx((3 * width) ** -0.5, rel=0.1)
    with pytest.raises(InputError, match="no scale"):
        with_fresh_scale(Classifier.from_features(probed.features, probed.classes))


def test_features_that_are_known_are_not_computed_again(tiny, monkeypatch):
    made, task = classifier(tiny("bert")), nouns()
    computed = linear_probe(made, task)
    known = {
        split: features_of(made, labelled(task, split, CLASSES), 64, Processes.join())
        for split in ("train", "dev")
    }
    monkeypatch.setattr(Classifier, "feature_matrix", None)
    again = linear_probe(made, task, known=known)
    assert again.path == computed.path and again.n_cut == computed.n_cut
    assert not differing(state(again.classifier), state(computed.classifier))
