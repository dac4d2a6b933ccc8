"""Pictures of relations: what a plane shows is there, and what it loses is said."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.decomposition import PCA, TruncatedSVD

from probes.analogy.offsets import deranged
from probes.analogy.pictures import COLUMNS, drawn, picture
from probes.analogy.solve import Space
from tests.test_analogy_job import N, made, set_of


def pairs(n: int = 9, width: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    sources = random.normal(size=(n, width))
    return sources, sources + random.normal(size=width) + 0.3 * random.normal(size=(n, width))


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=2)


@pytest.mark.parametrize("seed", range(5))
def test_turning_and_mirroring_the_space_changes_no_picture(seed: int) -> None:
    S, T = pairs(seed=seed)
    Q = ortho_group.rvs(S.shape[1], random_state=seed) * (-1) ** seed
    own, turned = picture(S, T), picture(S @ Q, T @ Q)
    for name in ("sources", "targets", "offsets", "shuffled"):
        assert getattr(turned, name) == pytest.approx(getattr(own, name), abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_where_the_mean_offset_vanishes_turning_and_mirroring_change_no_picture_either(
    seed,
) -> None:
    """Pairs (a, b) and (b, a), as of antonyms: rounding alone would choose the ends of axes."""
    A, B = pairs(n=6, seed=seed)
    S, T = np.concatenate([A, B]), np.concatenate([B, A])
    Q = ortho_group.rvs(S.shape[1], random_state=seed) * (-1) ** seed
    own, turned = picture(S, T), picture(S @ Q, T @ Q)
    for name in ("sources", "targets", "offsets", "shuffled"):
        assert getattr(turned, name) == pytest.approx(getattr(own, name), abs=1e-9)
    assert (own.sources[0] > 0).all() and (own.offsets[0] > 0).all()


def test_of_one_vector_alone_there_is_a_picture() -> None:
    own = picture(np.ones((5, 3)), np.ones((5, 3)))
    assert not own.sources.any() and not own.offsets.any() and own.words_share == 1


def test_what_lies_in_a_plane_is_drawn_as_it_is() -> None:
    S, T = pairs(width=2)
    Q = ortho_group.rvs(30, random_state=0)[:2]
    own = picture(S @ Q, T @ Q)
    assert (own.words_share, own.offsets_share) == pytest.approx((1.0, 1.0))
    words = np.concatenate([own.sources, own.targets])
    assert distances(words) == pytest.approx(distances(np.concatenate([S, T])))
    assert distances(own.offsets) == pytest.approx(distances(T - S))
    assert np.linalg.norm(own.offsets, axis=1) == pytest.approx(np.linalg.norm(T - S, axis=1))


def test_planes_and_what_they_hold_are_those_of_an_independent_library() -> None:
    S, T = pairs(width=40)
    own = picture(S, T, seed=3)
    words = PCA(2).fit(np.concatenate([S, T]))
    assert own.words_share == pytest.approx(words.explained_variance_ratio_.sum())
    assert np.abs(own.sources) == pytest.approx(np.abs(words.transform(S)))
    wrong = T[deranged(len(S), np.random.default_rng(3))] - S
    both = np.concatenate([T - S, wrong])
    fan = TruncatedSVD(2, algorithm="arpack", random_state=0).fit(both)
    assert own.offsets_share == pytest.approx((fan.singular_values_**2).sum() / (both**2).sum())
    assert np.abs(own.shuffled) == pytest.approx(np.abs(fan.transform(wrong)))


def test_offsets_that_are_one_vector_are_drawn_on_one_another_to_the_right() -> None:
    S, _ = pairs()
    own = picture(S, S + np.arange(S.shape[1]))
    assert np.ptp(own.offsets, axis=0) == pytest.approx(0.0, abs=1e-9)
    assert (own.offsets[:, 0] > 0).all()
    assert own.shuffled.mean(axis=0) == pytest.approx(own.offsets[0], abs=1e-9)
    assert np.ptp(own.shuffled, axis=0).min() > 0.1


def test_pictures_are_drawn_of_relations_with_enough_known_pairs_and_name_their_words() -> None:
    from probes.analogy.ask import ask
    from probes.analogy.vectors import checked

    words, X = made()
    kept = [k for k, word in enumerate(words) if word not in {f"s{k}x" for k in range(N - 4)}]
    vectors = checked(tuple(words[k] for k in kept), X[kept], name="made")
    rows = list(
        drawn(Space(vectors.X), ask(set_of("r", "s"), vectors), 0, layer="1", how="", space="as-is")
    )
    assert [row["source"] for row in rows] == [f"r{k}" for k in range(N)]  # of s, four are known
    assert all(row["target"] == f"{row['source']}x" for row in rows)
    assert all(tuple(row) == COLUMNS for row in rows)
