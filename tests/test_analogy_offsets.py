"""Offsets: how alike they are, what shuffled pairs say of that, and how often chance passes."""

import itertools

import numpy as np
import pytest

from probes.analogy.offsets import are_directions, concentration, deranged


def relation(n=20, width=10, common=1.0, noise=0.0, seed=0):
    random = np.random.default_rng(seed)
    sources = random.normal(size=(n, width))
    offset = common * random.normal(size=width)
    return sources, sources + offset + noise * random.normal(size=(n, width))


def test_equal_offsets_are_as_alike_as_can_be():
    found = concentration(*relation())
    assert found.ocs == pytest.approx(1)
    assert found.p == 0.001
    assert found.pcs > 0.99
    assert found.shuffled < 0.6


def test_the_score_is_the_mean_cosine_of_all_pairs_of_offsets():
    sources, targets = relation(noise=2.0)
    offsets = targets - sources
    cosines = [
        a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in itertools.combinations(offsets, 2)
    ]
    assert concentration(sources, targets).ocs == pytest.approx(np.mean(cosines))


def test_the_area_is_the_share_of_more_alike_pairs():
    sources, targets = relation(n=5, noise=1.0)
    found = concentration(sources, targets, seed=3, n_shuffles=1)
    random = np.random.default_rng(3)
    shuffled = targets[deranged(5, random)] - sources

    def cosines(offsets):
        unit = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
        return [a @ b for a, b in itertools.combinations(unit, 2)]

    wins = [a > b for a in cosines(targets - sources) for b in cosines(shuffled)]
    assert found.pcs == pytest.approx(np.mean(wins))


def test_turning_and_scaling_the_space_changes_nothing():
    sources, targets = relation(noise=1.0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))[0] * 7
    for a, b in zip(
        (concentration(sources, targets), concentration(sources @ turn + 2, targets @ turn + 2)),
        (concentration(sources, targets),) * 2,
        strict=True,
    ):
        assert (a.ocs, a.pcs, a.p) == pytest.approx((b.ocs, b.pcs, b.p))


def test_where_the_pairing_does_not_matter_p_is_even():
    ps = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        sources, targets = random.normal(size=(2, 12, 6))
        ps.append(concentration(sources, targets + 1, seed, n_shuffles=99).p)
    assert 0.01 <= np.mean(np.array(ps) <= 0.05) <= 0.1
    assert 0.4 <= np.mean(ps) <= 0.6


def test_a_class_of_targets_alone_is_no_direction():
    """Targets far off in one corner give offsets that are alike, however they are paired."""
    random = np.random.default_rng(0)
    sources, targets = random.normal(size=(2, 20, 10))
    found = concentration(sources, targets + 10)
    assert found.ocs > 0.9 and found.shuffled > 0.9
    assert found.p > 0.05 and abs(found.pcs - 0.5) < 0.1
    assert are_directions([found, concentration(*relation())]) == [False, True]
    assert are_directions([]) == []


@pytest.mark.parametrize("n", [2, 3, 7])
def test_no_source_keeps_its_target(n):
    random = np.random.default_rng(0)
    seen = {tuple(deranged(n, random)) for _ in range(300)}
    assert all(place != k for order in seen for k, place in enumerate(order))
    assert len(seen) >= {2: 1, 3: 2, 7: 200}[n]
