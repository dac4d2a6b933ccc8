"""Matthews's coefficient: scikit-learn's value, an influence that is its derivative, intervals."""

import numpy as np
import pytest
from sklearn.metrics import matthews_corrcoef

from probes import metrics, stats
from probes.errors import InputError


def drawn(rng, n_groups=60, size=10):
    groups = np.repeat(np.arange(n_groups), size)
    gold = (rng.random(len(groups)) < 0.7).astype(int)
    ease = 1.2 + 0.7 * rng.normal(size=n_groups)[groups]
    right = rng.random(len(groups)) < 1 / (1 + np.exp(-ease))
    return gold, np.where(right, gold, 1 - gold), groups


def test_the_value_is_scikit_learns_and_0_where_one_is_constant():
    gold, predicted, groups = drawn(np.random.default_rng(0))
    assert metrics.mcc(gold, predicted) == pytest.approx(matthews_corrcoef(gold, predicted))
    assert metrics.mcc(gold, gold) == pytest.approx(1)
    assert metrics.mcc(gold, 1 - gold) == pytest.approx(-1)
    ones = np.ones_like(gold)
    assert metrics.mcc(gold, ones) == 0 == matthews_corrcoef(gold, ones) == metrics.mcc(ones, gold)
    found = stats.interval("mcc", gold, ones, groups)
    assert (found.value, found.low, found.high) == (0, None, None)


def test_the_influence_is_the_derivative_and_resamples_are_copies():
    gold, predicted, groups = drawn(np.random.default_rng(1), 9)
    found = metrics.measure("mcc", gold, predicted, groups, 9)
    step = 1e-5 * np.eye(9)
    slope = (found.resample(1 + step) - found.resample(1 - step)) / 2e-5
    assert np.bincount(groups, found.influence) == pytest.approx(slope, abs=1e-8)
    weights = np.array([[2, 0, 1, 3, 0, 1, 1, 0, 1]], dtype=float)
    units = np.repeat(np.arange(len(gold)), weights[0].astype(int)[groups])
    assert found.resample(weights)[0] == pytest.approx(metrics.mcc(gold[units], predicted[units]))


@pytest.mark.parametrize("n_groups", [12, 120])
def test_an_interval_covers_95_percent(n_groups):
    rng = np.random.default_rng(2)
    truth = metrics.mcc(*drawn(rng, 40_000)[:2])
    held = 0
    for _ in range(400):
        found = stats.interval("mcc", *drawn(rng, n_groups), n_resamples=400)
        assert -1 <= found.low <= found.value <= found.high <= 1
        held += found.low <= truth <= found.high
    assert 0.92 <= held / 400 <= 0.985


def test_other_classes_are_refused():
    with pytest.raises(InputError, match="two classes, coded 0 and 1"):
        stats.interval("mcc", np.array([0, 1, 2]), np.array([0, 1, 2]), np.arange(3))
