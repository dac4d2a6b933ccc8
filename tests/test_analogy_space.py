"""Spaces of word vectors: transforms are laws."""

import numpy as np
import pytest

from probes.analogy.space import (
    SPACES,
    all_but_the_top,
    anisotropy,
    centred,
    unit,
    whitened,
    without_leading,
)
from probes.errors import InputError
from vector_files import matrix


def skewed(n=300, width=12, seed=1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, width)) * np.geomspace(10, 0.1, width) + rng.normal(size=width) * 5
    return X.astype(np.float32)


def rotation(width: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(2).normal(size=(width, width)))[0]


def cosines(X: np.ndarray) -> np.ndarray:
    U = unit(X).astype(np.float64)
    return U @ U.T


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_rotating_all_vectors_changes_no_cosine(space) -> None:
    X = skewed()
    turned = (X.astype(np.float64) @ rotation(X.shape[1])).astype(np.float32)
    np.testing.assert_allclose(cosines(space(turned)), cosines(space(X)), atol=2e-4)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_space_leaves_its_vectors_alone_and_keeps_shape_and_type(space) -> None:
    X = skewed()
    before = X.copy()
    Y = space(X)
    assert Y.shape == X.shape
    assert Y.dtype == np.float32
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_space_is_that_of_the_rows_it_is_fitted_on(space, monkeypatch) -> None:
    X = skewed()
    np.testing.assert_array_equal(space(X, X), space(X))
    np.testing.assert_allclose(space(X[:50], X), space(X)[:50], rtol=1e-6)
    whole = space(X)
    monkeypatch.setattr("probes.analogy.vectors.BLOCK", 7)
    np.testing.assert_allclose(space(X), whole, atol=1e-4)


@pytest.mark.parametrize("space", [centred, all_but_the_top, whitened])
def test_moving_all_vectors_changes_nothing_once_they_are_centred(space) -> None:
    X = skewed()
    np.testing.assert_allclose(space(X).mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(space(X + np.float32(3)), space(X), atol=5e-4)


@pytest.mark.parametrize("k", [0, 1, 3, 12])
def test_leading_components_leave_none_of_their_variance(k) -> None:
    X = skewed()
    variances, directions = np.linalg.eigh(np.cov(X.T.astype(np.float64), bias=True))
    left = np.cov(without_leading(X, k).T.astype(np.float64), bias=True)
    along = np.diag(directions.T @ left @ directions)
    np.testing.assert_allclose(along[12 - k :], 0, atol=1e-9)
    np.testing.assert_allclose(along[: 12 - k], variances[: 12 - k], rtol=1e-5)


def test_as_many_components_are_removed_as_advised() -> None:
    for width, k in ((5, 1), (100, 1), (199, 1), (200, 2), (300, 3)):
        X = matrix(320, width)
        np.testing.assert_array_equal(all_but_the_top(X), without_leading(X, k))
    with pytest.raises(InputError, match="6 leading components of vectors of width 5"):
        without_leading(matrix(9, 5), 6)
    with pytest.raises(InputError, match="the mean of no vectors"):
        centred(matrix(0))


def test_whitened_vectors_have_the_identity_as_their_covariance() -> None:
    Y = whitened(skewed()).astype(np.float64)
    np.testing.assert_allclose(np.cov(Y.T, bias=True), np.eye(Y.shape[1]), atol=1e-5)


def test_whitening_removes_directions_without_variance_rather_than_blow_them_up() -> None:
    base = skewed(width=4)
    mixing = np.random.default_rng(3).normal(size=(4, 12))
    X = (base.astype(np.float64) @ mixing).astype(np.float32)  # of rank 4, but for rounding
    C = np.cov(whitened(X).T.astype(np.float64), bias=True)
    np.testing.assert_allclose(np.sort(np.linalg.eigvalsh(C)), [0] * 8 + [1] * 4, atol=1e-4)
    constant = np.full((9, 3), 0.1, dtype=np.float32)
    np.testing.assert_array_equal(whitened(constant), 0)
    few = whitened(skewed(n=5))  # five points span four directions
    assert np.linalg.matrix_rank(few.astype(np.float64), tol=1e-3) == 4


def test_unit_rows_have_length_one_and_zero_stays_zero() -> None:
    X = skewed()
    X[3] = 0
    X[4] *= 1e-30
    X[5] *= 1e30
    lengths = np.linalg.norm(unit(X).astype(np.float64), axis=1)
    np.testing.assert_allclose(np.delete(lengths, 3), 1, rtol=1e-6)
    assert lengths[3] == 0


def test_anisotropy_is_the_mean_cosine_of_all_pairs() -> None:
    X = skewed()
    C = cosines(X)
    assert anisotropy(X) == pytest.approx(C[~np.eye(len(X), dtype=bool)].mean(), abs=1e-6)
    with_zeros = np.vstack([X, np.zeros((4, X.shape[1]), np.float32)])
    assert anisotropy(with_zeros) == anisotropy(X)
    assert anisotropy(np.ones((5, 3), np.float32)) == pytest.approx(1)
    assert anisotropy(np.float32([[1, 0], [-1, 0]])) == pytest.approx(-1)
    with pytest.raises(InputError, match="anisotropy of 1 vectors that are not zero"):
        anisotropy(np.float32([[1, 0], [0, 0]]))


def test_centring_makes_vectors_less_anisotropic() -> None:
    X = skewed() + np.float32(20)
    assert anisotropy(X) > 0.8
    assert abs(anisotropy(centred(X))) < 0.02
