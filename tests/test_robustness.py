"""Effective robustness: nothing on the line, what was added above it; intervals against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from probes.errors import InputError
from probes.transfer.robustness import (
    clopper_pearson,
    fit_trend,
    mean_over_runs,
    relative_robustness,
)

THERE = {"logit": logit, "probit": stats.norm.ppf}
BACK = {"logit": expit, "probit": stats.norm.cdf}


@pytest.mark.parametrize("scale", ["logit", "probit"])
def test_models_on_the_line_have_no_effective_robustness(scale):
    reference = np.array([0.55, 0.6, 0.7, 0.8, 0.9, 0.97])
    shifted = BACK[scale](1.3 * THERE[scale](reference) - 0.7)
    trend = fit_trend(reference, shifted, scale=scale)
    assert (trend.slope, trend.intercept) == pytest.approx((1.3, -0.7), rel=1e-12)
    assert trend.r2 == pytest.approx(1) and trend.n_models == 6
    np.testing.assert_allclose(trend.effective_robustness(reference, shifted), 0, atol=1e-14)
    above = trend.effective_robustness(reference, shifted + 0.02)
    np.testing.assert_allclose(above, 0.02, atol=1e-14)
    assert trend.expected(0.75) == pytest.approx(BACK[scale](1.3 * THERE[scale](0.75) - 0.7))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(3, 30), scale=st.sampled_from(["logit", "probit"]))
def test_the_line_is_scipys_regression_on_the_scale(seed, n, scale):
    rng = np.random.default_rng(seed)
    reference, shifted = rng.uniform(0.02, 0.98, size=(2, n))
    trend = fit_trend(reference, shifted, scale=scale)
    theirs = stats.linregress(THERE[scale](reference), THERE[scale](shifted))
    assert trend.slope == pytest.approx(theirs.slope, rel=1e-9, abs=1e-12)
    assert trend.intercept == pytest.approx(theirs.intercept, rel=1e-9, abs=1e-12)
    assert trend.r2 == pytest.approx(theirs.rvalue**2, abs=1e-9)


def test_counting_errors_in_place_of_answers_turns_the_line_around():
    rng = np.random.default_rng(0)
    reference, shifted = rng.uniform(0.1, 0.9, size=(2, 12))
    there, back = fit_trend(reference, shifted), fit_trend(1 - reference, 1 - shifted)
    assert there.slope == pytest.approx(back.slope)
    assert there.intercept == pytest.approx(-back.intercept)
    np.testing.assert_allclose(
        there.effective_robustness(reference, shifted),
        -back.effective_robustness(1 - reference, 1 - shifted),
        atol=1e-14,
    )


def test_an_accuracy_of_one_is_held_half_a_unit_from_the_edge():
    exact = fit_trend([0.5, 0.9, 1 - 1 / 200], [0.4, 0.8, 1 / 400])
    held = fit_trend([0.5, 0.9, 1.0], [0.4, 0.8, 0.0], n_reference=100, n_shifted=200)
    assert held == exact
    assert held.expected(1.0, n_reference=100) == held.expected(1 - 1 / 200)
    with pytest.raises(InputError, match="accuracy at home is 1, which has no logit"):
        fit_trend([0.5, 1.0], [0.4, 0.8], n_shifted=200)
    with pytest.raises(InputError, match="accuracy under shift is 0, which has no probit"):
        fit_trend([0.5, 0.6], [0.4, 0.0], scale="probit")
    with pytest.raises(InputError, match="accuracy at home is 0"):
        exact.effective_robustness(0.0, 0.5)


def test_relative_robustness_is_the_gain_under_shift():
    np.testing.assert_allclose(relative_robustness([0.6, 0.5], [0.5, 0.7]), [0.1, -0.2])


def test_models_that_are_equally_accurate_make_no_line():
    for reference in ([0.5], [0.5, 0.5, 0.5]):
        with pytest.raises(InputError, match="make no line"):
            fit_trend(reference, [0.4] * len(reference))
    assert np.isnan(fit_trend([0.4, 0.5], [0.3, 0.3]).r2)


@pytest.mark.parametrize("bad", [-0.1, 1.2, 57.0, np.nan])
def test_accuracies_are_shares(bad):
    for call in (relative_robustness, fit_trend):
        with pytest.raises(InputError, match="expected a share from 0 to 1"):
            call([0.5, bad], [0.5, 0.6])
    with pytest.raises(InputError, match="expected a share"):
        fit_trend([0.5, 0.6], [0.4, 0.5]).expected(bad)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(InputError, match="unknown scale"):
        fit_trend([0.5, 0.6], [0.4, 0.5], scale="linear")
    with pytest.raises(InputError, match="shapes"):
        fit_trend([0.5, 0.6], [0.4])
    with pytest.raises(InputError, match="0 test units"):
        fit_trend([0.5, 0.6], [0.4, 0.5], n_reference=0)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 200), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.9, 0.95]))
def test_clopper_pearson_is_scipys_exact_interval(n, share, level):
    n_right = round(share * n)
    ours = clopper_pearson(n_right, n, level=level)
    theirs = stats.binomtest(n_right, n).proportion_ci(level, method="exact")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=1e-7, abs=1e-10)
    assert ours.value == n_right / n and ours.n == n


def test_clopper_pearson_covers_as_it_says():
    n, p = 30, 0.83
    spans = [clopper_pearson(k, n) for k in range(n + 1)]
    chances = stats.binom.pmf(np.arange(n + 1), n, p)
    covered = sum(c for c, s in zip(chances, spans, strict=True) if s.low <= p <= s.high)
    assert 0.95 <= covered < 0.99


def test_the_mean_over_runs_has_scipys_t_interval():
    runs = np.array([0.81, 0.84, 0.79])
    ours = mean_over_runs(runs)
    theirs = stats.t.interval(0.9, 2, loc=runs.mean(), scale=stats.sem(runs))
    assert (ours.low, ours.high) == pytest.approx(theirs, rel=1e-9)
    assert ours.value == pytest.approx(runs.mean()) and ours.n == 3
    wider = mean_over_runs(runs, level=0.95)
    assert wider.low < ours.low and wider.high > ours.high
    assert mean_over_runs([0.5, 0.5]).low == mean_over_runs([0.5, 0.5]).high == 0.5


def test_one_run_has_a_mean_and_no_interval():
    assert (mean_over_runs([0.7]).value, mean_over_runs([0.7]).low) == (0.7, None)


def test_intervals_of_nothing_are_refused():
    for counts in ((1, 0), (-1, 5), (6, 5)):
        with pytest.raises(InputError, match="expected 0 to n"):
            clopper_pearson(*counts)
    for runs in ([], [0.5, np.nan], [[0.5]]):
        with pytest.raises(InputError, match="one finite number a run"):
            mean_over_runs(runs)
    for level in (0, 1, 95):
        with pytest.raises(InputError, match=f"level {level} of an interval"):
            mean_over_runs([0.5], level=level)
        with pytest.raises(InputError, match=f"level {level} of an interval"):
            clopper_pearson(1, 2, level=level)
