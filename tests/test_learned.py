"""Learned roles: planted ones are found, and what is learned is a decomposition like any other."""

import dataclasses

import numpy as np
import pytest
import torch

from probes.errors import InputError
from probes.roles.learned.assigner import Assigner, bind, pad, snap
from probes.roles.learned.exchange import exchanges, tie, unite_alike
from probes.roles.learned.learner import RoleLearner
from probes.roles.learned.projected import Projected
from probes.roles.learned.regularised import Regularised, penalties
from probes.roles.learned.tied import Tied
from probes.roles.naming import parse_scheme
from probes.roles.schemes import BagOfWords, LeftToRight, RightToLeft
from probes.roles.tpdn.additive import AdditiveTPDN

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = Projected(n_steps=300, n_distilled=150)


def planted(scheme, n=900, n_fillers=6, longest=4, width=40, seed=0):
    """Different sequences, and the sums of tensor products of random fillers and roles."""
    draw = np.random.default_rng(seed)
    sequences = list(
        {
            tuple(draw.integers(n_fillers, size=draw.integers(1, longest + 1)).tolist())
            for _ in range(n)
        }
    )
    labels = [scheme.roles(s) for s in sequences]
    numbers = {role: k for k, role in enumerate({r: None for ls in labels for r in ls})}
    F, R = draw.normal(size=(n_fillers, 12)), draw.normal(size=(len(numbers), 12))
    W = draw.normal(size=(144, width))
    Z = np.stack(
        [
            sum(np.outer(F[f], R[numbers[r]]).ravel() for f, r in zip(s, ls, strict=True)) @ W
            for s, ls in zip(sequences, labels, strict=True)
        ]
    )
    return sequences, Z.astype(np.float32) + 3


@pytest.fixture(scope="module")
def from_the_right():
    sequences, Z = planted(RightToLeft())
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe = dataclasses.replace(QUICK, n_distilled=600)
    learner = RoleLearner(n_roles=7, recipe=recipe).fit(sequences[100:], Z[100:])
    torch.set_num_threads(n_threads)
    return learner, sequences[:100], Z[:100]


def test_planted_roles_are_found_and_no_more_than_there_are(from_the_right):
    learner, sequences, Z = from_the_right
    assert learner.n_roles_ == 4
    assert learner.v_measure(sequences, RightToLeft()) > 0.95
    assert learner.v_measure(sequences, LeftToRight()) < 0.9
    assert learner.score(sequences, Z) > 0.95
    assert AdditiveTPDN(learner.scheme).fit(sequences, Z).score(sequences, Z) > 1 - 1e-8


def test_roles_of_one_length_and_place_are_found():
    sequences, Z = planted(parse_scheme("bi"), longest=3, seed=1)
    learner = RoleLearner(n_roles=8, recipe=QUICK).fit(sequences, Z)
    assert learner.v_measure(sequences, parse_scheme("bi")) > 0.95


def test_without_the_future_places_from_the_right_are_not_found():
    sequences, Z = planted(RightToLeft())
    one_way = dataclasses.replace(QUICK, n_steps=150, bidirectional=False)
    learner = RoleLearner(n_roles=7, recipe=one_way).fit(sequences, Z)
    assert learner.v_measure(sequences, RightToLeft()) < 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ltr", "rtl", "bi"])
@pytest.mark.parametrize("seed", range(3))
def test_planted_roles_of_ten_fillers_and_six_places_are_found(name, seed):
    scheme = parse_scheme(name)
    sequences, Z = planted(scheme, 4000, n_fillers=10, longest=6, width=64, seed=seed)
    learner = RoleLearner(n_roles=25, random_state=seed).fit(sequences[500:], Z[500:])
    assert learner.v_measure(sequences[:500], scheme) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_planted_roles_of_a_tree_over_digits_are_found(seed):
    scheme = parse_scheme("tree")
    sequences, Z = planted(scheme, 50_000, n_fillers=10, longest=6, width=64, seed=seed)
    learner = RoleLearner(n_roles=70, recipe=Tied(), random_state=seed)
    learner.fit(sequences[500:], Z[500:])
    assert learner.v_measure(sequences[:500], scheme) > 0.95


def test_names_that_were_permuted_for_each_filler_are_tied():
    sequences = [(a, b, c) for a in range(4) for b in range(4) for c in range(4)]
    data = pad(sequences, {k: k for k in range(4)})
    names = torch.tensor([[0, 1, 2], [2, 0, 1], [1, 2, 0], [0, 2, 1]])

    def read(part):
        return names[part.items, torch.arange(3).expand(part.items.shape)]

    tied = tie(exchanges(read, data, 4, 3), 4).view(4, 3)
    found = tied[data.items, read(data)]
    assert all(len(found[:, place].unique()) == 1 for place in range(3))
    assert len(found.unique()) == 3


def test_roles_of_a_filler_are_united_where_they_add_the_same():
    draw = torch.Generator().manual_seed(0)
    bindings = torch.randn(2, 3, 8, generator=draw)
    bindings[1, 2] = bindings[1, 0] + 1e-3
    sizes = torch.full((2, 3), 0.1)
    assert unite_alike(bindings, sizes, 1e-3).tolist() == [[0, 1, 2], [0, 1, 0]]
    assert unite_alike(bindings, sizes, 0.0).tolist() == [[0, 1, 2], [0, 1, 2]]


def test_tied_roles_are_a_decomposition_with_no_role_that_no_item_has():
    sequences, Z = planted(RightToLeft(), n=300)
    quick = Tied(n_rounds=1, n_steps=30, n_again=30, n_distilled=30, n_exchanged=50)
    learner = RoleLearner(n_roles=8, recipe=quick).fit(sequences, Z, dev=(sequences, Z))
    found = {role for labels in learner.roles(sequences) for role in labels}
    assert found == set(range(learner.n_roles_))
    assert learner.mse_dev_ == pytest.approx(learner.mse(sequences, Z, snapped=True), rel=1e-3)
    with pytest.raises(InputError, match="6 fillers with 1000 roles; names are tied for up to"):
        RoleLearner(n_roles=1000, recipe=Tied()).fit(sequences, Z)


@pytest.mark.slow
def test_the_recipe_of_the_paper_finds_places():
    sequences, Z = planted(LeftToRight(), 4000, n_fillers=10, longest=6, width=64)
    recipe = Regularised(batch=64, burn_in=10, ramp=10)
    learner = RoleLearner(n_roles=6, recipe=recipe).fit(sequences[500:], Z[500:])
    assert learner.v_measure(sequences[:500], LeftToRight()) > 0.9


def test_learned_roles_are_a_scheme_that_can_be_refitted(from_the_right):
    learner, sequences, Z = from_the_right
    labels = [learner.scheme.roles(s) for s in sequences]
    assert labels == learner.roles(sequences)
    refitted = AdditiveTPDN(learner.scheme).fit(sequences, Z)
    assert refitted.score(sequences, Z) > 0.99
    assert learner.v_measure(sequences, learner.scheme) == pytest.approx(1)
    assert learner.v_measure(sequences, BagOfWords()) == 0


def test_a_snapped_prediction_is_the_sum_of_the_bindings(from_the_right):
    learner, sequences, _ = from_the_right
    sums = [
        learner.intercept_ + sum(learner.binding(f, r) for f, r in zip(s, roles, strict=True))
        for s, roles in zip(sequences, learner.roles(sequences), strict=True)
    ]
    np.testing.assert_allclose(learner.predict(sequences, snapped=True), sums, rtol=1e-3, atol=1e-3)


def test_an_unknown_filler_adds_nothing(from_the_right):
    learner, _, _ = from_the_right
    np.testing.assert_allclose(
        learner.predict([("never seen",)]), learner.intercept_[None], rtol=1e-5
    )


def test_roles_do_not_depend_on_the_other_sequences(from_the_right):
    learner, sequences, _ = from_the_right
    together = learner.roles(sequences[:20])
    assert together == [learner.roles([s])[0] for s in sequences[:20]]


def test_the_same_seed_learns_the_same_and_leaves_torch_as_it_was():
    sequences, Z = planted(LeftToRight(), n=200)
    quick = Projected(n_steps=20, n_distilled=20, n_refined=5)
    before = torch.get_rng_state()
    first, second = (
        RoleLearner(6, recipe=quick, random_state=3).fit(sequences, Z).predict(sequences)
        for _ in range(2)
    )
    assert np.array_equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


def test_of_several_starts_the_best_on_dev_is_kept():
    sequences, Z = planted(LeftToRight(), n=200)
    quick = Projected(n_steps=10, n_distilled=10, n_refined=1)
    dev = sequences[:50], Z[:50]
    one, other, both = (
        RoleLearner(6, recipe=quick, n_restarts=n, random_state=seed)
        .fit(sequences[50:], Z[50:], dev)
        .mse_dev_
        for n, seed in ((1, 0), (1, 1), (2, 0))
    )
    assert one != other
    assert both == min(one, other)


@pytest.mark.parametrize("recipe", [Projected(), Regularised(n_epochs=2, burn_in=0, ramp=0)])
def test_learned_and_given_embeddings_of_fillers_decompose_alike(recipe):
    sequences, Z = planted(LeftToRight(), n=200)
    if isinstance(recipe, Projected):
        recipe = dataclasses.replace(recipe, n_steps=20, n_distilled=20, n_refined=5)
    Z += np.random.default_rng(0).normal(size=Z.shape).astype(np.float32)
    given = {filler: np.eye(6)[filler] for filler in range(6)}
    for learner in (
        RoleLearner(4, embeddings=given, recipe=recipe),
        RoleLearner(4, filler_dim=3, recipe=recipe),
    ):
        learner.fit(sequences, Z, dev=(sequences, Z))
        assert learner.predict(sequences).shape == Z.shape
        assert learner.mse_dev_ == pytest.approx(learner.mse(sequences, Z, snapped=True), rel=1e-3)


@pytest.mark.parametrize("sees_item", [True, False])
def test_an_item_decides_its_own_role_only_where_it_may(sees_item):
    torch.manual_seed(0)
    assigner = Assigner(9, 4, 8, 8, sees_item=sees_item)
    numbers = {k: k for k in range(9)}
    one, other = (assigner.attention(pad([s], numbers))[0] for s in ((1, 2, 3), (1, 7, 3)))
    assert torch.equal(one[1], other[1]) != sees_item
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[2], other[2])


def test_padding_binds_nothing_and_changes_no_role():
    torch.manual_seed(0)
    assigner = Assigner(3, 4, 8, 8)
    numbers = {k: k for k in range(3)}
    alone, beside = pad([(0, 1)], numbers), pad([(0, 1), (2, 2, 1, 0, 1)], numbers)
    a, b = assigner.attention(alone), assigner.attention(beside)
    torch.testing.assert_close(a[0], b[0, :2])
    assert not b[0, 2:].any() and not snap(b)[0, 2:].any()
    torch.testing.assert_close(snap(b).sum(-1), beside.mask.float())
    eye = torch.eye(4, 3)
    torch.testing.assert_close(bind(eye, alone, a)[0], bind(eye, beside, b)[0])


def test_regularisers_are_lowest_where_roles_are_one_hot_and_unique():
    one_hot = torch.eye(3)[None]
    torch.testing.assert_close(penalties(one_hot), torch.tensor([0.0, -3.0, 0.0]))
    mixed = torch.full((1, 3, 3), 1 / 3)
    torch.testing.assert_close(penalties(mixed), torch.tensor([2.0, -1.0, 0.0]))
    twice = torch.eye(3)[[0, 0, 1]][None]
    torch.testing.assert_close(penalties(twice), torch.tensor([0.0, -3.0, 4.0]))


def test_bad_input_is_named(from_the_right):
    learner, sequences, Z = from_the_right
    with pytest.raises(InputError, match=r"for 3 sequences; expected \(n, width\)"):
        RoleLearner().fit(sequences[:3], Z[:2])
    with pytest.raises(InputError, match="encoding of sequence 1 holds NaN"):
        RoleLearner().fit(sequences[:3], np.array([[1.0], [np.nan], [2.0]]))
    with pytest.raises(InputError, match=r"shape \(1, 3, 2\); roles are learned from"):
        RoleLearner().fit(sequences[:3], np.zeros((1, 3, 2)))
    with pytest.raises(InputError, match="dev has 2 dimensions, training 1"):
        RoleLearner().fit(sequences[:3], np.zeros((3, 1)), dev=(sequences[:2], np.zeros((2, 2))))
    with pytest.raises(InputError, match="2 sequences or more"):
        RoleLearner().fit(sequences[:1], Z[:1])
    with pytest.raises(InputError, match="no embedding of 4 and 0 other"):
        RoleLearner(embeddings={k: np.ones(2) for k in range(4)}).fit([(0, 4), (4, 0)], Z[:2])
    with pytest.raises(InputError, match="unknown filler '9'"):
        learner.binding(9, 0)
    with pytest.raises(InputError, match=r"learned roles are 0 … 3"):
        learner.binding(1, 4)
