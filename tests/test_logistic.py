"""Logistic regression: the optimum is scikit-learn's, and nothing that should not matter does."""

import math
import statistics

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from probes.diagnostic.curvature import (
    BlockCurvature,
    KroneckerCurvature,
    Spectrum,
    class_curvature,
    probabilities,
)
from probes.diagnostic.descent import MEMORY, SCALES, Descent
from probes.diagnostic.logistic import fit_logistic
from probes.diagnostic.softmax import log_loss
from probes.errors import InputError

TIGHT = 1e-8


@pytest.fixture(autouse=True)
def one_thread():
    """Problems this small are slower on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def problem(n=300, d=8, K=4, seed=0, noise=1.0):
    """Correlated inputs of unequal scale; labels from a noisy linear rule, every class present."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ (rng.normal(size=(d, d)) / math.sqrt(d) + np.eye(d))
    y = (X @ rng.normal(size=(d, K)) + noise * rng.normal(size=(n, K))).argmax(1)
    y[:K] = np.arange(K)
    return torch.from_numpy(X.astype(np.float32)), torch.from_numpy(y)


def objective(X, y, W, b, penalty):
    """F in fp64, the naive way."""
    logits = X.double() @ W.T + b
    loss = torch.nn.functional.cross_entropy(logits, y)
    return float(loss + 0.5 * penalty * W.square().sum())


def optimum(X, y, penalty):
    """F at scikit-learn's solution, tight, in fp64, with all K rows."""
    binary = int(y.max()) == 1
    C = (2 if binary else 1) / (len(X) * penalty)
    theirs = LogisticRegression(C=C, tol=1e-9, max_iter=20000).fit(X.double().numpy(), y.numpy())
    W, b = torch.from_numpy(theirs.coef_), torch.from_numpy(theirs.intercept_)
    if binary:
        W, b = torch.cat([-W, W]) / 2, torch.cat([-b, b]) / 2
    return objective(X, y, W, b, penalty)


@pytest.mark.parametrize("n, d, K", [(300, 8, 4), (2000, 20, 3), (40, 60, 3), (500, 5, 2)])
def test_the_objective_is_scikit_learns_at_tight_tolerance(n, d, K):
    X, y = problem(n, d, K)
    penalties = [1e-4, 1.0, 1e-2]
    fit = fit_logistic(X, [y], [penalties])
    for i, penalty in enumerate(penalties):
        best = optimum(X, y, penalty)
        value = objective(X, y, fit.coef[0][i], fit.intercept[0][i], penalty)
        assert value == pytest.approx(float(fit.objective[0][i]), rel=1e-5)
        assert value <= best * (1 + 1e-4)
        assert value >= best * (1 - 1e-5)
        assert float(fit.bound[0][i]) >= value / best - 1 - 1e-6
    assert bool(fit.converged[0].all())


@pytest.mark.parametrize("n, d, K", [(3000, 20, 5), (200, 30, 3)])
def test_the_gradient_at_the_solution_is_small_in_float64(n, d, K):
    X, y = problem(n, d, K)
    fit = fit_logistic(X, [y], [[1e-3]], tol=TIGHT)
    W = fit.coef[0][0].requires_grad_()
    b = fit.intercept[0][0].requires_grad_()
    loss = torch.nn.functional.cross_entropy(X.double() @ W.T + b, y)
    (loss + 0.5e-3 * W.square().sum()).backward()
    assert float(W.grad.norm()) < 1e-4
    assert float(b.grad.norm()) < 1e-4


def test_the_bound_holds_at_every_tolerance():
    X, y = problem(500, 10, 4)
    best = float(fit_logistic(X.double(), [y], [[1e-2]], tol=1e-11).objective[0][0])
    for tol in (1e-1, 1e-2, 1e-3, 1e-5):
        fit = fit_logistic(X, [y], [[1e-2]], tol=tol)
        excess = float(fit.objective[0][0]) / best - 1
        assert excess <= float(fit.bound[0][0]) + 1e-6
        assert excess <= tol


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_renaming_classes_and_permuting_units_changes_nothing(seed):
    X, y = problem(seed=seed)
    base = fit_logistic(X, [y], [[1e-2]], tol=TIGHT)
    rng = np.random.default_rng(seed)
    name = torch.from_numpy(rng.permutation(4))
    order = torch.from_numpy(rng.permutation(len(X)))
    other = fit_logistic(X[order], [name[y][order]], [[1e-2]], tol=TIGHT)
    assert float(other.objective[0][0]) == pytest.approx(float(base.objective[0][0]), rel=1e-6)
    assert torch.allclose(other.coef[0][0][name], base.coef[0][0], atol=2e-3)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), penalty=st.sampled_from([1e-3, 1e-1]))
def test_rotating_and_shifting_the_inputs_changes_nothing(seed, penalty):
    X, y = problem(seed=seed)
    base = fit_logistic(X, [y], [[penalty]], tol=TIGHT)
    Q = torch.linalg.qr(torch.from_numpy(np.random.default_rng(seed).normal(size=(8, 8))))[0]
    turned = fit_logistic((X.double() @ Q).float() + 5, [y], [[penalty]], tol=TIGHT)
    assert float(turned.objective[0][0]) == pytest.approx(float(base.objective[0][0]), rel=1e-5)
    assert torch.allclose(turned.coef[0][0], base.coef[0][0] @ Q, atol=5e-3)


def test_columns_and_penalties_together_equal_each_alone():
    X, a = problem(600, 10, 4)
    _, b = problem(600, 10, 2, seed=5)
    _, c = problem(600, 10, 4, seed=6)
    levels = [[1e-1, 1e-3], [1e-2], [1e-4, 1e-2, 1e-2]]
    together = fit_logistic(X, [a, b, c], levels, tol=1e-6)
    for k, (y, penalties) in enumerate(zip([a, b, c], levels, strict=True)):
        for i, penalty in enumerate(penalties):
            alone = fit_logistic(X, [y], [[penalty]], tol=1e-6)
            value = float(alone.objective[0][0])
            assert float(together.objective[k][i]) == pytest.approx(value, rel=3e-6)
            assert torch.allclose(together.coef[k][i], alone.coef[0][0], atol=2e-2)


def test_separable_classes_are_separated():
    X, _ = problem(200, 10, 3)
    y = (X[:, :3] + X[:, 3:6]).argmax(1)
    fit = fit_logistic(X, [y], [[1.0, 1e-3, 1e-6, 1e-9]])
    assert bool(fit.converged[0].all())
    logits = X.double() @ fit.coef[0][-1].T + fit.intercept[0][-1]
    assert bool((logits.argmax(1) == y).all())
    direct = fit_logistic(X, [y], [[1e-9]])
    assert float(direct.objective[0][0]) == pytest.approx(float(fit.objective[0][-1]), rel=1e-3)


def test_labels_that_are_noise_are_predicted_at_chance():
    rng = np.random.default_rng(0)
    X = torch.from_numpy(rng.normal(size=(4000, 10)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, 4, size=4000))
    fit = fit_logistic(X[:2000], [y[:2000]], [[1e-3]])
    hit = (
        (X[2000:].double() @ fit.coef[0][0].T + fit.intercept[0][0]).argmax(1) == y[2000:]
    ).double()
    assert abs(float(hit.mean()) - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 2000)


def test_a_strong_penalty_leaves_the_prior():
    X, y = problem()
    fit = fit_logistic(X, [y], [[1e6]])
    prior = torch.bincount(y).double() / len(y)
    assert torch.allclose(torch.softmax(fit.intercept[0][0], 0), prior, atol=1e-4)
    assert float(fit.coef[0][0].abs().max()) < 1e-5


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(3, 30),
    d=st.integers(1, 40),
    K=st.integers(1, 3),
    penalty=st.sampled_from([1e-6, 1e-3, 1.0]),
    seed=st.integers(0, 1000),
)
def test_small_and_odd_shapes_converge(n, d, K, penalty, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)).astype(np.float32)
    X[:, 0] = 2.5  # constant
    X[-1] = X[0]  # duplicate
    y = np.concatenate([np.arange(K), rng.integers(0, K, size=n - K)])
    fit = fit_logistic(torch.from_numpy(X), [torch.from_numpy(y)], [[penalty]])
    assert bool(fit.converged[0][0])
    assert bool(torch.isfinite(fit.coef[0]).all())


def test_duplicating_every_row_changes_nothing():
    X, y = problem()
    once = fit_logistic(X, [y], [[1e-3]], tol=TIGHT)
    twice = fit_logistic(torch.cat([X, X]), [torch.cat([y, y])], [[1e-3]], tol=TIGHT)
    assert float(twice.objective[0][0]) == pytest.approx(float(once.objective[0][0]), rel=1e-6)


def test_the_same_call_gives_the_same_bits():
    X, y = problem(3000, 20, 5)
    first, second = (fit_logistic(X, [y], [[1e-2, 1e-4]]) for _ in range(2))
    assert torch.equal(first.coef[0], second.coef[0])


def test_a_solution_as_the_start_is_found_at_once():
    X, y = problem()
    fit = fit_logistic(X, [y], [[1e-1, 1e-2]], tol=1e-6)
    for k, penalty in enumerate((1e-1, 1e-2)):
        start = [(fit.coef[0][k], fit.intercept[0][k])]
        again = fit_logistic(X, [y], [[penalty]], tol=1e-3, start=start)
        assert int(again.n_evaluations[0].max()) <= 3


def test_a_path_may_go_on_where_another_call_ended():
    X, y = problem(3000, 20, 5)
    whole = fit_logistic(X, [y], [[1e-1, 1e-2, 1e-3, 1e-5]])
    head = fit_logistic(X, [y], [[1e-1, 1e-2]])
    start = [(head.coef[0][-1], head.intercept[0][-1])]
    tail = fit_logistic(X, [y], [[1e-3, 1e-5]], start=start)
    assert bool(tail.converged[0].all())
    for k in (0, 1):
        expected = float(whole.objective[0][2 + k])
        assert float(tail.objective[0][k]) == pytest.approx(expected, rel=2e-4)


def test_too_few_evaluations_are_said():
    X, y = problem()
    fit = fit_logistic(X, [y], [[1e-4, 1e-5]], max_evaluations=3)
    assert not bool(fit.converged[0].any())
    assert fit.n_evaluations[0].tolist() == [3, 3]


def test_the_loss_keeps_its_precision_where_classes_are_separated():
    X = torch.tensor([[1.0], [-1.0]])
    loss = log_loss(X, torch.tensor([[0, 1]]), torch.tensor([[[15.0], [-15.0]]]), torch.zeros(1, 2))
    assert float(loss.value[0]) == pytest.approx(math.log1p(math.exp(-30)), rel=1e-5)
    assert float(loss.coef[0, 0, 0]) == pytest.approx(-math.exp(-30), rel=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_loss_and_gradient_are_those_of_autograd_over_several_blocks(n_classes):
    X, y = problem(5000, 6, n_classes)
    noise = torch.Generator().manual_seed(0)
    W = torch.randn(2, n_classes, 6, dtype=torch.float64, generator=noise)
    b = torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.0, 1.0]], dtype=torch.float64)[:, :n_classes]
    loss = log_loss(X.double(), y.expand(2, -1), W, b)
    for j in range(2):
        w, c = W[j].clone().requires_grad_(), b[j].clone().requires_grad_()
        value = torch.nn.functional.cross_entropy(X.double() @ w.T + c, y)
        value.backward()
        assert float(loss.value[j]) == pytest.approx(value.item(), rel=1e-12)
        assert torch.allclose(loss.coef[j], w.grad, atol=1e-12)
        assert torch.allclose(loss.intercept[j], c.grad, atol=1e-12)


def test_block_curvature_is_near_the_diagonal_blocks_of_the_hessian():
    X, _ = problem(60, 12, 3)
    W = torch.randn(3, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p = probabilities(X.double(), W, torch.zeros(3, dtype=torch.float64))
    assert torch.allclose(p, torch.softmax(W @ X.double().T, 0))
    S = class_curvature(p)
    assert torch.allclose(S, torch.stack([torch.diag(q) - torch.outer(q, q) for q in p.T]).mean(0))
    spectrum = Spectrum(X.double())
    block = BlockCurvature(X.double(), spectrum, p, S, 0.1)
    V = torch.linalg.eigh(S)[1]
    for k in range(1, 3):
        weight = (V[:, k] ** 2) @ p - (V[:, k] @ p) ** 2
        exact = (X.double().T * weight) @ X.double() / 60 + 0.1 * torch.eye(12)
        ratio = torch.linalg.eigvals(block.inverse[k] @ exact).real
        assert float(ratio.min()) > 0.3
        assert float(ratio.max()) < 3


def test_kronecker_curvature_is_exact_at_zero():
    X, y = problem(100, 5, 3)
    X, prior = X.double(), torch.bincount(y).double() / len(y)
    S = torch.diag(prior) - torch.outer(prior, prior)
    H = torch.kron(S, X.T @ X / len(X)) + 0.1 * torch.eye(15)
    grad = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    solved, _ = KroneckerCurvature(Spectrum(X), S, 0.1).solve(grad, torch.zeros(3).double())
    assert torch.allclose(H @ solved.flatten(), grad.flatten(), atol=1e-8)


@pytest.mark.parametrize("seed", [2, 8, 11])
def test_every_penalty_of_a_long_path_is_within_the_tolerance(seed):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(150, 40, generator=generator)
    W = torch.randn(40, 3, generator=generator)
    y = (X @ W + 2 * torch.randn(150, 3, generator=generator)).argmax(1)
    path = [1 / (150 * C) for C in np.logspace(-7, 2, 50)]
    found = fit_logistic(X, [y], [path], tol=1e-4)
    tight = fit_logistic(X.double(), [y], [path], tol=1e-9, max_evaluations=5000)
    assert found.converged[0].all()
    assert float((found.objective[0] / tight.objective[0] - 1).max()) <= 1e-4


def test_descent_minimises_a_quadratic_in_few_steps():
    H = torch.diag(torch.arange(1.0, 9.0, dtype=torch.float64))
    descent = Descent(torch.ones(8, dtype=torch.float64), lambda g: g)
    for _ in range(25):
        x = descent.point
        descent.receive(0.5 * float(x @ H @ x), H @ x)
    assert descent.value < 1e-10


def _two_loops(pairs, gradient, precondition):
    """Nocedal (1980), as textbooks have it."""
    q, weights = gradient.clone(), []
    for s, y in reversed(pairs):
        weights.append((s @ q) / (s @ y))
        q -= weights[-1] * y
    scales = [float((s @ y) / (y @ precondition(y))) for s, y in pairs[-SCALES:]]
    r = precondition(q) * (statistics.median(scales) if scales else 1)
    for (s, y), weight in zip(pairs, reversed(weights), strict=True):
        r += (weight - (y @ r) / (s @ y)) * s
    return r


def test_descent_goes_where_the_two_loops_say():
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(60, 60, dtype=torch.float64, generator=generator)
    H = A @ A.T / 60 + 0.01 * torch.eye(60, dtype=torch.float64)
    P = torch.linalg.inv(torch.diag(H.diagonal()) + 0.1 * H)

    def grad(x):
        return H @ x + 4 * x**3

    descent = Descent(torch.ones(60, dtype=torch.float64), lambda g: P @ g)
    pairs, last, compared = [], None, 0
    for _ in range(3 * MEMORY):
        x = descent.point
        if not descent.receive(float(0.5 * x @ H @ x + (x**4).sum()), grad(x)):
            continue
        if last is not None:
            pairs = [*pairs, (x - last, grad(x) - grad(last))][-MEMORY:]
        if float(grad(x).norm()) < 1e-6:
            break
        expected = -_two_loops(pairs, grad(x), lambda g: P @ g)
        torch.testing.assert_close(descent.point - x, expected, rtol=1e-9, atol=1e-12)
        last, compared = x, compared + 1
    assert compared > MEMORY


def test_descent_goes_faster_with_the_curvature_of_a_similar_function():
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(30, 4, dtype=torch.float64, generator=generator)
    H = A @ A.T  # steep along four directions that the preconditioner does not know

    def minimise(shift, known=()):
        hessian = H + shift * torch.eye(30, dtype=torch.float64)
        descent, n = Descent(torch.ones(30, dtype=torch.float64), lambda g: g, known), 0
        while not descent.value < 1e-10:
            x, n = descent.point, n + 1
            descent.receive(0.5 * float(x @ hessian @ x), hessian @ x)
        return descent, n

    first, _ = minimise(1.0)
    _, n_alone = minimise(0.5)
    _, n_with = minimise(0.5, [(s, y - 0.5 * s) for s, y in first.recent])
    assert n_with < 0.7 * n_alone, (n_with, n_alone)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda a: a.update(X=a["X"].index_fill(0, torch.tensor([3]), math.nan)), "row 3"),
        (lambda a: a.update(X=a["X"][0]), "shape"),
        (lambda a: a.update(X=a["X"][:0], columns=[]), "no rows"),
        (lambda a: a.update(columns=[a["columns"][0][:-1]]), "one label a row"),
        (lambda a: a.update(columns=[a["columns"][0] - 1]), "label -1 in row"),
        (lambda a: a.update(columns=[a["columns"][0] * 2]), "class 1 of label column 0 has no row"),
        (lambda a: a.update(penalties=[[0.0]]), "penalty 0.0"),
        (lambda a: a.update(penalties=[[]]), "no penalty"),
        (lambda a: a.update(penalties=[]), "lists of penalties"),
    ],
)
def test_bad_input_is_refused_with_its_place(change, message):
    X, y = problem()
    arguments = {"X": X, "columns": [y], "penalties": [[1.0]]}
    change(arguments)
    with pytest.raises(InputError, match=message):
        fit_logistic(**arguments)
