"""Estimators: scikit-learn's contract, and the scale that the training rows alone decide."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from probes.diagnostic.probe import LinearProbe, RidgeProbe
from probes.diagnostic.scale import FLOOR, fit_scale
from probes.encoders import TextEncoder
from probes.errors import InputError
from probes.states import extract
from probes.task import word_task
from zoo import SENTENCES

pytestmark = pytest.mark.usefixtures("one_thread")


@parametrize_with_checks([LinearProbe(), RidgeProbe()])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(400, 6)) * [1, 5, 0.1, 1, 2, 1] + 3).astype(np.float32)
    y = np.array(["a", "b", "c"])[
        ((X[:, :3] - 3) / [1, 5, 0.1] + rng.normal(size=(400, 3))).argmax(1)
    ]
    return X, y


def test_the_probe_equals_a_scaler_and_logistic_regression(data):
    X, y = data
    ours = LinearProbe(penalty=0.01, tol=1e-8).fit(X, y)
    theirs = make_pipeline(
        StandardScaler(), LogisticRegression(C=1 / (0.01 * len(X)), tol=1e-8, max_iter=1000)
    ).fit(X.astype(float), y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_coefficients_are_those_of_the_unscaled_inputs(data, n_classes):
    X, y = data
    if n_classes == 2:
        y = np.where(y == "c", "a", y)
    probe = LinearProbe().fit(X, y)
    Z = X @ probe.coef_.T + probe.intercept_
    if n_classes == 2:
        Z = np.concatenate([np.zeros_like(Z), Z], axis=1)
    p = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
    np.testing.assert_allclose(probe.predict_proba(X), p, atol=1e-6)
    np.testing.assert_allclose(np.exp(probe.predict_log_proba(X)), p, atol=1e-6)
    np.testing.assert_array_equal(probe.predict(X), probe.classes_[p.argmax(1)])


def test_the_scaler_sees_the_training_split_alone(data):
    X, y = data
    probe = LinearProbe().fit(X[:200], y[:200])
    before = probe.predict_proba(X[:200])
    probe.predict(X[200:] * 1000)
    np.testing.assert_array_equal(before, probe.predict_proba(X[:200]))
    scale = fit_scale(torch.from_numpy(X[:200]))
    np.testing.assert_allclose(scale.mean.numpy(), X[:200].mean(0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(scale.deviation.numpy(), X[:200].astype(float).std(0), rtol=1e-6)


def test_scaling_an_input_changes_no_prediction(data):
    X, y = data
    p = LinearProbe(tol=1e-8).fit(X, y).predict_proba(X)
    X = X * np.array([2, 1, 0.5, 3, 1, 1], dtype=np.float32)
    np.testing.assert_allclose(LinearProbe(tol=1e-8).fit(X, y).predict_proba(X), p, atol=1e-3)


def test_a_dimension_of_rounding_noise_is_not_blown_up():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 8)).astype(np.float32)
    X[:, 3] = 0.1 + 1e-6 * rng.normal(size=1000)
    Z = fit_scale(torch.from_numpy(X))(torch.from_numpy(X))
    deviation = Z.std(0)
    assert deviation[3] < 1e-3
    others = torch.cat([deviation[:3], deviation[4:]])
    assert torch.allclose(others, torch.ones(7), atol=1e-2)


def test_constant_inputs_predict_the_prior():
    y = np.array([0, 0, 0, 1])
    p = LinearProbe().fit(np.full((4, 3), 7.0), y).predict_proba(np.full((1, 3), 7.0))
    np.testing.assert_allclose(p, [[0.75, 0.25]], atol=1e-4)


@pytest.mark.parametrize("probe", [LinearProbe(), RidgeProbe()])
def test_what_is_not_finite_is_named_by_its_row(probe):
    X = np.ones((5, 2))
    X[3, 1] = np.nan
    with pytest.raises(InputError, match="row 3"):
        probe.fit(X, [0, 1, 0, 1, 0])


def test_one_class_is_refused():
    with pytest.raises(InputError, match="class"):
        LinearProbe().fit(np.ones((3, 2)), ["a"] * 3)


def test_ridge_probe_maps_its_weights_back(data):
    X, _ = data
    y = X @ np.arange(6) + 2
    probe = RidgeProbe(penalty=1e-9).fit(X, y)
    np.testing.assert_allclose(probe.coef_, np.arange(6), atol=1e-4)
    both = RidgeProbe(penalty=1e-9).fit(X, np.stack([y, -y], axis=1))
    np.testing.assert_allclose(both.predict(X), np.stack([y, -y], axis=1), atol=1e-3)


def test_the_floor_lies_between_noise_and_what_a_real_model_holds(minilm, tmp_path):
    encoder = TextEncoder.from_pretrained(minilm)
    words = [s.split() for s in SENTENCES]
    names = [str(k) for k in range(len(words))]
    task = word_task(
        words,
        [["x"] * len(row) for row in words],
        splits=["train"] * len(words),
        groups=names,
        name="words",
        labelling="x",
    )
    store = extract(task, encoder, tmp_path)
    constant = {}
    for layer in encoder.layers:
        deviation = store.X(layer).std(0, dtype=np.float64)
        share = deviation / np.median(deviation)
        constant[layer] = int((share < FLOOR).sum())
        assert not ((share > FLOOR / 1000) & (share < FLOOR * 10)).any(), layer
    assert constant == {**dict.fromkeys("012345", 0), "6": 3}
