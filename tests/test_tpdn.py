"""Tensor product decompositions: what is planted is found, and each step is exact."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from planted import draw_digits, halves, plant
from probes.errors import InputError
from probes.roles.naming import SIX, parse_scheme
from probes.roles.schemes import Bidirectional, LeftToRight, RoleScheme
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.alternating import Factors, FromMoments, FromRows
from probes.roles.tpdn.bindings import counts, number
from probes.roles.tpdn.decomposition import Decomposition
from probes.roles.tpdn.given import GivenTPDN
from probes.roles.tpdn.gradient import GradientTPDN
from probes.roles.tpdn.least_squares import FLAT, PENALTIES, Moments, fit_least_squares
from probes.roles.tpdn.lowrank import TPDN
from published_recipe import train_as_published

EMBEDDINGS = dict(enumerate(np.random.default_rng(5).standard_normal((10, 4))))
KINDS: list[Any] = [
    AdditiveTPDN(LeftToRight()),
    GivenTPDN(LeftToRight(), EMBEDDINGS),
    TPDN(LeftToRight(), 4, 3),
    TPDN(LeftToRight(), 4, 3, embeddings=EMBEDDINGS),
    GradientTPDN(LeftToRight(), 4, 3),
]


def determined(fit: Decomposition, train: Any, test: Any) -> list[int]:
    """Number the test sequences whose pairs all occur in five training sequences or more.

    Two pairs that occur once, in one sequence, are not told apart by any data.
    """
    n = Counter(pair for s in train for pair in set(zip(s, fit.scheme.roles(s), strict=True)))
    pairs = [list(zip(s, fit.scheme.roles(s), strict=True)) for s in test]
    return [k for k, own in enumerate(pairs) if all(n[pair] >= 5 for pair in own)]


@pytest.mark.parametrize("scheme", SIX, ids=lambda s: s.name)
def test_the_additive_decomposition_recovers_what_is_planted(scheme: RoleScheme) -> None:
    sequences = draw_digits(3500, 0)
    train, test = halves(sequences, plant(sequences, scheme, 0), 3000)
    fit = AdditiveTPDN(scheme, penalties=(1e-10,)).fit(*train)
    rows = determined(fit, train[0], test[0])
    assert len(rows) > 250
    assert fit.score([test[0][k] for k in rows], test[1][rows]) > 1 - 1e-8


@pytest.mark.parametrize("scheme", SIX, ids=lambda s: s.name)
def test_low_rank_recovers_what_is_planted_and_the_pairs_that_training_lacks(
    scheme: RoleScheme,
) -> None:
    sequences = draw_digits(3500, 0)
    train, test = halves(sequences, plant(sequences, scheme, 0, dims=(5, 4)), 3000)
    fit = TPDN(scheme, 5, 4, penalty=1e-12, tolerance=1e-13).fit(*train)
    errors = np.linalg.norm(fit.predict(test[0]) - test[1], axis=1)
    assert (errors <= 1e-6 * np.linalg.norm(test[1], axis=1)).all()


def test_the_additive_fit_is_the_ridge_of_scikit_learn() -> None:
    from sklearn.linear_model import Ridge

    sequences = draw_digits(400, 1)
    Z = plant(sequences, Bidirectional(), 1, r2=0.8)
    bindings, known = number(sequences, Bidirectional())
    X = counts(bindings, len(known.fillers), known.n_roles).toarray()
    ours = AdditiveTPDN(Bidirectional(), penalties=(1e-3,)).fit(sequences, Z)
    theirs = Ridge(alpha=1e-3 * len(X)).fit(X, Z)
    np.testing.assert_allclose(ours.predict(sequences), theirs.predict(X), atol=1e-8)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-8)


def test_few_sequences_and_many_pairs_give_the_same_ridge() -> None:
    from sklearn.linear_model import Ridge

    sequences = draw_digits(150, 2)
    scheme = parse_scheme("wickel")
    Z = plant(sequences, scheme, 2, r2=0.8)
    bindings, known = number(sequences, scheme)
    X = counts(bindings, len(known.fillers), known.n_roles)
    assert X.shape[1] > len(sequences)
    fit = fit_least_squares(X, Z, np.zeros(len(Z), bool), penalties=(1e-2,))
    assert fit.coef is None
    theirs = Ridge(alpha=1e-2 * len(Z)).fit(X.toarray(), Z)
    np.testing.assert_allclose(fit.predict(X), theirs.predict(X.toarray()), atol=1e-8)
    one = X[:1]
    np.testing.assert_allclose(fit.direction(one)[0], theirs.coef_ @ one.toarray()[0], atol=1e-8)


@pytest.mark.parametrize("name", ["ltr", "wickel"])
def test_layers_together_are_layers_apart(name: str) -> None:
    sequences = draw_digits(300, 3)
    scheme = parse_scheme(name)
    Z = np.stack([plant(sequences, scheme, k, r2=r2) for k, r2 in enumerate((0.3, 0.9, 1.0))])
    together = AdditiveTPDN(scheme).fit(sequences, Z)
    assert together.predict(sequences).shape == Z.shape
    assert together.binding(sequences[0][0], scheme.roles(sequences[0])[0]).shape == (3, 30)
    for k in range(3):
        apart = AdditiveTPDN(scheme, penalties=(together.penalty_[k],)).fit(sequences, Z[k])
        np.testing.assert_allclose(
            together.predict(sequences)[k], apart.predict(sequences), atol=1e-6
        )


@pytest.mark.parametrize("name", ["ltr", "wickel"])
@pytest.mark.parametrize("r2", [0.05, 0.5, 0.95])
def test_penalties_that_are_left_untried_would_have_done_no_better(name: str, r2: float) -> None:
    sequences = draw_digits(3000, 13)
    Z = plant(sequences, parse_scheme(name), 13, r2=r2)
    bindings, known = number(sequences, parse_scheme(name))
    X = counts(bindings, len(known.fillers), known.n_roles)
    held_out = np.arange(len(Z)) >= 2700
    fit = fit_least_squares(X, Z, held_out, refit=False)
    assert fit.losses[fit.penalties[0]] == min(fit.losses.values())
    for penalty in PENALTIES:
        alone = fit_least_squares(X, Z, held_out, penalties=(penalty,), refit=False)
        loss = np.mean((alone.predict(X[held_out]) - Z[held_out]) ** 2)
        assert fit.losses[fit.penalties[0]][0] <= (1 + 2 * FLAT) * loss


def test_moments_of_disjoint_rows_add() -> None:
    random = np.random.default_rng(0)
    sequences = draw_digits(100, 4)
    bindings, known = number(sequences, LeftToRight())
    X = counts(bindings, len(known.fillers), known.n_roles)
    Z = random.standard_normal((100, 3))
    whole, parts = Moments.of(X, Z), Moments.of(X[:37], Z[:37]) + Moments.of(X[37:], Z[37:])
    for name in ("n", "x", "z", "xx", "xz"):
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: type(k).__name__)
def test_a_prediction_is_the_intercept_and_the_sum_of_its_bindings(kind: Any) -> None:
    sequences = draw_digits(600, 5, shortest=2)
    Z = plant(sequences, LeftToRight(), 5, r2=0.9, width=7)
    fit = kind.fit(sequences, Z)
    sums = [fit.intercept_ + sum(fit.binding(x, i) for i, x in enumerate(s)) for s in sequences[:9]]
    np.testing.assert_allclose(fit.predict(sequences[:9]), np.stack(sums), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: type(k).__name__)
def test_an_order_that_the_scheme_does_not_see_changes_nothing(kind: Any) -> None:
    import copy

    bag = copy.copy(kind)
    bag.scheme = parse_scheme("bow")
    sequences = draw_digits(300, 6, shortest=2)
    fit = bag.fit(sequences, plant(sequences, LeftToRight(), 6))
    np.testing.assert_allclose(
        fit.predict(sequences), fit.predict([s[::-1] for s in sequences]), atol=1e-6
    )


def test_a_sum_of_schemes_has_the_vectors_of_both() -> None:
    sequences = draw_digits(2000, 7)
    both = plant(sequences, parse_scheme("ltr"), 7) + plant(sequences, parse_scheme("rtl"), 8)
    assert (
        AdditiveTPDN(parse_scheme("ltr+rtl")).fit(sequences, both).score(sequences, both) > 1 - 1e-8
    )
    assert AdditiveTPDN(parse_scheme("ltr")).fit(sequences, both).score(sequences, both) < 0.9


def test_no_sweep_raises_the_objective_and_each_step_is_a_minimum() -> None:
    sequences = draw_digits(400, 9)
    scheme = parse_scheme("wickel")
    Z = plant(sequences, scheme, 9, r2=0.7, width=5)
    fit = TPDN(scheme, 4, 6, tolerance=0.0, most_sweeps=30, restarts=2).fit(sequences, Z)
    assert len(fit.objectives_) == 31
    assert all(b <= a + 1e-12 for a, b in zip(fit.objectives_, fit.objectives_[1:], strict=False))
    bindings, known = number(sequences, scheme)
    penalty = 1e-3
    sizes = len(known.fillers), known.n_roles
    moments = Moments.of(counts(bindings, *sizes), Z)
    total = float(((Z - Z.mean(axis=0)) ** 2).sum()) / len(Z)
    of_moments = FromMoments(moments, total, *sizes, penalty)
    of_rows = FromRows(bindings, Z, *sizes, penalty)
    random = np.random.default_rng(0)
    F, R = random.standard_normal((sizes[0], 3)), random.standard_normal((sizes[1], 2))
    (W, value), (again, other) = (p.solve_weights(F, R) for p in (of_moments, of_rows))
    np.testing.assert_allclose(W, again, atol=1e-8)
    assert value == pytest.approx(other) == pytest.approx(objective(bindings, Z, F, R, W, penalty))
    at = Factors(F, R, W)
    for solve, place in (("solve_fillers", 0), ("solve_roles", 1)):
        found, cg = (getattr(p, solve)(at) for p in (of_moments, of_rows))
        np.testing.assert_allclose(found, cg, atol=1e-6)
        parts = [F, R]
        for step in (0.0, 1e-3, -1e-3):
            parts[place] = found + step * random.standard_normal(found.shape)
            moved = objective(bindings, Z, *parts, W, penalty)
            if step == 0.0:
                least = moved
            assert least <= moved


def objective(bindings: Any, Z: Any, F: Any, R: Any, W: Any, penalty: float) -> float:
    """Sum it up from what it says, item by item."""
    table = np.einsum("fa,rc,acw->frw", F, R, W)
    sums = np.zeros_like(Z)
    for sequence, filler, role in zip(*bindings.triples, strict=True):
        sums[sequence] += table[filler, role]
    residuals = Z - Z.mean(axis=0) - (sums - sums.mean(axis=0))
    return float((residuals**2).sum() / len(Z) + penalty * (table**2).sum())


def test_a_large_vocabulary_is_fitted_from_the_sequences() -> None:
    random = np.random.default_rng(1)
    sequences = [tuple(int(x) for x in random.integers(0, 450, 10)) for _ in range(1200)]
    vectors, W = random.standard_normal((450, 2)), random.standard_normal((2, 10, 8))
    Z = np.stack([sum(vectors[x] @ W[:, i] for i, x in enumerate(s)) for s in sequences])
    fit = TPDN(LeftToRight(), 2, 9, tolerance=1e-5).fit(sequences, Z)  # 4,500 pairs
    assert fit.penalty_ == 1e-6
    assert fit.score(sequences, Z) > 0.99
    whole = TPDN(LeftToRight(), 2, 10, tolerance=1e-9).fit(sequences, Z)
    assert whole.score(sequences, Z) > 1 - 1e-6


@pytest.mark.parametrize("name", ["wickel", "ltr+rtl"])
@pytest.mark.parametrize("embeddings", [None, EMBEDDINGS], ids=["free", "given"])
def test_no_sweep_over_the_sequences_raises_the_objective(
    name: str, embeddings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.roles.tpdn.lowrank.MOST_PAIRS", 0)
    sequences = draw_digits(400, 9)
    Z = plant(sequences, LeftToRight(), 9, r2=0.7, width=5)
    settings = {"penalty": 1e-3, "tolerance": 0.0, "most_sweeps": 30}
    fit = TPDN(parse_scheme(name), 3, 6, embeddings=embeddings, **settings).fit(sequences, Z)
    steps = np.diff(fit.objectives_)
    assert len(steps) == 30 and (steps <= 1e-12).all()


def test_given_fillers_answer_for_words_that_training_lacks() -> None:
    random = np.random.default_rng(2)
    sequences = draw_digits(1500, 10)
    maps = random.standard_normal((6, 4, 8))
    Z = np.stack([sum(EMBEDDINGS[x] @ maps[i] for i, x in enumerate(s)) for s in sequences])
    known = [k for k, s in enumerate(sequences) if 7 not in s]
    other = [k for k, s in enumerate(sequences) if 7 in s]
    train = [sequences[k] for k in known], Z[known]
    test = [sequences[k] for k in other], Z[other]
    given = GivenTPDN(LeftToRight(), EMBEDDINGS).fit(*train)
    assert given.score(*test) > 1 - 1e-8
    assert given.unseen(test[0]).fillers > 0.15
    assert AdditiveTPDN(LeftToRight()).fit(*train).score(*test) < 0.9
    fixed = TPDN(LeftToRight(), 5, 6, embeddings=EMBEDDINGS).fit(*train)
    assert fixed.score(train[0], train[1]) > 1 - 1e-6


def test_what_training_lacks_is_counted() -> None:
    fit = AdditiveTPDN(LeftToRight()).fit([(1, 2), (2, 1), (1, 1)], np.eye(3))
    shares = fit.unseen([(1, 2), (2, 2, 3)])
    assert (shares.fillers, shares.roles, shares.pairs, shares.n) == (0.2, 0.2, 0.2, 5)
    fit = AdditiveTPDN(LeftToRight()).fit([(1, 2), (1, 1)], np.eye(2))
    assert fit.unseen([(2, 1)]).pairs == 0.5
    with pytest.raises(InputError, match="did not occur in this role"):
        fit.binding(2, 0)
    with pytest.raises(InputError, match="role 5 does not occur"):
        fit.binding(2, 5)


def test_the_published_recipe_reaches_what_is_planted() -> None:
    sequences = draw_digits(9_000, 11, shortest=2)
    Z = plant(sequences, LeftToRight(), 11, dims=(3, 3), width=6)
    train, test = halves(sequences, Z, 8_200)
    fit = GradientTPDN(LeftToRight(), 6, 6).fit(*train)
    assert fit.score(*test) > 0.95
    assert fit.dev_losses_[-1] <= 0.1 * fit.dev_losses_[0]
    again = GradientTPDN(LeftToRight(), 6, 6).fit(*train)
    np.testing.assert_array_equal(fit.predict(test[0]), again.predict(test[0]))


@pytest.mark.parametrize("scheme", [LeftToRight(), Bidirectional()], ids=lambda s: s.name)
def test_the_fast_form_of_the_recipe_makes_the_published_updates(
    scheme: RoleScheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequences = draw_digits(4_000, 13)
    train, dev = halves(sequences, plant(sequences, scheme, 13, dims=(4, 4), width=6), 3_700)
    monkeypatch.setattr("probes.roles.tpdn.gradient.MOST_EPOCHS", 8)
    fast = GradientTPDN(scheme, 5, 4).fit(*train, dev=dev)
    plain = train_as_published(scheme, train, dev, (5, 4), most_epochs=8)
    assert fast.n_epochs_ == plain.n_epochs
    np.testing.assert_allclose(fast.dev_losses_, plain.dev_losses, rtol=1e-4)
    last = plain.net.last.weight.detach().numpy()
    np.testing.assert_allclose(fast.weights_.T, last, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: type(k).__name__)
def test_encodings_that_do_not_fit_are_refused(kind: Any) -> None:
    sequences = draw_digits(20, 12)
    with pytest.raises(InputError, match="for 20 sequences"):
        kind.fit(sequences, np.zeros((19, 4)))
    bad = np.zeros((20, 4))
    bad[7, 2] = np.nan
    with pytest.raises(InputError, match="encoding of sequence 7"):
        kind.fit(sequences, bad)
