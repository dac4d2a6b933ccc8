"""Evaluation: what is asked, what is scored, and over what an interval is taken."""

import json

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import matthews_corrcoef

from adapting import CLASSES, classifier, nouns
from probes.errors import InputError
from probes.stats import interval
from probes.transfer.classifier import Predictions
from probes.transfer.evaluate import Answered, rows_of, runs_interval
from probes.transfer.predictions import prediction_columns
from probes.transfer.processes import Processes
from probes.transfer.runs import answers_of
from probes.transfer.sets import evaluation_sets

FIXED = {
    **{"run": "r", "task": "nouns/noun", "task_version": "1", "model": "m", "revision": ""},
    **{"n_layers": 3, "config": "c"},
}


@pytest.fixture(scope="module")
def sets():
    return evaluation_sets(nouns(), {"other": nouns(40, seed=7, splits=("test",))}, CLASSES)


def made_up(sets, seed, wrong=0.2):
    """Answers of which about a fifth is wrong."""
    rng = np.random.default_rng(seed)
    found = {}
    for part in sets:
        codes = part.items.labels ^ (rng.random(len(part.items)) < wrong)
        found[part.name] = Predictions(np.eye(2, dtype=np.float32)[codes] * 3, n_cut=0)
    return found


def test_dev_and_test_and_each_shift_are_asked(sets):
    assert [part.name for part in sets] == ["dev", "test", "ood/other"]
    assert len(sets[2].items) == 40 and sets[0].group_kind == "sentence"
    other = nouns(40, splits=("test",))
    renamed = other.relabel("noun", np.array([label.upper() for label in other.labels], object))
    with pytest.raises(InputError, match="no label of the test split"):
        evaluation_sets(nouns(), {"x": renamed}, CLASSES)


def test_answers_are_the_classifiers_predictions(tiny, sets):
    made = classifier(tiny("bert")).with_temperature(2)
    found, _ = answers_of(made, sets[1:2], Processes.join())
    found = found["test"]
    np.testing.assert_allclose(found.logits, made.predict(sets[1].items.items).logits, rtol=1e-5)


def test_each_run_is_scored_and_the_mean_over_items_and_over_runs(sets):
    runs = {seed: made_up(sets, seed) for seed in range(5)}
    rows = list(rows_of(Answered("ft", {"rate": 1e-5}, runs), sets, FIXED))
    assert len(rows) == 3 * 2 * (5 + 2)
    part = sets[1]
    of_test = [row for row in rows if row.split == "test"]
    accuracies = [(runs[s]["test"].codes == part.items.labels).mean() for s in runs]
    coefficients = [matthews_corrcoef(part.items.labels, runs[s]["test"].codes) for s in runs]
    for metric, values in (("accuracy", accuracies), ("mcc", coefficients)):
        mine = [row for row in of_test if row.metric == metric]
        assert [row.value for row in mine[:5]] == pytest.approx(values)
        assert [row.seed for row in mine] == [0, 1, 2, 3, 4, None, None]
        over_items, over_runs = mine[5:]
        assert over_items.value == pytest.approx(np.mean(values)) == over_runs.value
        low, high = scipy_stats.t.interval(0.9, 4, np.mean(values), scipy_stats.sem(values))
        assert (over_runs.low, over_runs.high) == pytest.approx((low, high))
        assert over_runs.interval == "t over 5 runs, 90 %" and over_runs.n_groups == 5
        assert json.loads(over_items.setting) == {"rate": 1e-5, "over": "items"}
        assert over_items.low < over_items.value < over_items.high
        assert "by sentence" in over_items.interval
    single = of_test[0]
    expected = interval("accuracy", part.items.labels, runs[0]["test"].codes, part.items.groups)
    assert (single.value, single.low, single.high) == (
        expected.value,
        expected.low,
        expected.high,
    )


def test_a_single_run_has_no_interval_over_runs_and_equal_runs_one_of_no_width(sets):
    one = {0: made_up(sets, 0)}
    rows = list(rows_of(Answered("lp", {}, one), sets, FIXED))
    assert len(rows) == 3 * 2 * 2
    assert {json.loads(row.setting).get("over") for row in rows} == {None, "items"}
    twice = runs_interval("accuracy", sets[0], [one[0]["dev"]] * 2)
    assert twice.low == twice.value == twice.high


def test_an_interval_over_items_stays_in_range_and_is_exact_where_all_is_right():
    few = evaluation_sets(nouns(24), {}, CLASSES)[1:]
    n = len(few[0].items)
    for wrong in (0, 1):
        runs = {}
        for seed in range(3):
            codes = few[0].items.labels.copy()
            codes[seed : seed + wrong] ^= 1
            runs[seed] = {"test": Predictions(np.eye(2, dtype=np.float32)[codes], 0)}
        rows = list(rows_of(Answered("ft", {}, runs), few, FIXED))
        over_items = [r for r in rows if r.metric == "accuracy" and "items" in r.setting]
        assert over_items[0].value == pytest.approx(1 - wrong / n)
        assert 0 <= over_items[0].low < over_items[0].value <= over_items[0].high <= 1
        assert over_items[0].interval.startswith("cluster" if wrong else "exact")


def test_more_than_two_classes_have_no_mcc_and_cut_items_are_told(sets):
    logits = np.zeros((len(sets[0].items), 3), np.float32)
    found = {0: {"dev": Predictions(logits, n_cut=4)}}
    rows = list(rows_of(Answered("lp", {}, found), sets[:1], FIXED))
    assert {row.metric for row in rows} == {"accuracy"}
    assert json.loads(rows[0].setting) == {"n_cut": 4}


def test_every_answer_is_kept(sets):
    runs = {seed: made_up(sets, seed) for seed in (0, 1)}
    columns = prediction_columns([Answered("ft", {}, runs)], sets, CLASSES)
    n = sum(len(part.items) for part in sets)
    assert {len(values) for values in columns.values()} == {2 * n}
    k = 2 * n - 1
    part = sets[-1]
    assert columns["name"][k] == part.items.names[-1] and columns["set"][k] == "ood/other"
    assert columns["gold"][k] == CLASSES[part.items.labels[-1]]
    right = columns["gold"][k] == columns["predicted"][k]
    assert columns["log_probability"][k] == pytest.approx(-np.log1p(np.exp(-3 if right else 3)))
