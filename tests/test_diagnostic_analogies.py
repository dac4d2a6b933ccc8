"""Role-diagnostic analogies: what each kind holds under, and that sums of bindings obey them."""

from itertools import pairwise

import numpy as np
import pytest

from probes.errors import InputError
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
    """An encoder that sums random bindings, and one nearest-neighbour decoder for it."""
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
    for outcome in evaluate(encode, None, analogies):
        of_kind = [it for it in analogies if it.kind == outcome.kind]
        obeyed = np.array([holds(scheme, it.a, it.b, it.c, it.d) for it in of_kind])
        assert np.all(outcome.cosine[obeyed] > 1 - 1e-9)
        assert np.all(outcome.cosine[~obeyed] < 1 - 1e-3)
        if scheme.name != "bow":  # which gives the anagrams of D the same vector
            assert np.all(outcome.rank[obeyed] == 1)
        assert np.all(outcome.rank_of_others <= outcome.rank)
        assert outcome.exact is None


def test_candidates_can_only_push_an_answer_down():
    encode = summed(parse_scheme("ltr"))
    analogies = digit_analogies("rtl", 50)
    (alone,) = evaluate(encode, None, analogies)
    more = [tuple(row) for row in np.random.default_rng(1).integers(10, size=(500, 3)).tolist()]
    (among,) = evaluate(encode, None, analogies, more)
    assert np.all(among.rank >= alone.rank) and np.any(among.rank > alone.rank)


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
    assert outcome.rival.tolist() == [False] * 20 + [True] * 20


@pytest.mark.parametrize("scheme", ["ltr", "rtl"])
def test_without_a_decoder_the_nearest_sequence_says_which_answer_is_given(scheme):
    analogies = digit_analogies("ambiguous", 100)
    (outcome,) = evaluate(summed(parse_scheme(scheme)), None, analogies)
    assert np.all((outcome.rank == 1) == (scheme == "ltr"))
    assert np.all((outcome.rank_of_rival == 1) == (scheme == "rtl"))
    (plain,) = evaluate(summed(parse_scheme(scheme)), None, digit_analogies("ltr", 5))
    assert plain.rank_of_rival is None


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


def test_bad_input_is_named():
    with pytest.raises(InputError, match="unknown kind of analogy 'tree'"):
        digit_analogies("tree", 3)
    with pytest.raises(InputError, match="ask for fewer"):
        digit_analogies("ltr", 100, n_fillers=2, min_length=1, max_length=2)
    with pytest.raises(InputError, match="longest sequence that is longer"):
        digit_analogies("ltr", 1, min_length=4, max_length=4)
    with pytest.raises(InputError, match="expected one row for each"):
        evaluate(lambda sequences: np.zeros((1, 3)), None, digit_analogies("bi", 5))
