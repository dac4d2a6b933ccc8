"""The toy in the plane: gradient flow ends where the closed form says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.transfer.toy import adapt, fine_tuned, largest_gap, probed

B, W = (0.6, 0.6), (1.0, 1.0)
FIGURES = {0.1: (0.5500, 0.2025), 0.5: (0.5837, 0.1733), 2: (1.1844, 0.0340), 3: (1.7753, 0.6010)}


def test_the_figures_of_the_plane():
    outcomes = adapt(tuple(FIGURES), B, W)
    for outcome, (second, error) in zip(outcomes, FIGURES.values(), strict=True):
        assert outcome.closed["FT"][0] == 1
        assert outcome.closed["FT"][1] == pytest.approx(second, abs=5e-5)
        assert outcome.errors["FT"] == pytest.approx(error, abs=5e-5)
        assert outcome.closed["LP"] == outcome.closed["LP-FT"] == W
        assert outcome.errors["LP"] == outcome.errors["LP-FT"] == 0
        assert outcome.simulated["LP-FT"] == pytest.approx(W, abs=1e-15)
        assert len(outcome.paths["LP-FT"].times) == 1  # nothing moves
    assert largest_gap(outcomes) < 1e-8


signed = st.floats(0.2, 3) | st.floats(-3, -0.2)


@settings(max_examples=40, deadline=None)
@given(v=signed, b1=signed, b2=signed, w1=signed, w2=signed)
def test_gradient_flow_ends_where_the_closed_form_says(v, b1, b2, w1, w2):
    if abs(abs(v) - abs(b1)) < 0.05:
        v += 0.2 * np.sign(v)  # away from the saddle, at which a flow lingers
    outcomes = adapt([v], (b1, b2), (w1, w2))
    assert largest_gap(outcomes) < 1e-6


def test_descent_by_small_steps_ends_there_too():
    for v0 in (0.1, 3.0):
        v, b = v0, np.array(B)
        for _ in range(20_000):
            rest = W[0] - v * b[0]
            v, b = v + 2e-4 * 2 * b[0] * rest, b + 2e-4 * 2 * v * np.array([rest, 0])
        assert v * b == pytest.approx(fine_tuned(v0, B, W), abs=2e-3)


def test_the_flow_keeps_what_the_closed_form_rests_on():
    (outcome,) = adapt([0.5], (0.8, -0.4), (1.5, 0.3))
    flow = outcome.paths["FT"]
    kept = flow.v[:, 0] ** 2 - flow.B[:, 0, 0] ** 2
    np.testing.assert_allclose(kept, 0.5**2 - 0.8**2, atol=1e-9)
    assert (flow.B[:, 0, 1] == -0.4).all()


@pytest.mark.parametrize("v", [-0.6, 0.6])
def test_a_balanced_start_learns_nothing_on_the_wrong_side_of_the_saddle(v):
    (outcome,) = adapt([v], B, W)
    assert outcome.closed["FT"] == ((0, 0) if v < 0 else (1, pytest.approx(0.6)))
    assert outcome.simulated["FT"] == pytest.approx(outcome.closed["FT"], abs=1e-6)


def test_a_large_head_loses_no_precision_to_a_difference_of_near_numbers():
    second = fine_tuned(1e-6, (1e6, 1.0), W)[1]
    assert second == pytest.approx(1e-6, rel=1e-9)
    assert fine_tuned(0.0, (2.0, 3.0), (0.0, 1.0)) == (0, 0)


def test_exchanging_the_signs_of_head_and_features_changes_nothing():
    for v in (0.1, 2.0, -1.3):
        assert fine_tuned(v, B, W) == fine_tuned(-v, (-0.6, -0.6), W)
    assert probed(B, (2.0, 0.0)) == probed((-0.6, -0.6), (2.0, 0.0)) == (2, pytest.approx(2))
