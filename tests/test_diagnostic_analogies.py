"""Role-diagnostic analogies: what each kind holds under, and that sums of bindings obey them."""

from itertools import pairwise

import numpy as np
import pytest

from probes.errors import InputError
from probes.roles.analogies.answers import METHODS
from probes.roles.analogies.draw import (
    Analogy,
    digit_analogies,
    holds,
    sentence_analogies,
)
from probes.roles.analogies.solve import evaluate
from probes.roles.digits.networks import load_published
from probes.roles.naming import SIX, parse_scheme

POSITIONS = ("ltr", "rtl", "bi")
DRAWS = {"digits": digit_analogies, "sentences": sentence_analogies}


def held(analogy, d=None):
    d = analogy.d if d is None else d
    return {
        name for name in POSITIONS if holds(parse_scheme(name), analogy.a, analogy.b, analogy.c, d)
    }


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
@pytest.mark.parametrize(
    ("kind", "under"), [("ltr", {"ltr"}), ("rtl", {"rtl"}), ("bi", {"ltr", "rtl", "bi"})]
)
def test_an_analogy_holds_under_its_kind_alone(draw, kind, under):
    for analogy in draw(kind, 300, seed=1):
        assert held(analogy) == under, str(analogy)
        assert analogy.a not in (analogy.b, analogy.c)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_an_ambiguous_analogy_has_one_answer_from_the_left_and_another_from_the_right(draw):
    for analogy in draw("ambiguous", 300, seed=1):
        assert held(analogy) == {"ltr"}, str(analogy)
        assert held(analogy, analogy.rival) == {"rtl"}, str(analogy)


def test_the_published_examples_are_of_their_kinds():
    assert held(Analogy("ltr", (4, 6, 2), (4, 6), (3, 9, 2), (3, 9))) == {"ltr"}
    assert held(Analogy("rtl", (4, 6, 2), (6, 2), (4, 3, 9), (3, 9))) == {"rtl"}
    words = ("I see now", "I see", "you know now", "you know")
    assert held(Analogy("ltr", *(tuple(text.split()) for text in words))) == {"ltr"}


def test_the_example_of_the_paper_is_among_the_sentences_once_all_are_drawn():
    drawn = {str(analogy) for analogy in sentence_analogies("ltr", 12_000)}
    assert "I see now - I see = you know now - you know" in drawn


def test_what_cancels_in_both_parts_cancels_in_the_sum_of_schemes():
    both = parse_scheme("ltr+rtl")
    for kind in POSITIONS:
        for it in digit_analogies(kind, 50):
            under = held(it)
            assert holds(both, it.a, it.b, it.c, it.d) == ({"ltr", "rtl"} <= under)


def test_a_bag_of_words_obeys_every_analogy_but_none_tells_its_answers_apart():
    bow = parse_scheme("bow")
    for kind in (*POSITIONS, "ambiguous"):
        for it in digit_analogies(kind, 50):
            assert holds(bow, it.a, it.b, it.c, it.d)
            if it.rival:
                assert holds(bow, it.a, it.b, it.c, it.rival)


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_analogies_differ_and_are_drawn_by_seed(draw):
    one = draw("ltr", 200, seed=5)
    assert len(set(one)) == 200
    assert one == draw("ltr", 200, seed=5)
    assert one != draw("ltr", 200, seed=6)


def test_lengths_are_within_what_was_asked():
    for kind in (*POSITIONS, "ambiguous"):
        lengths = {
            len(s)
            for it in digit_analogies(kind, 300, min_length=2, max_length=4)
            for s in (it.a, it.b, it.c, it.d)
        }
        assert lengths == {2, 3, 4}


def summed(scheme, width=400):
    """An encoder that sums random bindings."""
    made: dict[object, np.ndarray] = {}
    draw = np.random.default_rng(0)

    def encode(sequences):
        rows = []
        for s in sequences:
            row = np.zeros(width)
            for pair in zip(s, scheme.roles(s), strict=True):
                row += made.setdefault(pair, draw.normal(size=width))
            rows.append(row)
        return np.array(rows)

    return encode


@pytest.mark.parametrize("scheme", SIX, ids=lambda scheme: scheme.name)
def test_a_sum_of_bindings_solves_what_holds_under_its_scheme(scheme):
    encode = summed(scheme)
    analogies = [it for kind in POSITIONS for it in digit_analogies(kind, 100)]
    for outcome in evaluate(encode, None, analogies, methods=("nearest",)):
        (one,) = outcome.answered
        of_kind = [it for it in analogies if it.kind == outcome.kind]
        obeyed = np.array([holds(scheme, it.a, it.b, it.c, it.d) for it in of_kind])
        assert np.all(outcome.cosine[obeyed] > 1 - 1e-9)
        assert np.all(outcome.cosine[~obeyed] < 1 - 1e-3)
        assert np.all(one.honest[obeyed]) and np.all(one.right[obeyed])
        assert np.all(one.right >= one.honest)
        assert outcome.exact is None


def test_candidates_can_only_push_an_answer_down():
    exact, noise = summed(parse_scheme("ltr"), width=8), np.random.default_rng(2)
    made: dict[object, np.ndarray] = {}

    def encode(sequences):
        drawn = [made.setdefault(s, noise.normal(size=8)) for s in sequences]
        return exact(sequences) + 0.6 * np.array(drawn)

    analogies = digit_analogies("ltr", 200)
    (alone,) = evaluate(encode, None, analogies, methods=METHODS)
    more = [tuple(row) for row in np.random.default_rng(1).integers(10, size=(5000, 4)).tolist()]
    (among,) = evaluate(encode, None, analogies, more, methods=METHODS)
    assert among.n_sequences > alone.n_sequences
    for few, many in zip(alone.answered, among.answered, strict=True):
        assert np.all(many.right <= few.right) and np.all(many.honest <= few.honest)
        assert np.any(many.right < few.right), few.method


def test_decoded_answers_are_compared_with_both_answers_of_an_ambiguous_analogy():
    analogies = digit_analogies("ambiguous", 40)
    left = [it.d for it in analogies]
    asked = []

    def decode(Z, lengths):
        asked.extend(lengths)
        return left[:20] + [it.rival for it in analogies[20:]]

    (outcome,) = evaluate(summed(parse_scheme("ltr")), decode, analogies)
    assert asked == [len(d) for d in left]
    assert outcome.exact.tolist() == [True] * 20 + [False] * 20
    assert outcome.exact_rival.tolist() == [False] * 20 + [True] * 20


@pytest.mark.parametrize("scheme", ["ltr", "rtl"])
def test_without_a_decoder_the_answer_says_which_scheme_is_obeyed(scheme):
    analogies = digit_analogies("ambiguous", 100)
    (outcome,) = evaluate(summed(parse_scheme(scheme)), None, analogies, methods=METHODS)
    for one in outcome.answered:
        assert np.all(one.right == (scheme == "ltr")), one.method
        assert np.all(one.rival == (scheme == "rtl")), one.method
    (plain,) = evaluate(summed(parse_scheme(scheme)), None, digit_analogies("ltr", 5))
    assert plain.answered[0].rival is plain.answered[0].rival_honest is None
    assert plain.apart is plain.cosine_rival is plain.exact_rival is None


def test_the_published_network_obeys_the_kinds_as_was_measured(data):
    """PAPERS.md 1.6: exact .867, .001, .946; cosine .689, .454, .865."""
    network = load_published(data / "tpdn")
    expected = {"ltr": (0.867, 0.689), "rtl": (0.001, 0.454), "bi": (0.946, 0.865)}
    analogies = [it for kind in expected for it in digit_analogies(kind, 2000)]
    outcomes = evaluate(network.encode, network.decode, analogies)
    for outcome in outcomes:
        exact, cosine = expected[outcome.kind]
        assert outcome.exact.mean() == pytest.approx(exact, abs=0.03)
        assert outcome.cosine.mean() == pytest.approx(cosine, abs=0.02)
    shares = {outcome.kind: outcome.exact.mean() for outcome in outcomes}
    assert all(more > less for more, less in pairwise(shares[k] for k in ("bi", "ltr", "rtl")))


def test_the_published_network_answers_as_was_measured(data):
    """By the word solver's 3CosAdd, 500 analogies of a kind: honest, and A, B and C left out."""
    expected = {"ltr": (0.478, 0.6), "rtl": (0.022, 0.034), "bi": (0.984, 0.996)}
    expected["ambiguous"] = (0.812, 0.812)
    analogies = [it for kind in expected for it in digit_analogies(kind, 500)]
    for outcome in evaluate(load_published(data / "tpdn").encode, None, analogies):
        (one,) = outcome.answered
        found = (one.honest.mean(), one.right.mean())
        assert found == pytest.approx(expected[outcome.kind], abs=0.003)
        assert outcome.n_vectors == outcome.n_sequences and not one.tied.any()
    assert (one.rival_honest.mean(), one.rival.mean()) == pytest.approx((0.112, 0.114), abs=0.003)


def test_bad_input_is_named():
    with pytest.raises(InputError, match="unknown kind of analogy 'tree'"):
        digit_analogies("tree", 3)
    with pytest.raises(InputError, match="ask for fewer"):
        digit_analogies("ltr", 100, n_fillers=2, min_length=1, max_length=2)
    with pytest.raises(InputError, match="longest sequence that is longer"):
        digit_analogies("ltr", 1, min_length=4, max_length=4)
    with pytest.raises(InputError, match="expected one row for each"):
        evaluate(lambda sequences: np.zeros((1, 3)), None, digit_analogies("bi", 5))
