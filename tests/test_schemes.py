"""Role schemes: the laws of each, and of their sums and products."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probes.errors import InputError
from probes.roles.naming import SIX, parse_scheme
from probes.roles.neighbours import EDGE, Next, Previous, Wickel
from probes.roles.numbers import numbered
from probes.roles.schemes import (
    BagOfWords,
    Bidirectional,
    LeftToRight,
    Own,
    RightToLeft,
    TreeRoles,
)
from probes.roles.sequences import Sentence
from probes.roles.tpdn.compare import division
from probes.roles.trees import right_branching

LECTURE = {
    "ltr": "0 1 2 3 0 1 2 3 4 5",
    "rtl": "3 2 1 0 5 4 3 2 1 0",
    "bi": "(0, 3) (1, 2) (2, 1) (3, 0) (0, 5) (1, 4) (2, 3) (3, 2) (4, 1) (5, 0)",
    "wickel": "#_1 3_1 1_6 1_# #_2 5_3 2_1 3_9 1_7 9_#",
    "tree": "L RLL RLR RR LL LRLL LRLR LRRL LRRR R",
    "bow": " ".join(["r_0"] * 10),
}
digits = st.lists(st.integers(0, 9), min_size=1, max_size=9)
several = st.lists(st.lists(st.integers(0, 4), max_size=7), max_size=20)
NAMES = [*LECTURE, "previous", "next", "tree:right", "ltr*previous"]


@given(several)
@example([[5, 2, 3, 1, 9, 7], list(range(20)), []])  # longer than a tree's order has a number for
@example([[2**64, 3, -(2**70)], [2**64, 2**64 + 1]])
@pytest.mark.parametrize("name", NAMES)
def test_roles_of_many_sequences_are_numbered_as_they_come_one_by_one(name, sequences):
    scheme = parse_scheme(name)
    known, numbers = scheme.numbered(sequences)
    expected, one_by_one = numbered(chain.from_iterable(map(scheme.roles, sequences)))
    assert list(known.items()) == list(expected.items())
    assert list(map(str, known)) == list(map(str, expected))
    assert numbers.tolist() == one_by_one.tolist()


@pytest.mark.parametrize("scheme", SIX, ids=lambda s: s.name)
def test_the_lectures_table_cell_by_cell(scheme: object) -> None:
    found = [role for seq in ([3, 1, 1, 6], [5, 2, 3, 1, 9, 7]) for role in scheme.roles(seq)]  # type: ignore[attr-defined]
    assert " ".join(map(str, found)) == LECTURE[scheme.name]  # type: ignore[attr-defined]


@given(digits)
def test_a_bag_of_words_is_constant(sequence: list[int]) -> None:
    assert set(BagOfWords().roles(sequence)) == {"r_0"}


@given(digits)
def test_right_to_left_is_left_to_right_of_the_reversed(sequence: list[int]) -> None:
    assert RightToLeft().roles(sequence) == LeftToRight().roles(sequence[::-1])[::-1]


@given(digits)
def test_bidirectional_is_left_to_right_and_the_length(sequence: list[int]) -> None:
    both = Bidirectional().roles(sequence)
    assert both == [(i, len(sequence) - 1 - i) for i in LeftToRight().roles(sequence)]
    assert {sum(pair) + 1 for pair in both} == {len(sequence)}


@given(digits, st.data())
def test_a_wickelrole_depends_on_its_neighbours_alone(
    sequence: list[int], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(sequence) - 1))
    other = data.draw(st.lists(st.integers(0, 9), min_size=len(sequence), max_size=len(sequence)))
    mixed = [
        x if abs(k - at) == 1 else y for k, (x, y) in enumerate(zip(sequence, other, strict=True))
    ]
    assert Wickel().roles(mixed)[at] == Wickel().roles(sequence)[at]


@given(digits)
def test_wickelroles_are_the_product_of_previous_and_next(sequence: list[int]) -> None:
    pairs = [tuple(role) for role in Wickel().roles(sequence)]
    assert pairs == (Previous() * Next()).roles(sequence)


def test_no_filler_is_mistaken_for_the_edge() -> None:
    assert Wickel().roles(["#", "a", "#"])[1] != Wickel().roles(["a"])[0]
    assert Previous().roles(["#"]) == [EDGE]


def test_neighbours_may_be_read_in_an_annotation() -> None:
    sentence = Sentence(("dogs", "bark"), {"upos": ("NOUN", "VERB")})
    assert list(map(str, Wickel("upos").roles(sentence))) == ["#_VERB", "NOUN_#"]
    with pytest.raises(InputError, match=r"unknown annotation.*'xpos'.*upos"):
        Wickel("xpos").roles(sentence)
    with pytest.raises(InputError, match="unknown annotation"):
        Wickel("upos").roles(["dogs", "bark"])


def test_a_sentence_carries_its_tree() -> None:
    sentence = Sentence(("a", "b", "c"), tree=right_branching("abc"))
    assert TreeRoles().roles(sentence) == ["L", "RL", "RR"]
    with pytest.raises(InputError, match="carries no tree"):
        TreeRoles().roles(Sentence(("a", "b", "c")))
    with pytest.raises(InputError, match="tree of 3 leaves for the 2 words"):
        Sentence(("a", "b"), tree=right_branching("abc"))


def test_a_product_divides_as_finely_as_its_factors_together() -> None:
    sequences = [[1, 2, 3], [4, 5], [6]]
    assert division(parse_scheme("ltr*rtl"), sequences) == division(Bidirectional(), sequences)


def test_a_sum_binds_each_item_once_a_part() -> None:
    scheme = parse_scheme("ltr+rtl")
    assert [part.name for part in scheme.parts] == ["ltr", "rtl"]
    assert scheme.roles("ab") == [(0, 1), (1, 0)]
    with pytest.raises(InputError, match="product with a sum"):
        scheme * LeftToRight()


def test_roles_of_sums_and_products_are_tuples_that_print_as_their_parts_do() -> None:
    sentence = Sentence(("dogs", "bark"), {"upos": ("NOUN", "VERB")})
    sums = parse_scheme("bow+wickel:upos+ltr*next:upos").roles(sentence)
    assert list(map(str, sums)) == ["r_0 + #_VERB + (0, VERB)", "r_0 + NOUN_# + (1, #)"]
    products = parse_scheme("ltr*previous:upos").roles(sentence)
    assert list(map(str, products)) == ["(0, #)", "(1, NOUN)"]
    for role in (*sums, *products):
        assert role == tuple(role) and hash(role) == hash(tuple(role))


@pytest.mark.parametrize(
    "name",
    ["bow", "ltr", "rtl", "bi", "wickel", "wickel:upos", "previous:upos", "next", "tree",
     "tree:random", "tree:parse", "ltr*wickel", "ltr+rtl*tree:left+bow"],
)  # fmt: skip
def test_a_scheme_reads_its_own_name(name: str) -> None:
    assert parse_scheme(name).name == name


@pytest.mark.parametrize(
    ("name", "says"),
    [("wickle", "nearest: 'wickel'"), ("tree:rigth", "nearest: 'right'"), ("", "unknown role"),
     ("ltr:upos", "takes nothing"), ("wickel:", "nothing stands after"), ("ltr+", "unknown role")],
)  # fmt: skip
def test_an_unknown_scheme_is_refused_with_the_nearest(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_scheme(name)


def test_a_function_is_a_scheme_if_it_gives_a_role_for_each_item() -> None:
    parity = Own(lambda s: [k % 2 for k in range(len(s))], "parity")
    assert parity.roles("abc") == [0, 1, 0]
    assert parity.name == "parity"
    with pytest.raises(InputError, match="gave 1 roles for the 3 items"):
        Own(lambda s: [0], "one").roles("abc")
