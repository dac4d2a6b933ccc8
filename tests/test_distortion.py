"""What fine-tuning changed: features by their distance, weights along the training inputs alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.errors import InputError
from probes.transfer.distortion import feature_norm, feature_shift, head_norm, split_change

SEEDS = st.integers(0, 99)


def trained(optimiser, steps=20, n=6, width=10, bias=True):
    """A linear layer before and after training on fewer units than it has inputs."""
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(n, width, generator=generator, dtype=torch.float64)
    Y = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    layer = torch.nn.Linear(width, 3, bias=bias, dtype=torch.float64)
    before = layer.weight.detach().clone()
    steps_of = optimiser(layer.parameters())
    for _ in range(steps):
        steps_of.zero_grad()
        torch.nn.functional.mse_loss(torch.tanh(layer(X)), Y).backward()
        steps_of.step()
    return before.numpy(), layer.weight.detach().numpy(), X.numpy()


def test_the_shift_is_the_mean_distance_of_the_same_units():
    rng = np.random.default_rng(0)
    before, move = rng.normal(size=(2, 30, 5))
    expected = np.mean([np.sqrt((m**2).sum()) for m in move])
    assert feature_shift(before, before + move) == pytest.approx(expected, rel=1e-12)
    assert feature_shift(before, before) == 0
    assert feature_shift(before, before + np.array([3, 4, 0, 0, 0])) == pytest.approx(5)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    assert feature_shift(before @ turn, (before + move) @ turn) == pytest.approx(expected)


def test_norms_are_lengths():
    assert feature_norm([[3.0, 4.0], [0.0, 1.0]]) == 3
    assert head_norm([[1.0, 2.0], [2.0, 4.0]]) == 5


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_gradient_descent_changes_weights_within_the_row_space_alone(momentum):
    split = split_change(*trained(lambda p: torch.optim.SGD(p, lr=0.1, momentum=momentum)))
    assert split.rank == 6 and split.n_inputs == 10
    assert split.within_norm > 0.1
    assert split.across_norm < 1e-14 * split.within_norm * 10


@pytest.mark.parametrize(
    "optimiser",
    [
        lambda p: torch.optim.Adam(p, lr=0.01),
        lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.01),
    ],
)
def test_adam_and_weight_decay_leave_the_row_space(optimiser):
    split = split_change(*trained(optimiser))
    assert split.across_norm > 1e-3 * split.within_norm


def test_what_lies_across_changes_no_output_of_the_training_inputs():
    before, after, X = trained(lambda p: torch.optim.Adam(p, lr=0.01))
    split = split_change(before, after, X)
    np.testing.assert_allclose(X @ split.across.T, 0, atol=1e-13)
    np.testing.assert_allclose(X @ split.within.T, X @ (after - before).T, atol=1e-13)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 12), width=st.integers(1, 9), rank=st.integers(1, 9), seed=st.integers(0, 99)
)
def test_the_parts_are_orthogonal_and_sum_to_the_change(n, width, rank, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, width))
    before, after = rng.normal(size=(2, 4, width))
    split = split_change(before, after, X)
    assert split.rank == min(n, width, rank)
    np.testing.assert_allclose(split.within + split.across, after - before, atol=1e-12)
    assert np.sum(split.within * split.across) == pytest.approx(0, abs=1e-10)
    whole = np.linalg.norm(after - before)
    assert np.hypot(split.within_norm, split.across_norm) == pytest.approx(whole)
    if split.rank == width:
        assert split.across_norm < 1e-12 * whole


def test_the_tolerance_decides_what_counts_as_a_direction():
    X = np.diag([1.0, 1e-3, 1e-20])
    change = np.eye(3)
    assert split_change(0 * change, change, X).rank == 2
    assert split_change(0 * change, change, X, tolerance=0.01).rank == 1
    assert split_change(0 * change, change, X, tolerance=0).rank == 3
    noisy = np.float32(np.ones((20, 2))) * np.float32([0.1, 0.3])
    noisy[0, 0] += np.float32(1e-8)  # below what float32 tells apart
    assert split_change(np.zeros((1, 2)), np.ones((1, 2)), noisy).rank == 1


def test_without_any_input_nothing_lies_within():
    split = split_change(np.zeros((2, 3)), np.ones((2, 3)), np.zeros((5, 3)))
    assert (split.rank, split.within_norm) == (0, 0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="the same units twice"):
        feature_shift(np.zeros((3, 2)), np.zeros((2, 2)))
    with pytest.raises(InputError, match="not finite in row 1"):
        feature_norm([[0.0], [np.inf]])
    for empty in (np.zeros((0, 2)), np.zeros(3)):
        with pytest.raises(InputError, match="expected two dimensions"):
            feature_shift(empty, empty)
    W = np.zeros((2, 3))
    for before, after, X in ((W, W[:1], W), (W, W, np.zeros((5, 4)))):
        with pytest.raises(InputError, match="n_inputs"):
            split_change(before, after, X)
    with pytest.raises(InputError, match=r"tolerance 1\.5"):
        split_change(W, W, W, tolerance=1.5)
