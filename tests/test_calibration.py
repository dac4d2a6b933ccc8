"""Calibration: against closed forms, scikit-learn, and what was drawn to be calibrated."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss

from probes.errors import InputError
from probes.transfer.calibration import (
    HIGHEST,
    LOWEST,
    brier_score,
    calibration_error,
    fit_temperature,
    nll,
    softmax_at,
)


def drawn(n=400, n_classes=4, true=1.0, seed=0):
    """Logits and gold classes; gold is drawn from the logits divided by a temperature."""
    rng = np.random.default_rng(seed)
    Z = 3 * rng.normal(size=(n, n_classes))
    noise = rng.gumbel(size=Z.shape)
    return Z, (Z / true + noise).argmax(1)


def slow_ece(P, y, edges):
    """The definition, bin by bin and unit by unit."""
    total = 0.0
    for low, high in itertools.pairwise(edges):
        units = [k for k in range(len(y)) if low < P[k].max() <= high]
        if units:
            right = np.mean([P[k].argmax() == y[k] for k in units])
            sure = np.mean([P[k].max() for k in units])
            total += len(units) / len(y) * abs(right - sure)
    return total


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 80), n_bins=st.integers(1, 20))
def test_the_calibration_error_is_its_definition(seed, n, n_bins):
    Z, y = drawn(n, 3, seed=seed)
    P = softmax(Z, axis=1)
    expected = slow_ece(P, y, np.linspace(0, 1, n_bins + 1))
    assert calibration_error(P, y, n_bins=n_bins) == pytest.approx(expected, abs=1e-12)


def test_a_constant_confidence_is_off_by_its_distance_from_accuracy():
    P = np.tile([0.9, 0.1], (100, 1))
    y = np.array([0] * 70 + [1] * 30)
    for bins in ("width", "count"):
        assert calibration_error(P, y, bins=bins, n_bins=1) == pytest.approx(0.2)
    assert calibration_error(P, y) == pytest.approx(0.2)
    assert calibration_error(P[:, ::-1], 1 - y) == pytest.approx(0.2)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below_it():
    P = np.array([[0.6, 0.4], [0.5, 0.5], [0.55, 0.45], [1.0, 0.0]])
    y = np.array([0, 1, 1, 0])  # of (.5, .6]: .6 is right, .55 wrong; the gaps cancel but for .15
    assert calibration_error(P, y, n_bins=10) == pytest.approx((0.5 + 0.15 + 0.0) / 4)


def test_bins_of_equal_count_follow_confidence():
    P = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.7, 0.3], [0.55, 0.45]])
    y = np.array([1, 0, 0, 0, 1])
    low, high = [0.55, 0.6, 0.7], [0.8, 0.9]  # three and two units
    expected = (abs(2 - sum(low)) + abs(1 - sum(high))) / 5
    assert calibration_error(P, y, n_bins=2, bins="count") == pytest.approx(expected)
    assert calibration_error(P, y, n_bins=9, bins="count") == pytest.approx(
        np.abs(1 - y - P[:, 0]).mean()
    )


def test_what_is_drawn_from_its_probabilities_is_calibrated():
    Z, y = drawn(40_000)
    P = softmax(Z, axis=1)
    assert calibration_error(P, y) < 0.01
    assert calibration_error(softmax(3 * Z, axis=1), y) > 0.05


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), n_classes=st.integers(2, 6))
def test_brier_and_nll_are_scikit_learns(seed, n_classes):
    Z, y = drawn(60, n_classes, seed=seed)
    y[:n_classes] = range(n_classes)
    P = softmax(Z, axis=1)
    assert nll(Z, y) == pytest.approx(log_loss(y, P), rel=1e-9)
    assert nll(Z, y, 2.5) == pytest.approx(log_loss(y, softmax(Z / 2.5, axis=1)), rel=1e-9)
    if n_classes == 2:
        assert brier_score(P, y) == pytest.approx(2 * brier_score_loss(y, P[:, 1]), rel=1e-9)
    onehot = np.eye(n_classes)[y]
    assert brier_score(P, y) == pytest.approx(((P - onehot) ** 2).sum() / 60, rel=1e-9)


def test_brier_runs_from_nought_to_two():
    P = np.eye(3)
    assert brier_score(P, [0, 1, 2]) == 0
    assert brier_score(P, [1, 2, 0]) == 2
    assert brier_score(np.full((3, 3), 1 / 3), [0, 1, 2]) == pytest.approx(2 / 3)


def test_large_logits_overflow_nothing():
    assert nll([[1000.0, 0.0], [0.0, 1000.0]], [0, 0]) == pytest.approx(500)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), true=st.floats(0.3, 5))
def test_the_temperature_is_where_the_loss_is_least(seed, true):
    Z, y = drawn(300, 4, true, seed)
    fit = fit_temperature(Z, y)
    theirs = minimize_scalar(
        lambda beta: -log_softmax(beta * Z, axis=1)[np.arange(300), y].mean(),
        bounds=(1e-3, 50), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    assert 1 / fit.value == pytest.approx(theirs.x, rel=1e-4)
    assert fit.nll <= theirs.fun + 1e-14 and fit.nll <= fit.nll_before
    assert not fit.at_edge and fit.n == 300
    P = softmax_at(Z, fit.value)
    assert (P * Z).sum(1).mean() == pytest.approx(Z[np.arange(300), y].mean(), abs=1e-9)


def test_the_temperature_that_gold_was_drawn_at_is_found_again():
    Z, y = drawn(200_000, 3, 2.2)
    assert fit_temperature(Z, y).value == pytest.approx(2.2, rel=0.02)


def test_of_two_classes_and_one_margin_the_temperature_has_a_closed_form():
    y = np.array([0] * 80 + [1] * 20)
    Z = np.tile([3.0, 0.0], (100, 1))
    fit = fit_temperature(Z, y)
    assert fit.value == pytest.approx(3 / np.log(80 / 20), rel=1e-11)
    assert fit.nll == pytest.approx(-(0.8 * np.log(0.8) + 0.2 * np.log(0.2)), rel=1e-12)


def test_scaling_the_logits_scales_the_temperature_and_shifting_them_does_not():
    Z, y = drawn()
    value = fit_temperature(Z, y).value
    assert fit_temperature(7 * Z, y).value == pytest.approx(7 * value, rel=1e-9)
    shifted = Z + np.arange(len(Z))[:, None]
    assert fit_temperature(shifted, y).value == pytest.approx(value, rel=1e-8)


def test_a_temperature_changes_no_answer_and_mends_what_is_too_sure():
    Z, y = drawn(5000, 5, 2.0)
    held = drawn(5000, 5, 2.0, seed=1)
    T = fit_temperature(Z, y).value
    before, after = softmax_at(held[0]), softmax_at(held[0], T)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert calibration_error(after, held[1]) < 0.3 * calibration_error(before, held[1])


def test_where_there_is_no_optimum_the_edge_is_given_and_said():
    Z, _ = drawn(50)
    right = fit_temperature(Z, Z.argmax(1))
    wrong = fit_temperature(Z, Z.argmin(1))
    assert (right.value, right.at_edge) == (LOWEST, True)
    assert (wrong.value, wrong.at_edge) == (HIGHEST, True)
    flat = fit_temperature(np.zeros((4, 2)), [0, 1, 0, 1])
    assert flat.at_edge and flat.nll == pytest.approx(np.log(2))


@pytest.mark.parametrize("call", [calibration_error, brier_score])
def test_what_is_no_distribution_is_refused(call):
    with pytest.raises(InputError, match="unit 1 are no distribution"):
        call([[0.5, 0.5], [2.0, 1.0]], [0, 1])
    with pytest.raises(InputError, match="unit 0 are no distribution"):
        call([[1.5, -0.5], [0.5, 0.5]], [0, 1])


@pytest.mark.parametrize(
    "Z, y, message",
    [
        ([[0.0, 1.0]], [2], "integers from 0 to 1"),
        ([[0.0, 1.0]], [-1], "integers from 0 to 1"),
        ([[0.0, 1.0]], [0.5], "integers from 0 to 1"),
        ([[0.0, 1.0], [np.nan, 1.0]], [0, 1], "unit 1 are not finite"),
        ([0.0, 1.0], [0, 1], "shape"),
        ([[0.0, 1.0]], [0, 1], "shape"),
        (np.zeros((0, 2)), np.zeros(0, int), "one unit at least"),
    ],
)
def test_what_cannot_be_scored_is_refused(Z, y, message):
    for call in (nll, fit_temperature, brier_score):
        with pytest.raises(InputError, match=message):
            call(Z, y)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match="0 bins"):
        calibration_error([[1.0, 0.0]], [0], n_bins=0)
    with pytest.raises(InputError, match="unknown kind of bins"):
        calibration_error([[1.0, 0.0]], [0], bins="adaptive")
    for temperature in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="expected a positive number"):
            nll([[1.0, 0.0]], [0], temperature)
