"""What training changed, and how far probabilities can be believed: as loops count it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats as scipy_stats
from scipy.special import log_softmax, softmax

from commands import run
from probes.results import Results
from probes.transfer.calibrated import calibration_rows
from probes.transfer.classifier import Classifier, Predictions
from probes.transfer.evaluate import Answered
from probes.transfer.examples import LabelledItems, labelled
from probes.transfer.sets import EvaluationSet, evaluation_sets
from probes.transfer.shifts import load_shifts
from probes.transfer.tables import grids
from probes.transfer.trained import classifiers, train_config
from test_evaluate import FIXED
from test_train import arguments

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("changes")
    for name, first, n in (("a", 0, 120), ("b", 1000, 24)):
        rows = [
            f"the old {('dog', 'light')[(k + (k % 5 == 0)) % 2]} walks near {first + k} ,"
            f"{('x', 'y')[k % 2]}"
            for k in range(n)
        ]
        (folder / f"{name}.csv").write_text("\n".join(["text,kind", *rows]) + "\n")
    ood = [f"test: {folder / 'b.csv'}"]
    done = run(*arguments(tiny, folder, folder / "train", ood=ood, rates="3e-3"))
    assert done.code == 0, done.err
    return folder / "train"


@pytest.fixture(scope="module")
def asked(trained):
    config = train_config(trained)
    task, shifts = load_shifts(config.task, config.ood)
    return task, {part.name: part for part in evaluation_sets(task, shifts, ("x", "y"))}


def values(trained, method, metric, split):
    """A number of each run, by seed."""
    rows = Results.load(trained / "results.jsonl").where(method=method, metric=metric, split=split)
    return {row.seed: row.value for row in rows if row.seed is not None}


def test_linear_probing_moves_no_feature_at_all(trained, asked):
    for name in asked[1]:
        assert values(trained, "lp", "feature-shift", name) == {0: 0.0}
        assert values(trained, "lp", "feature-norm", name)[0] > 0.1


@pytest.mark.parametrize("method", ["ft", "lp-ft"])
def test_shift_is_the_mean_distance_between_features_of_the_two_networks(trained, asked, method):
    lp = Classifier.load(classifiers(str(trained), "lp")[0])
    for seed, folder in classifiers(str(trained), method).items():
        after = Classifier.load(folder)
        for name, part in asked[1].items():
            X, Y = (one.feature_matrix(part.items.items)[0] for one in (lp, after))
            distance = np.mean([np.linalg.norm(y - x) for x, y in zip(X, Y, strict=True)])
            found = values(trained, method, "feature-shift", name)[seed]
            assert found == pytest.approx(distance, rel=1e-4) and found > 0.01


def test_the_heads_change_is_divided_by_what_training_items_see(trained, asked):
    task, _ = asked
    lp = Classifier.load(classifiers(str(trained), "lp")[0])
    X, _ = lp.feature_matrix(labelled(task, "train", lp.classes).items)
    seen = np.linalg.svd(X.astype(np.float64), full_matrices=False)
    rank = int((seen.S[0] * max(X.shape) * np.finfo(np.float32).eps < seen.S).sum())
    for seed, folder in classifiers(str(trained), "lp-ft").items():
        change = (Classifier.load(folder).head.weight - lp.head.weight).detach().double().numpy()
        within = np.linalg.norm(change @ seen.Vh[:rank].T)
        parts = [
            values(trained, "lp-ft", f"head-change-{part}", "train")[seed]
            for part in ("within", "across")
        ]
        assert np.hypot(*parts) == pytest.approx(np.linalg.norm(change), rel=1e-6)
        assert parts[0] == pytest.approx(within, rel=1e-3)


def test_calibration_is_of_the_answers_that_are_kept_and_its_temperature_is_devs(trained, asked):
    answers = pd.read_parquet(trained / "predictions.parquet")
    of = answers[(answers["method"] == "ft") & (answers["seed"] == 1)]
    T = values(trained, "ft", "temperature", "dev")[1]

    def loss(split, temperature):
        rows = of[of["set"] == split]
        logs = log_softmax(np.stack(rows["logits"]).astype(float) / temperature, axis=1)
        gold = (rows["gold"] == "y").to_numpy().astype(int)
        return -logs[np.arange(len(gold)), gold].mean()

    assert loss("dev", T) <= min(loss("dev", T * f) for f in (0.9, 0.98, 1.02, 1.1)) + 1e-9
    assert values(trained, "ft", "nll", "test")[1] == pytest.approx(loss("test", 1.0), rel=1e-5)
    assert values(trained, "ft", "nll-scaled", "test")[1] == pytest.approx(
        loss("test", T), rel=1e-5
    )
    rows = of[of["set"] == "test"]
    P = softmax(np.stack(rows["logits"]).astype(float), axis=1)
    right = P.argmax(1) == (rows["gold"] == "y").to_numpy()
    sure, error = P.max(1), 0.0
    for low in np.arange(15) / 15:
        inside = (sure > low) & (sure <= low + 1 / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    assert values(trained, "ft", "ece", "test")[1] == pytest.approx(error, abs=1e-6)
    assert not values(trained, "ft", "ece", "dev")


def test_means_over_runs_have_students_interval_over_runs(trained):
    rows = Results.load(trained / "results.jsonl")
    for metric, split in (("feature-shift", "test"), ("ece", "test"), ("head-norm", "train")):
        runs = [*values(trained, "ft", metric, split).values()]
        (mean,) = rows.where(method="ft", metric=metric, split=split, seed=None)
        low, high = scipy_stats.t.interval(0.9, len(runs) - 1, np.mean(runs), scipy_stats.sem(runs))
        assert json.loads(mean.setting)["over"] == "runs"
        assert (mean.value, mean.low, mean.high) == pytest.approx((np.mean(runs), low, high))


def test_the_table_of_changes_has_a_column_a_number(trained):
    grid = grids(Results.load(trained / "results.jsonl"))[-1]
    line = dict(zip(grid.heads, next(row for row in grid.rows if row[0] == "LP"), strict=True))
    assert line["shift ID"] == ".000"
    norm = values(trained, "lp", "head-norm", "train")[0]
    assert float(line["head norm"]) == pytest.approx(norm, abs=0.05)


def test_what_calibration_is_of_is_counted_and_no_temperature_is_made_up():
    labels = np.array([0, 1, -1, 0])
    items = LabelledItems(list("abcd"), labels, np.array(list("abcd")), list("abcd"), "made")
    sets = [EvaluationSet("dev", items, "sentence"), EvaluationSet("test", items, "sentence")]
    wavering = np.array([[2, 1], [1, 2], [0, 9], [1, 2]], np.float32)
    certain = np.array([[2, 1], [1, 2], [0, 9], [2, 1]], np.float32)
    runs = {
        run: {name: Predictions(logits, 0) for name in ("dev", "test")}
        for run, logits in enumerate((wavering, certain))
    }
    rows = Results(calibration_rows(Answered("ft", {}, runs), sets, FIXED))
    for row in rows.where(split="test"):
        assert (row.n, row.n_asked, row.n_lost) == (3, 4, 1)
        assert json.loads(row.why_lost) == {"of an unknown class": 1}
    assert [row.seed for row in rows.where(metric="temperature")] == [0, None]  # 1: all is right
    assert [row.seed for row in rows.where(metric="ece-scaled")] == [0, None]
    assert [row.seed for row in rows.where(metric="ece")] == [0, 1, None]
