"""Offsets: how alike they are, what shuffled pairs say of that, and how often chance passes."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.stats import binom

from probes.analogy.offsets import (
    are_directions,
    concentration,
    deranged,
    p_of_direction,
    p_of_pairing,
)


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


def test_turning_scaling_and_moving_the_space_changes_nothing():
    sources, targets = relation(noise=1.0)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))[0] * 7
    own, other = (
        concentration(sources, targets),
        concentration(sources @ turn + 2, targets @ turn + 2),
    )
    assert dataclasses.astuple(other) == pytest.approx(dataclasses.astuple(own))


def at_most(share: float, n: int) -> float:
    """A number that draws of a share exceed once in a thousand times."""
    return float(binom.ppf(0.999, n, share)) / n


def normal(random, n, width=6):
    return random.normal(size=(2, n, width))


@pytest.mark.parametrize("n", [5, 6, 12])
def test_where_the_pairing_does_not_matter_p_is_even(n):
    random = np.random.default_rng(n)
    ps = []
    for _ in range(1000):
        sources, targets = normal(random, n)
        ps.append(p_of_pairing(sources, targets + 1, random))
    for level in (0.001, 0.01, 0.05):
        assert np.mean(np.array(ps) <= level) <= at_most(level, 1000), level
    assert 0.45 <= np.mean(ps) <= 0.56


@pytest.mark.parametrize("n", [5, 6, 12])
def test_words_that_are_near_their_targets_whichever_way_are_no_direction(n):
    """Their pairing matters, and their offsets have no common part."""
    random = np.random.default_rng(n)
    pairing, flipped = [], []
    for _ in range(1000):
        sources, noise = normal(random, n)
        pairing.append(p_of_pairing(sources, sources + 0.3 * noise, random, 199))
        flipped.append(p_of_direction(0.3 * noise, random))
    for level in (0.001, 0.01, 0.05):
        both = np.maximum(pairing, flipped)
        assert np.mean(both <= level) <= at_most(level, 1000), level
        assert np.mean(np.array(flipped) <= level) <= at_most(level, 1000), level
    assert np.mean(np.array(pairing) <= 0.05) > (0.3 if n < 12 else 0.6)
    assert min(flipped) >= max(2 ** (1 - n), 0.001)


def test_of_near_words_and_offsets_at_random_none_is_named_and_of_planted_ones_all():
    found = []
    for seed in range(10):
        sources, targets = relation(common=0.0, noise=0.3, seed=seed)
        found.append(concentration(sources, targets, seed))
    for seed in range(10):
        found.append(concentration(*relation(noise=1.0, seed=seed), seed))
    assert are_directions(found) == [False] * 10 + [True] * 10
    assert all(one.p == max(one.p_pairing, one.p_flipped) for one in found)


def test_two_clusters_that_are_paired_at_random_are_no_direction():
    random = np.random.default_rng(0)
    sources, targets = random.normal(size=(2, 24, 10))
    sources += 5 * np.repeat([-1.0, 1.0], 12)[:, None]
    targets += random.permutation(np.repeat([4.0, 12.0], 12))[:, None]
    found = concentration(sources, targets)
    assert found.p_flipped <= 0.01 and found.p_pairing > 0.05
    assert are_directions([found]) == [False]


def test_pairs_of_one_vector_are_left_out_and_counted():
    sources, targets = relation(n=12, noise=1.0)
    own = concentration(sources, targets)
    same = np.random.default_rng(5).normal(size=(4, 10))
    more = concentration(np.concatenate([sources, same]), np.concatenate([targets, same]))
    assert (more.n, more.n_zero) == (12, 4)
    assert (more.ocs, more.pcs, more.p) == pytest.approx((own.ocs, own.pcs, own.p))
    assert concentration(sources, sources * (1 + 1e-15)) is None
    assert concentration(sources[:4], targets[:4]) is None
    assert concentration(sources[:5], targets[:5]) is not None


def test_a_class_of_targets_alone_is_no_direction():
    """Targets far off in one corner give offsets that are alike, however they are paired."""
    random = np.random.default_rng(0)
    sources, targets = random.normal(size=(2, 20, 10))
    found = concentration(sources, targets + 10)
    assert found.ocs > 0.9 and found.shuffled > 0.9
    assert found.p_pairing > 0.05 and found.p_flipped == 0.001 and abs(found.pcs - 0.5) < 0.1
    assert are_directions([found, concentration(*relation())]) == [False, True]
    assert are_directions([]) == []


@pytest.mark.parametrize("n", [2, 3, 7])
def test_no_source_keeps_its_target(n):
    random = np.random.default_rng(0)
    seen = {tuple(deranged(n, random)) for _ in range(300)}
    assert all(place != k for order in seen for k, place in enumerate(order))
    assert len(seen) >= {2: 1, 3: 2, 7: 200}[n]
