"""Answers to role-diagnostic analogies: planted encoders, equal vectors, ties, and plain loops."""

import numpy as np
import pytest

from probes.analogy.solve import Space
from probes.analogy.words import Cosines
from probes.errors import InputError
from probes.roles.analogies.alike import number_vectors
from probes.roles.analogies.answers import METHODS, Posed, answer
from probes.roles.analogies.draw import Analogy, digit_analogies, sentence_analogies
from probes.roles.analogies.nearest import Nearest
from probes.roles.analogies.solve import evaluate
from probes.roles.digits.networks import load_published
from probes.roles.naming import parse_scheme

KINDS = ("ltr", "rtl", "bi", "ambiguous")


def one_hot(*schemes):
    """Sum one-hot bindings of sequences under each scheme, beside each other, exactly."""
    schemes = [parse_scheme(name) for name in schemes]

    def encode(sequences):
        bound = [
            [(k, *pair) for k, scheme in enumerate(schemes) for pair in zip(s, scheme.roles(s))]  # noqa: B905
            for s in sequences
        ]
        place = {key: k for k, key in enumerate(sorted({key for keys in bound for key in keys}))}
        E = np.zeros((len(sequences), len(place)))
        for row, keys in zip(E, bound, strict=True):
            np.add.at(row, [place[key] for key in keys], 1)
        return E

    return encode


def noise(sequences):
    return np.random.default_rng(len(sequences)).normal(size=(len(sequences), 12))


def solved(encode, kind, methods=METHODS, n=150, candidates=(), seed=0):
    analogies = digit_analogies(kind, n)
    (outcome,) = evaluate(encode, None, analogies, candidates, methods=methods, seed=seed)
    return outcome, {one.method: one for one in outcome.answered}


def columns(one):
    return [one.right, one.honest, *one.on.values(), one.tied, one.rival, one.rival_honest]


@pytest.mark.parametrize("draw", [digit_analogies, sentence_analogies], ids=["digits", "sentences"])
@pytest.mark.parametrize("scheme", ["ltr", "rtl"])
def test_an_exact_sum_of_bindings_answers_by_its_own_scheme(scheme, draw):
    analogies = [it for kind in KINDS for it in draw(kind, 100)]
    for outcome in evaluate(one_hot(scheme), None, analogies, methods=METHODS):
        for one in outcome.answered:
            if outcome.kind in (scheme, "bi"):
                assert one.right.all() and one.honest.all() and not one.tied.any(), one.method
            elif outcome.kind == "ambiguous":
                given = (one.right, one.rival) if scheme == "ltr" else (one.rival, one.right)
                assert given[0].all() and not given[1].any(), one.method
            else:
                assert one.right.mean() < 0.3
        if outcome.kind == "ambiguous":
            cosines = (outcome.cosine, outcome.cosine_rival)
            own, other = cosines if scheme == "ltr" else cosines[::-1]
            assert np.all(own > 1 - 1e-9) and np.all(other < 1 - 1e-3)
            assert np.all(outcome.apart > 0.1)


def test_a_bag_of_words_obeys_ltr_and_rtl_alike_and_gives_both_answers_of_the_ambiguous():
    for kind in KINDS:
        outcome, found = solved(one_hot("bow"), kind)
        assert outcome.n_vectors < outcome.n_sequences
        np.testing.assert_allclose(outcome.cosine, 1)
        assert found["nearest"].right.all() and found["nearest"].honest.all()
        assert not found["nearest"].tied.any()
        if kind == "ambiguous":
            assert found["nearest"].rival.all() and found["nearest"].rival_honest.all()
            assert not outcome.apart.any()
            np.testing.assert_array_equal(outcome.cosine, outcome.cosine_rival)


@pytest.mark.parametrize("encode", [one_hot("ltr"), one_hot("bow"), noise])
@pytest.mark.parametrize("kind", ["ltr", "ambiguous"])
def test_rotation_and_scale_change_nothing(encode, kind):
    def changed(sequences):
        E = encode(sequences)
        return 1e-4 * E @ np.linalg.qr(np.random.default_rng(1).normal(size=[E.shape[1]] * 2))[0]

    (one, by), (other, by_other) = solved(encode, kind), solved(changed, kind)
    assert (one.n_sequences, one.n_vectors) == (other.n_sequences, other.n_vectors)
    np.testing.assert_allclose(one.cosine, other.cosine, atol=1e-9)
    if kind == "ambiguous":
        np.testing.assert_allclose(one.cosine_rival, other.cosine_rival, atol=1e-9)
        np.testing.assert_allclose(one.apart, other.apart, atol=1e-9)
    for method in METHODS:
        for a, b in zip(columns(by[method]), columns(by_other[method]), strict=True):
            np.testing.assert_array_equal(a, b, method)


def ranks(E, answers, d, given):
    """Places of D by distance, among all and among those that are not given, by a plain loop."""
    found = []
    for target, right, left_out in zip(answers, d, given, strict=True):
        distances = ((E - target) ** 2).sum(axis=1)
        nearer = distances <= distances[right]
        others = np.delete(nearer, [k for k in left_out if k != right])
        found.append((int(nearer.sum()), int(others.sum())))
    return np.array(found).T


@pytest.mark.parametrize("of", ["noise", "network"])
@pytest.mark.parametrize("kind", KINDS)
def test_nearest_answers_what_is_of_the_first_rank_by_distance(of, kind, request):
    encode = noise
    if of == "network":
        encode = load_published(request.getfixturevalue("data") / "tpdn").encode
    analogies = digit_analogies(kind, 200)
    sequences = list(
        dict.fromkeys(s for it in analogies for s in (it.a, it.b, it.c, it.d, it.rival))
    )
    sequences = [s for s in sequences if s is not None]
    E = np.asarray(encode(sequences), np.float64)
    table = dict(zip(sequences, E, strict=True))
    place = {s: k for k, s in enumerate(sequences)}
    given = np.array([[place[it.a], place[it.b], place[it.c]] for it in analogies])
    answers = E[given[:, 2]] - E[given[:, 0]] + E[given[:, 1]]
    (outcome,) = evaluate(
        lambda asked: np.array([table[s] for s in asked]), None, analogies, methods=("nearest",)
    )
    (one,) = outcome.answered
    rank, of_others = ranks(E, answers, [place[it.d] for it in analogies], given)
    np.testing.assert_array_equal(one.honest, rank == 1)
    np.testing.assert_array_equal(one.right, of_others == 1)
    if kind == "ambiguous":
        rank, of_others = ranks(E, answers, [place[it.rival] for it in analogies], given)
        np.testing.assert_array_equal(one.rival_honest, rank == 1)
        np.testing.assert_array_equal(one.rival, of_others == 1)
    if of == "network" and kind != "rtl":
        assert one.honest.any() and not one.honest.all()


@pytest.mark.parametrize("spread", [1, 1e-3])
def test_scores_of_nearest_are_as_exact_in_tiles_as_it_says(spread):
    rng = np.random.default_rng(0)
    X = (spread * rng.normal(size=(200, 20)) + rng.normal(size=20)) * rng.uniform(0, 1, (200, 1))
    X[7] = 0
    score = Nearest(Cosines(Space(X), rng.integers(0, 200, (40, 3))))
    score.begin(0, 200)
    for rows in score.groups:
        question = np.repeat(np.arange(rows.start, rows.stop), 200)
        word = np.tile(np.arange(200), rows.stop - rows.start)
        squares = np.square(score.exact(question, word)).reshape(-1, 200)
        constant = score.tile(rows).numpy() + squares
        spread_of = constant.max(axis=1) - constant.min(axis=1)
        assert spread_of.max() <= score.tolerance


@pytest.mark.parametrize("method", METHODS)
def test_another_sequence_of_the_same_vector_changes_no_answer(method):
    """Anagrams of all sequences: among a bag of words' vectors, none is new."""
    analogies = digit_analogies("ambiguous", 100)
    more = [tuple(reversed(s)) for it in analogies for s in (it.a, it.b, it.c, it.d)]
    _, alone = solved(one_hot("bow"), "ambiguous", (method,), 100)
    outcome, among = solved(one_hot("bow"), "ambiguous", (method,), 100, more)
    assert outcome.n_sequences > outcome.n_vectors
    for a, b in zip(columns(alone[method])[1:5], columns(among[method])[1:5], strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_left_out_are_sequences_and_not_their_vectors():
    """D has C's vector: it is the answer, though C is left out; where D is C there is none."""
    E = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1], [-1, -1]])
    vectors, given = np.array([0, 0, 1, 1, 2]), np.array([[0, 1, 2]])
    for method in METHODS:
        (one,) = answer(Posed(E, vectors, given, np.array([3])), [method])
        if method != "PairDirection":  # without an offset all are equal
            assert one.right.all() and one.honest.all() and one.on["b"].all(), method
            assert not one.on["a"].any() and not one.tied.any()
    alone = np.array([0, 1, 3, 4])
    posed = Posed(E[alone], np.array([0, 0, 1, 2]), given, np.array([2]))
    (one,) = answer(posed, ["nearest"])
    assert not one.right.any() and one.honest.all()
    (one,) = answer(Posed(np.eye(3), np.arange(3), given, np.array([2])), ["nearest"])
    assert not one.right.any()


def test_different_vectors_that_are_equally_near_are_chosen_by_chance_and_counted():
    """Of a sum of both schemes an ambiguous analogy's two answers are equally near."""
    shares = []
    for seed in range(4):
        _, found = solved(one_hot("ltr", "rtl"), "ambiguous", ("nearest",), 200, seed=seed)
        one = found["nearest"]
        either = one.rival | one.right
        assert (one.tied[either]).all() and either.mean() > 0.5
        shares.append(one.right[either].mean())
    assert len(set(shares)) > 1
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)
    _, found = solved(noise, "ambiguous", METHODS)
    assert not any(one.tied.any() for one in found.values())


def test_where_all_vectors_are_one_every_answer_is_given_and_told_to_be_one():
    outcome, found = solved(lambda sequences: np.ones((len(sequences), 3)), "ambiguous")
    assert outcome.n_vectors == 1
    for one in found.values():
        assert one.right.all() and one.rival.all() and all(on.all() for on in one.on.values())
        assert not one.tied.any()
    assert not outcome.apart.any() and not outcome.cosine.any()


@pytest.mark.parametrize("case", ["distinct", "copied", "chained", "constant", "zero", "far"])
def test_vectors_are_numbered_as_by_comparing_all_pairs(case):
    rng = np.random.default_rng(0)
    nearly = 1 + 1e-8 * rng.normal(size=(60, 1))
    E = {
        "distinct": rng.normal(size=(50, 4)),
        "copied": rng.normal(size=(9, 4))[rng.integers(0, 9, 60)] * nearly,
        "chained": np.array([1.0, 0]) + np.outer(rng.permutation(40) * 9e-7, [0, 1]),
        "constant": np.ones((30, 3)),
        "zero": np.zeros((5, 2)),
        "far": np.array([1.0, 0]) + np.outer(rng.permutation(40) * 2e-6, [0, 1]),
    }[case]
    expected = np.arange(len(E))
    for i in range(len(E)):
        for j in range(i):
            longer = max(np.linalg.norm(E[i]), np.linalg.norm(E[j]))
            if np.linalg.norm(E[i] - E[j]) <= 1e-6 * longer:
                expected[expected == expected[i]] = expected[j]
    found = number_vectors(E)
    n = {"distinct": 50, "copied": 9, "chained": 1, "constant": 1, "zero": 1, "far": 40}[case]
    assert list(dict.fromkeys(found.tolist())) == list(range(n))
    np.testing.assert_array_equal(found[:, None] == found, expected[:, None] == expected)


def test_sums_in_another_order_in_float32_are_one_vector():
    digits = np.random.default_rng(0).normal(size=(10, 300)).astype(np.float32)

    def encode(sequences):
        return np.array([sum(digits[item] for item in s) for s in sequences])

    outcome, found = solved(encode, "ambiguous", ("nearest",))
    exact, _ = solved(one_hot("bow"), "ambiguous", ("nearest",))
    assert outcome.n_vectors == exact.n_vectors
    assert found["nearest"].right.all() and found["nearest"].rival.all()
    assert not outcome.apart.any()


def test_how_far_answers_lie_apart_is_by_the_distance_of_two_sequences():
    analogies = [Analogy("ambiguous", (1, 2), (3, 2), (1, 1, 2), (3, 1, 2), (1, 3, 2))]
    (outcome,) = evaluate(noise, None, analogies)
    E = noise(range(5))
    squares = [((x - y) ** 2).sum() for k, x in enumerate(E) for y in E[:k]]
    expected = np.linalg.norm(E[3] - E[4]) / np.sqrt(np.mean(squares))
    assert outcome.apart == pytest.approx([expected])


def test_what_cannot_be_answered_is_named():
    with pytest.raises(InputError, match=r"unknown method '3CosAvg'.*PairDirection"):
        solved(noise, "bi", ("3CosAvg",))

    def holed(sequences):
        E = noise(sequences)
        E[4] = np.nan
        return E

    with pytest.raises(InputError, match=r"1 of .* not finite"):
        solved(holed, "bi")
