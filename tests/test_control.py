"""Controls, baselines, and what is asked: what keeps a probe's number honest."""

import json

import numpy as np
import pytest

from made import NONE, accuracy, store_of, thirds, words
from probes.diagnostic.control import control_task, majority, permuted, word_identity
from probes.diagnostic.layers import probe_layers
from probes.diagnostic.predictions import prediction_columns
from probes.diagnostic.questions import ask
from probes.errors import InputError
from probes.task import sentence_task


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
        with pytest.raises(InputError, match=r"'stranger' \(10 in test\), 'strange' \(3 in dev\)"):
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
