"""Controls, baselines and layers: what keeps a probe's number honest."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from probes.diagnostic.control import control_task, majority, permuted, word_identity
from probes.diagnostic.layer import probe_layer
from probes.diagnostic.layers import probe_layers
from probes.diagnostic.predictions import prediction_columns
from probes.diagnostic.questions import ask
from probes.errors import InputError
from probes.states.layout import Layout, cut_shards
from probes.states.store import ActivationStore
from probes.task import sentence_task, word_task

NONE = np.zeros(0, dtype=np.int64)
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


def words(labels, splits, forms=None, kind="class", groups=None):
    """A word task with one word a sentence."""
    forms = [f"w{k}" for k in range(len(labels))] if forms is None else forms
    names = [str(k) for k in range(len(labels))] if groups is None else groups
    return word_task(
        [[form] for form in forms],
        [[label] for label in labels],
        splits=splits,
        groups=names,
        name="made",
        labelling="x",
        kind=kind,
        group_kind="sentence" if groups is None else "document",
    )


def thirds(n):
    return ["train"] * (n - 2 * (n // 4)) + ["dev"] * (n // 4) + ["test"] * (n // 4)


def store_of(task, layers, root, lost=()):
    """A store made by hand: vectors by layer name."""
    widths = {name: X.shape[1] for name, X in layers.items()}
    key = {"made": "by hand", "n": str(task.n_units), "name": str(root)}
    shards = cut_shards(task.text_index, 4 * sum(widths.values()))
    layout = Layout(key, task.n_units, widths, shards, "float32", 1, {"model": "made"})
    store = ActivationStore.prepare(root, layout)
    for shard, (a, b) in enumerate(shards):
        store.write(
            shard,
            {name: X[a:b].astype(np.float32) for name, X in layers.items()},
            lost=[u for u in lost if a <= u < b],
            cut=[],
            counts={"n_truncated": 0, "n_windowed": 0},
        )
    return store


def vectors(q, X):
    return {split: X[rows].astype(np.float32) for split, rows in q.rows.items()}


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_the_control_task_gives_every_type_one_label_from_the_training_distribution(random):
    n, n_types = 6000, 900
    forms = [f"w{k}" for k in random.integers(n_types, size=n)]
    labels = random.choice(["a", "b", "c"], p=[0.7, 0.2, 0.1], size=n)
    q = ask(words(labels, thirds(n), forms), NONE, "wrong")
    draws = [control_task(q, 0, k) for k in range(5)]
    for draw in draws:
        by_type = {}
        for form, label in zip(forms, draw, strict=True):
            assert by_type.setdefault(form, label) == label  # over all splits
        shares = np.bincount(list(by_type.values())) / len(by_type)
        assert np.abs(shares - [0.7, 0.2, 0.1]).max() < 0.06
    assert not np.array_equal(draws[0], draws[1])
    assert np.array_equal(draws[0], control_task(q, 0, 0))
    assert not np.array_equal(draws[0], control_task(q, 1, 0))


def test_permuted_labels_keep_the_counts_of_each_split(random):
    n = 400
    q = ask(words(random.choice(["a", "b"], size=n), thirds(n)), NONE, "wrong")
    mixed = permuted(q, 0, 0)
    for rows in q.rows.values():
        assert sorted(mixed[rows]) == sorted(q.gold[rows])
    assert not np.array_equal(mixed, q.gold)


def test_word_identity_is_the_commonest_training_class_of_the_form():
    forms = ["x", "x", "x", "y", "z", "dev", "x", "y", "new"]
    labels = ["a", "b", "b", "a", "a", "a", "b", "a", "b"]
    splits = ["train"] * 5 + ["dev"] + ["test"] * 3
    q = ask(words(labels, splits, forms), NONE, "wrong")
    assert [q.classes[k] for k in word_identity(q)] == ["b", "a", "a"]
    assert [q.classes[k] for k in majority(q)] == ["a"] * 3
    assert q.known_types[q.rows["test"]].tolist() == [True, True, False]


def test_word_identity_of_real_values_is_the_mean_of_the_form():
    values = [1.0, 3.0, 5.0, 0.0, 9.0, 9.0]
    splits = ["train"] * 3 + ["dev"] + ["test"] * 2
    q = ask(words(values, splits, ["x", "x", "y", "x", "x", "new"], kind="real"), NONE, "wrong")
    assert word_identity(q).tolist() == [2.0, 3.0]


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


def accuracy(report, layer, **where):
    return report.results.one(
        **{"method": "probe", "metric": "accuracy", "split": "test", "layer": layer, **where}
    ).value


def test_the_control_task_is_learnt_by_types_and_the_task_by_context(random, tmp_path):
    n, d, n_types = 4000, 40, 20
    types, context = random.integers(n_types, size=n), random.integers(2, size=n)
    X = random.normal(size=(n_types, d))[types] * 3 + np.outer(context, random.normal(size=d)) * 3
    X += random.normal(size=(n, d)) * 0.1
    task = words([f"c{k}" for k in context], thirds(n), [f"w{k}" for k in types])
    report = probe_layers(task, store_of(task, {"0": X}, tmp_path), draws=4)
    row = report.results.one(metric="selectivity")
    control = [r.value for r in report.results.where(method="control-task", metric="accuracy")]
    assert accuracy(report, "0") > 0.99
    assert min(control) > 0.9
    assert row.value == pytest.approx(accuracy(report, "0") - np.mean(control))
    setting = json.loads(row.setting)
    assert setting["sd"] == pytest.approx(np.std(control, ddof=1))
    assert (setting["draws"], row.control_of) == (4, "made/x")


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


@pytest.mark.parametrize("unseen", ["wrong", "drop", "error"])
def test_a_class_that_training_lacks_is_counted(random, tmp_path, unseen):
    n = 400
    labels = np.array(["a", "b"])[random.integers(2, size=n)].astype(object)
    X = random.normal(size=(n, 3)) + np.outer(labels == "a", [30, 0, 0])
    splits = np.array(thirds(n))
    dev, test = np.flatnonzero(splits == "dev"), np.flatnonzero(splits == "test")
    labels[dev[:3]], labels[test[:10]] = "strange", "stranger"
    task = words(list(labels), splits)
    store = store_of(task, {"0": X}, tmp_path)
    if unseen == "error":
        with pytest.raises(InputError, match=r"'strange' \(3 in dev\), 'stranger' \(10 in test\)"):
            probe_layers(task, store, unseen=unseen)
        return
    report = probe_layers(task, store, unseen=unseen, draws=0)
    row = report.results.one(method="probe", metric="accuracy", split="test")
    kept = len(test) if unseen == "wrong" else len(test) - 10
    assert row.value == pytest.approx((len(test) - 10) / kept)
    assert (row.n, row.n_asked, row.n_lost) == (kept, len(test), len(test) - kept)
    assert report.questions.unseen == {"dev": {"strange": 3}, "test": {"stranger": 10}}
    assert "'stranger' (10 in test)" in report.questions.warnings[0]
    columns = prediction_columns(report)
    assert columns["gold"].count("stranger") == (10 if unseen == "wrong" else 0)
    assert all(
        (log is None) == (gold == "stranger")
        for log, gold in zip(columns["log_probability"], columns["gold"], strict=True)
    )


def test_lost_units_are_left_out_and_counted(random, tmp_path):
    n = 200
    labels = random.integers(2, size=n)
    X = np.outer(labels, np.ones(3)) + random.normal(size=(n, 3))
    lost = [0, n - 1]
    X[lost] = np.nan
    task = words([f"c{k}" for k in labels], thirds(n))
    report = probe_layers(task, store_of(task, {"0": X}, tmp_path, lost), draws=1)
    row = report.results.one(method="probe", metric="accuracy", split="test")
    assert (row.n_asked, row.n_lost, row.n) == (50, 1, 49)
    assert report.questions.n_lost == {"train": 1, "dev": 0, "test": 1}


def test_a_constant_labelling_is_refused():
    labels = ["a"] * 20 + ["b"] * 5
    splits = ["train"] * 20 + ["dev"] * 2 + ["test"] * 3
    with pytest.raises(InputError, match="constant: all 20 units"):
        ask(words(labels, splits), NONE, "wrong")


def test_an_empty_split_is_refused():
    splits = ["train"] * 8 + ["dev"] * 2
    with pytest.raises(InputError, match="no unit of the test split"):
        ask(words(["a", "b"] * 5, splits), NONE, "wrong")


def test_sentences_have_permuted_labels_bags_of_words_and_length(random, tmp_path):
    n = 600
    telling = random.integers(2, size=n)
    texts = [f"it {'rains' if k else 'snows'} here {i}" for i, k in enumerate(telling)]
    task = sentence_task(
        texts, [f"c{k}" for k in telling], splits=thirds(n), name="weather", labelling="x"
    )
    X = random.normal(size=(n, 4))
    report = probe_layers(task, store_of(task, {"0": X}, tmp_path), draws=2)
    methods = {row.method for row in report.results}
    assert methods == {"probe", "permuted-labels", "majority", "bag-of-words", "length"}
    assert not report.results.where(metric="selectivity")
    assert report.results.one(method="bag-of-words", metric="accuracy").value == 1.0
    assert report.results.one(method="length", metric="accuracy").value < 0.6


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
