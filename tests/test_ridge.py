"""Ridge: the closed form is scikit-learn's, for all penalties and targets together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

from probes.diagnostic.ridge import fit_ridge, ridge_from_moments
from probes.errors import InputError


def problem(n=60, d=5, targets=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3
    Y = X @ rng.normal(size=(d, targets)) + rng.normal(size=(n, targets)) - 1
    return torch.from_numpy(X), torch.from_numpy(Y)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 40),
    d=st.integers(1, 20),
    penalty=st.floats(1e-4, 1e3),
    seed=st.integers(0, 1000),
)
def test_ridge_equals_scikit_learn_at_alpha_n_lambda(n, d, penalty, seed):
    X, Y = problem(n, d, 2, seed)
    fit = fit_ridge(X, Y, [penalty])
    theirs = Ridge(alpha=n * penalty, solver="svd").fit(X.numpy(), Y.numpy())
    np.testing.assert_allclose(fit.coef[0], theirs.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(fit.intercept[0], theirs.intercept_, rtol=1e-5, atol=1e-5)


def test_the_objective_is_the_mean_loss_with_its_penalty():
    X, Y = problem()
    fit = fit_ridge(X, Y, [0.1, 10.0])
    for i, penalty in enumerate([0.1, 10.0]):
        rest = X @ fit.coef[i].T + fit.intercept[i] - Y
        value = 0.5 * rest.square().mean(0) + 0.5 * penalty * fit.coef[i].square().sum(1)
        assert torch.allclose(fit.objective[i], value, rtol=1e-10)


def test_targets_and_penalties_together_equal_each_alone():
    X, Y = problem()
    together = fit_ridge(X, Y, [1.0, 0.01])
    for t in range(3):
        for i, penalty in enumerate([1.0, 0.01]):
            alone = fit_ridge(X, Y[:, t : t + 1], [penalty])
            assert torch.allclose(together.coef[i, t], alone.coef[0, 0], rtol=1e-9)


def test_no_penalty_gives_least_squares_of_least_norm():
    X, Y = problem(n=8, d=12)
    theirs = LinearRegression().fit(X.numpy(), Y.numpy())
    np.testing.assert_allclose(fit_ridge(X, Y, [0.0]).coef[0], theirs.coef_, atol=1e-7)


def test_a_large_mean_costs_no_precision():
    X, Y = problem()
    shifted = fit_ridge(X + 1e6, Y, [0.1])
    assert torch.allclose(shifted.coef, fit_ridge(X, Y, [0.1]).coef, rtol=1e-6)


def test_moments_are_enough():
    X, Y = problem()
    x, y = X - X.mean(0), Y - Y.mean(0)
    n = len(X)
    fit = ridge_from_moments(
        x.T @ x / n, x.T @ y / n, y.square().mean(0), X.mean(0), Y.mean(0), [0.3]
    )
    direct = fit_ridge(X, Y, [0.3])
    assert torch.allclose(fit.coef, direct.coef)
    assert torch.allclose(fit.objective, direct.objective)


def test_duplicating_every_row_changes_nothing():
    X, Y = problem()
    twice = fit_ridge(torch.cat([X, X]), torch.cat([Y, Y]), [0.3])
    assert torch.allclose(twice.coef, fit_ridge(X, Y, [0.3]).coef)


def test_float32_is_summed_in_float64():
    X, Y = problem()
    fit = fit_ridge(X.float(), Y.float(), [0.3])
    assert fit.coef.dtype == torch.float64
    assert torch.allclose(fit.coef, fit_ridge(X, Y, [0.3]).coef, rtol=1e-5)


@pytest.mark.parametrize("what", ["X", "Y"])
def test_what_is_not_finite_is_named_by_its_row(what):
    X, Y = problem()
    (X if what == "X" else Y)[7, 0] = float("inf")
    with pytest.raises(InputError, match=f"{what} has a value in row 7"):
        fit_ridge(X, Y, [1.0])


def test_bad_shapes_and_penalties_are_refused():
    X, Y = problem()
    with pytest.raises(InputError, match="shape"):
        fit_ridge(X, Y[:-1], [1.0])
    with pytest.raises(InputError, match="penalty -1"):
        fit_ridge(X, Y, [-1.0])
