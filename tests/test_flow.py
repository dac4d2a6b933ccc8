"""Two-layer linear networks: what Kumar et al. prove of fine-tuning holds in numbers."""

import numpy as np
import pytest
import torch

from probes.errors import InputError
from probes.transfer.flow import (
    distortion_bound,
    extractor_error,
    fine_tune,
    gradients,
    linear_probe,
    loss,
    ood_error,
    probe_by_flow,
)

K, D, N = 2, 9, 4  # K < D - N


def rows(k, d, rng):
    """A matrix with orthonormal rows."""
    return np.linalg.qr(rng.normal(size=(d, k)))[0].T


def problem(seed=0, epsilon=0.0, n=N):
    """Inputs, targets, true head and features, and pretrained features near to them, turned."""
    rng = np.random.default_rng(seed)
    X, v_star, B_star = rng.normal(size=(n, D)), rng.normal(size=K), rows(K, D, rng)
    B = rows(K, K, rng) @ np.linalg.qr((B_star + epsilon * rng.normal(size=(K, D))).T)[0].T
    return X, X @ B_star.T @ v_star, v_star, B_star, B, rng


def across(X):
    """An orthonormal basis of what no input has a part in, one vector a row."""
    return np.linalg.svd(X, full_matrices=True)[2][len(X) :]


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_the_features_is_minus_twice_the_head_by_the_rest(seed):
    X, Y, *_, B, rng = problem(seed, 0.3)
    v = rng.normal(size=K)
    by_v, by_B = gradients(X, Y, v, B)
    tensors = [torch.tensor(a, requires_grad=True) for a in (v, B)]
    rest = torch.tensor(X) @ tensors[1].T @ tensors[0] - torch.tensor(Y)
    rest.square().sum().backward()
    np.testing.assert_allclose(by_v, tensors[0].grad, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(by_B, tensors[1].grad, rtol=1e-10, atol=1e-12)
    as_printed = 2 * np.outer(v, (Y - X @ B.T @ v) @ X)  # without the minus, it climbs
    np.testing.assert_allclose(as_printed, -tensors[1].grad, rtol=1e-10, atol=1e-12)
    step = 1e-6
    assert loss(X, Y, v, B - step * by_B) < loss(X, Y, v, B) < loss(X, Y, v, B - step * as_printed)


@pytest.mark.parametrize("seed", range(3))
def test_features_of_directions_that_no_input_has_never_change(seed):
    X, Y, *_, B, rng = problem(seed, 0.3)
    v = rng.normal(size=K)
    U = across(X)
    np.testing.assert_allclose(gradients(X, Y, v, B)[1] @ U.T, 0, atol=1e-12)
    flow = fine_tune(X, Y, v, B)
    assert len(flow.times) > 10 and np.abs(flow.B[-1] - B).max() > 0.01
    np.testing.assert_allclose(
        flow.B @ U.T, np.broadcast_to(B @ U.T, (len(flow.B), K, D - N)), atol=1e-11
    )


def test_head_and_features_stay_balanced():
    X, Y, *_, B, rng = problem(1, 0.3)
    flow = fine_tune(X, Y, rng.normal(size=K), B)
    kept = np.einsum("ti,tj->tij", flow.v, flow.v) - flow.B @ flow.B.transpose(0, 2, 1)
    np.testing.assert_allclose(kept, np.broadcast_to(kept[0], kept.shape), atol=1e-8)


def test_the_loss_falls_to_nought_where_inputs_are_fewer_than_directions():
    X, Y, *_, B, rng = problem(2, 0.3)
    flow = fine_tune(X, Y, rng.normal(size=K), B)
    losses = [loss(X, Y, v, F) for v, F in zip(flow.v, flow.B, strict=True)]
    assert (np.diff(losses) <= 1e-12).all() and losses[-1] < 1e-12 * losses[0]


def test_probing_by_flow_ends_at_least_squares_and_leaves_the_features():
    X, Y, *_, B, _ = problem(3, 0.5)
    flow = probe_by_flow(X, Y, np.zeros(K), B)
    np.testing.assert_allclose(flow.v[-1], linear_probe(X, Y, B), rtol=1e-6)
    assert (flow.B == B).all()
    one = probe_by_flow(X[:1], Y[:1], np.zeros(K), B)  # fewer units than features: of least norm
    np.testing.assert_allclose(one.v[-1], linear_probe(X[:1], Y[:1], B), rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_with_the_right_features_probing_first_leaves_no_error_and_fine_tuning_does(seed):
    """Proposition 3.2: B = U B*."""
    X, Y, v_star, B_star, B, rng = problem(seed)
    w_star = B_star.T @ v_star
    head = linear_probe(X, Y, B)
    probed = fine_tune(X, Y, head, B)
    assert max(ood_error(w, w_star) for w in probed.w) < 1e-20
    tuned = fine_tune(X, Y, rng.normal(size=K), B)
    assert min(ood_error(w, w_star) for w in tuned.w) > 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_with_wrong_features_fine_tuning_is_better_at_home(seed):
    """Proposition 3.1: w* is not in the row space of B."""
    X, Y, *_, B, rng = problem(seed, 0.5)
    tuned = fine_tune(X, Y, rng.normal(size=K), B)
    assert (
        loss(X, Y, tuned.v[-1], tuned.B[-1]) < 1e-10 < 1e-4 < loss(X, Y, linear_probe(X, Y, B), B)
    )


@pytest.mark.parametrize("epsilon", [0.0, 0.003])
def test_the_error_of_fine_tuning_is_bounded_from_below_at_all_times(epsilon):
    """Theorem 3.1."""
    bounds = []
    for seed in range(20):
        X, Y, v_star, B_star, B, rng = problem(seed, epsilon)
        v = 3 * rng.normal(size=K)
        bound = distortion_bound(X, v, B, v_star, B_star)
        flow = fine_tune(X, Y, v, B)
        roots = [ood_error(w, B_star.T @ v_star) ** 0.5 for w in flow.w]
        assert min(roots) >= bound
        bounds.append(bound)
    assert max(bounds) > 0.01  # it says something


@pytest.mark.parametrize("v", [0.5, 1.9])  # far from v* = 2, and near: another term is the least
def test_the_bound_is_its_formula(v):
    X = np.eye(3)[:1]
    B = np.array([[0.6, 0.8, 0.0]])
    phi = np.sqrt(abs((v * 2) ** 2 - (2 * 2) ** 2))
    assert (phi < phi**2 / 2) == (v == 0.5)
    expected = 0.8 * min(phi, phi**2 / 2) / 9
    assert distortion_bound(X, [v], B, [2.0], B) == pytest.approx(expected, rel=1e-12)


def test_the_bound_does_not_depend_on_how_the_true_features_are_turned():
    X, _, v_star, B_star, B, rng = problem(6, 0.01)
    v, turn = rng.normal(size=K), rows(K, K, rng)
    there = distortion_bound(X, v, B, v_star, B_star)
    assert distortion_bound(X, v, B, turn @ v_star, turn @ B_star) == pytest.approx(there)


def test_the_rotation_of_features_is_no_error():
    rng = np.random.default_rng(0)
    B, turn = rows(3, 8, rng), rows(3, 3, rng)
    error, U = extractor_error(turn @ B, B)
    assert error < 1e-14
    np.testing.assert_allclose(U, turn, atol=1e-14)
    other = rows(3, 8, rng)
    angles = np.linalg.svd(other @ B.T, compute_uv=False)
    assert extractor_error(other, B)[0] == pytest.approx(
        2 * np.sin(np.arccos(angles.min()) / 2), rel=1e-9
    )


def test_the_better_the_features_the_more_probing_gains_on_fine_tuning():
    """Theorem 3.2: the ratio of the OOD errors goes to nought with the error of the features."""
    ratios = []
    for epsilon in (0.1, 0.01, 0.001):
        X, Y, v_star, B_star, B, rng = problem(5, epsilon)
        w_star = B_star.T @ v_star
        tuned = fine_tune(X, Y, rng.normal(size=K), B).w[-1]
        ratios.append(ood_error(B.T @ linear_probe(X, Y, B), w_star) / ood_error(tuned, w_star))
    assert ratios[1] < 0.1 * ratios[0] and ratios[2] < 0.1 * ratios[1]


def test_shapes_that_do_not_fit_are_refused():
    for shapes in (
        ((3, 2), (3,), (2,), (2, 3)),
        ((3, 2), (2,), (1,), (1, 2)),
        ((3, 2), (3,), (2,), (1, 2)),
    ):
        with pytest.raises(InputError, match=r"expected \(n, d\)"):
            gradients(*map(np.zeros, shapes))
