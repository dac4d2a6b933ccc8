"""Layers: solved as they should be, chosen on dev, scored on test."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from made import NONE, PENALTIES, accuracy, store_of, thirds, vectors, words
from probes.diagnostic.layer import probe_layer
from probes.diagnostic.layers import probe_layers
from probes.diagnostic.questions import ask
from probes.task import word_task


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_a_separable_labelling_is_answered_and_noise_is_chance(random, tmp_path):
    n, d = 3000, 12
    labels = random.integers(3, size=n)
    signal = np.eye(3)[labels] @ random.normal(size=(3, d)) * 20 + random.normal(size=(n, d))
    noise = random.normal(size=(n, d))
    task = words([f"c{k}" for k in labels], thirds(n))
    store = store_of(task, {"0": noise, "1": signal}, tmp_path)
    report = probe_layers(task, store, penalties=PENALTIES, draws=3)
    value = {layer: accuracy(report, layer) for layer in ("0", "1")}
    assert value["1"] == 1.0
    assert abs(value["0"] - 1 / 3) < 0.05
    assert report.best_layer == "1"
    draws = report.results.where(method="control-task", metric="accuracy", layer="0")
    assert len(draws) == 3
    assert all(abs(row.value - 1 / 3) < 0.06 for row in draws)  # every type is new in test


def test_the_best_layer_is_chosen_on_dev_and_reported_on_test(random, tmp_path):
    n, d = 1200, 5
    labels = random.integers(2, size=n)
    clear = np.outer(labels, np.ones(d)) * 4 + random.normal(size=(n, d))
    splits = np.array(thirds(n))
    layers = {}
    for name, bad in (("0", "dev"), ("1", "test")):
        X = clear.copy()
        X[splits == bad] = random.normal(size=(int((splits == bad).sum()), d))
        layers[name] = X
    task = words([f"c{k}" for k in labels], splits)
    report = probe_layers(task, store_of(task, layers, tmp_path), draws=0)
    assert report.best_layer == "1"
    assert accuracy(report, "1") < 0.6 < accuracy(report, "0")


def test_the_scaler_sees_the_training_split_alone(random):
    n, d = 400, 6
    labels = random.integers(2, size=n)
    X = random.normal(size=(n, d)) + np.outer(labels, np.ones(d))
    task = words([f"c{k}" for k in labels], thirds(n))
    q = ask(task, NONE, "wrong")
    base = vectors(q, X)
    one = probe_layer("0", base, q, [1e-2])
    moved = dict(base, test=base["test"][::-1] * 100)
    two = probe_layer("0", moved, q, [1e-2])
    assert np.array_equal(one.predicted["dev"], two.predicted["dev"])
    half = dict(base, test=base["test"][: len(base["test"]) // 2])
    three = probe_layer("0", half, _shorter(q, len(half["test"])), [1e-2])
    assert np.array_equal(three.predicted["test"], one.predicted["test"][: len(half["test"])])


def _shorter(q, n):
    import dataclasses

    return dataclasses.replace(q, rows=dict(q.rows, test=q.rows["test"][:n]))


def test_a_layer_equals_scikit_learn_at_the_chosen_penalty(random):
    n, d = 1600, 20
    labels = random.integers(4, size=n)
    X = random.normal(size=(n, d)) + np.eye(4)[labels] @ random.normal(size=(4, d)) * 0.4
    X[:, 0] *= 50
    task = words([f"c{k}" for k in labels], thirds(n))
    q = ask(task, NONE, "wrong")
    answer = probe_layer("0", vectors(q, X), q, PENALTIES)
    train, test = q.rows["train"], q.rows["test"]
    mean, deviation = X[train].mean(0), X[train].std(0)
    model = LogisticRegression(C=1 / (answer.penalty * len(train)), tol=1e-8, max_iter=2000)
    model.fit((X[train] - mean) / deviation, q.gold[train])
    logs = model.predict_log_proba((X[test] - mean) / deviation)
    assert (model.classes_[logs.argmax(1)] == answer.predicted["test"]).mean() > 0.99
    gold = logs[np.arange(len(test)), q.gold[test]]
    assert np.abs(gold - answer.log_probability).max() < 0.05
    assert answer.penalty in answer.dev_losses
    assert answer.dev_losses[answer.penalty] == min(answer.dev_losses.values())


def test_real_values_are_answered_by_ridge(random, tmp_path):
    n, d = 1000, 8
    X = random.normal(size=(n, d))
    y = X @ random.normal(size=d) + random.normal(size=n) * 0.1
    task = words(list(y), thirds(n), kind="real")
    report = probe_layers(task, store_of(task, {"0": X}, tmp_path), draws=2)
    r2 = report.results.one(method="probe", metric="r2", split="test").value
    answer = report.answers["0"]
    q = report.questions
    train, test = q.rows["train"], q.rows["test"]
    mean, deviation = X[train].mean(0), X[train].std(0)
    model = Ridge(alpha=answer.penalty * len(train)).fit((X[train] - mean) / deviation, y[train])
    expected = model.predict((X[test] - mean) / deviation)
    assert np.allclose(answer.predicted["test"], expected, atol=1e-4)
    assert r2 > 0.98
    assert report.results.one(method="probe", metric="spearman").value > 0.98
    control = report.results.where(method="control-task", metric="r2")
    assert all(row.value < 0.1 for row in control)


def test_penalties_are_extended_while_dev_chooses_an_edge(random):
    n, d = 900, 30
    labels = random.integers(2, size=n)
    X = random.normal(size=(n, d)) + np.outer(labels, np.ones(d)) * 0.05
    q = ask(words([f"c{k}" for k in labels], thirds(n)), NONE, "wrong")
    weak = probe_layer("0", vectors(q, X), q, [1e-5, 1e-4])
    assert max(weak.dev_losses) == pytest.approx(0.1)  # three decades further, and no more
    assert weak.at_edge
    assert not probe_layer("0", vectors(q, X), q, [1e-2]).at_edge  # no choice, no edge


def test_weaker_penalties_are_left_untried_once_dev_has_lost(random):
    n, d = 600, 60
    labels = random.integers(2, size=n)
    X = random.normal(size=(n, d)) + np.outer(labels, np.ones(d)) * 0.1
    q = ask(words([f"c{k}" for k in labels], thirds(n)), NONE, "wrong")
    grid = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    part = probe_layer("0", vectors(q, X), q, grid)
    every = {p: probe_layer("0", vectors(q, X), q, [p]).dev_losses[p] for p in grid}
    assert 1e-6 not in part.dev_losses
    assert part.penalty == min(every, key=every.get)
    assert not part.at_edge


def test_the_random_model_is_compared_on_the_same_units(random, tmp_path):
    n = 800
    labels = random.integers(2, size=n)
    X = np.outer(labels, np.ones(3)) * 3 + random.normal(size=(n, 3))
    task = words([f"c{k}" for k in labels], thirds(n))
    store = store_of(task, {"0": X}, tmp_path / "a", lost=[n - 1])
    other = store_of(task, {"0": random.normal(size=(n, 3))}, tmp_path / "b", lost=[n - 2])
    report = probe_layers(task, store, random_store=other, draws=0)
    mine, theirs = accuracy(report, "0"), accuracy(report, "0", method="probe-random-model")
    gap = report.results.one(metric="over-random")
    assert gap.value == pytest.approx(mine - theirs)
    assert gap.low < gap.value < gap.high
    assert gap.n == 198


def test_documents_are_resampled_where_there_are_forty(random, tmp_path):
    n = 1000
    labels = [f"c{k}" for k in random.integers(2, size=n)]
    splits = thirds(n)
    for n_documents, by in ((45, "document"), (20, "sentence")):
        groups = [f"{split}-{k % n_documents}" for k, split in enumerate(splits)]
        task = words(labels, splits, groups=groups)
        store = store_of(task, {"0": random.normal(size=(n, 3))}, tmp_path / by)
        report = probe_layers(task, store, draws=0)
        row = report.results.one(method="probe", metric="accuracy", split="test")
        assert report.resampled_by == by
        assert row.interval.endswith(f"by {by}")
        assert row.n_groups == (45 if by == "document" else 250)


def test_solving_leaves_no_trace_of_the_order_of_layers(random, tmp_path):
    n = 400
    labels = random.integers(2, size=n)
    task = words([f"c{k}" for k in labels], thirds(n))
    layers = {str(k): random.normal(size=(n, 6)) + np.outer(labels, np.ones(6)) for k in range(3)}
    store = store_of(task, layers, tmp_path)
    forth = probe_layers(task, store, draws=1)
    back = probe_layers(task, store, layers=["2", "0"], draws=1)
    for layer in ("0", "2"):
        assert torch.equal(
            torch.from_numpy(forth.answers[layer].predicted["test"]),
            torch.from_numpy(back.answers[layer].predicted["test"]),
        )


def test_copies_of_one_text_do_not_narrow_an_interval(random, tmp_path):
    n = 240
    labels = [f"c{k}" for k in random.integers(2, size=n)]
    X = random.normal(size=(n, 4)) + np.outer([label == "c1" for label in labels], np.ones(4))
    rows = []
    for copies in (1, 10):
        splits, names = [], []
        for k, split in enumerate(thirds(n)):
            times = copies if split == "test" else 1
            splits += [split] * times
            names += [f"{split}-{k}"] * times
        of = [int(name.rsplit("-")[-1]) for name in names]
        task = word_task(
            [[f"w{k}"] for k in of],
            [[labels[k]] for k in of],
            splits=splits,
            groups=names,
            name="made",
            labelling="x",
        )
        store = store_of(task, {"0": X[of]}, tmp_path / str(copies))
        report = probe_layers(task, store, draws=0)
        rows.append(report.results.one(method="probe", metric="accuracy", split="test"))
    once, tenfold = rows
    assert (once.n_groups, tenfold.n_groups) == (60, 60)
    assert tenfold.n == 10 * once.n
    assert tenfold.value == pytest.approx(once.value)
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.02)


def test_rows_of_the_random_model_name_its_own_store(random, tmp_path):
    task = words([f"c{k}" for k in random.integers(2, size=200)], thirds(200))
    store, other = (
        store_of(task, {"0": random.normal(size=(200, 3))}, tmp_path / name) for name in "ab"
    )
    report = probe_layers(task, store, random_store=other, draws=0)
    keys = {row.method: row.store for row in report.results}
    assert keys["probe"] == store.layout.digest
    assert keys["probe-random-model"] == other.layout.digest != store.layout.digest


def test_a_rare_class_that_a_resample_lacks_does_not_move_macro_f1(random):
    from probes.stats import interval

    gold = np.repeat([0, 1], 3000)
    predicted = np.where(random.random(6000) < 0.9, gold, 1 - gold)
    groups = np.arange(6000) // 20
    gold[:3] = 2  # one group holds all of it, and it is never answered
    found = interval("macro-f1", gold, predicted, groups)
    assert found.high - found.low < 0.03
