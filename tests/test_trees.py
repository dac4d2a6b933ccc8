"""Binary trees over sequences, and the parses that make them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from probes.errors import InputError
from probes.roles.trees import (
    Tree,
    balanced,
    bracketed,
    dependency_tree,
    left_branching,
    paths,
    random_tree,
    right_branching,
    smallest_first,
)

SHAPES = [right_branching, left_branching, balanced, random_tree]


def reference_roles(digits: tuple[int, ...]) -> list[str]:
    """Do what the published algorithm says, on nested pairs and by sorting, not by merges."""
    nodes: list[tuple[int, Any]] = [(digit, [k]) for k, digit in enumerate(digits)]
    if len(nodes) == 1:
        return ["L"]
    while len(nodes) > 1:
        _, at = sorted((value, place) for place, (value, _) in enumerate(nodes[:-1]))[0]
        right = nodes.pop(at + 1)
        left = nodes.pop(at)
        nodes.insert(at, (right[0], (left[1], right[1])))

    def walk(node: Any, path: str) -> list[tuple[int, str]]:
        if isinstance(node, list):
            return [(node[0], path)]
        return walk(node[0], path + "L") + walk(node[1], path + "R")

    return [path for _, path in sorted(walk(nodes[0][1], ""))]


def draw(n: int, longest: int, seed: int = 0) -> list[tuple[int, ...]]:
    random = np.random.default_rng(seed)
    return [
        tuple(int(x) for x in random.integers(0, 10, length))
        for length in random.integers(1, longest + 1, n)
    ]


@pytest.mark.parametrize("n", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_digit_trees_equal_an_independent_implementation(n: int) -> None:
    for digits in draw(n, longest=8):
        assert list(paths(smallest_first(digits))) == reference_roles(digits)


def test_the_lectures_trees() -> None:
    assert paths(smallest_first([3, 1, 1, 6])) == ("L", "RLL", "RLR", "RR")
    assert paths(smallest_first("523197")) == ("LL", "LRLL", "LRLR", "LRRL", "LRRR", "R")


@pytest.mark.parametrize("parse", [smallest_first, *SHAPES])
def test_paths_are_free_of_prefixes_and_their_weights_add_up_to_one(parse: Any) -> None:
    for digits in draw(200, longest=12, seed=1):
        if len(digits) == 1:
            assert paths(parse(digits)) == ("L",)
            continue
        found = paths(parse(digits))
        assert len(found) == len(digits)
        assert sum(Fraction(1, 2 ** len(path)) for path in found) == 1
        for k, path in enumerate(found):
            assert not any(path.startswith(other) for other in found[:k] + found[k + 1 :])


@pytest.mark.parametrize("parse", SHAPES)
def test_items_stand_in_the_tree_in_their_order(parse: Any) -> None:
    for n in range(1, 12):
        found = paths(parse(list(range(n))))
        assert list(found) == sorted(found)


def test_branching_says_what_it_does() -> None:
    assert paths(right_branching("abcd")) == ("L", "RL", "RRL", "RRR")
    assert paths(left_branching("abcd")) == ("LLL", "LLR", "LR", "R")
    assert paths(balanced("abcd")) == ("LL", "LR", "RL", "RR")


def test_a_random_tree_is_a_function_of_the_sequence_and_the_seed() -> None:
    one, two = random_tree("abcdefgh"), random_tree("abcdefgh", seed=1)
    assert one == random_tree("abcdefgh")
    assert one != two
    assert len({random_tree("abcdef", seed=k) for k in range(400)}) == 42  # all trees of 6 leaves


def brackets_of(tree: Tree, words: list[str]) -> str:
    nodes = list(words)
    for left, right in tree:
        nodes.append(f"( {nodes[left]} {nodes[right]} )")
    return nodes[-1]


def test_brackets_give_back_every_tree() -> None:
    for digits in draw(100, longest=9, seed=2):
        words = [f"w{d}" for d in digits]
        tree = random_tree(digits)
        again, parsed = bracketed(brackets_of(tree, words))
        assert again == words
        assert paths(parsed) == paths(tree)


def test_treebank_brackets_lose_labels_traces_and_nodes_of_one_child() -> None:
    text = "( (S (NP-SBJ (DT the) (JJ old) (NN dog)) (VP (VBZ barks) (NP (-NONE- *T*-1))) (. .)))"
    words, tree = bracketed(text)
    assert words == ["the", "old", "dog", "barks", "."]
    # ((the (old dog)) (barks .)): of three children the last two stand together
    assert paths(tree) == ("LL", "LRL", "LRR", "RL", "RR")


@pytest.mark.parametrize(
    ("text", "says"),
    [("( a b", "lacks 1 closing"), ("( a ) )", "character 6"), ("( (-NONE- *) )", "no word"),
     ("", "no word")],
)  # fmt: skip
def test_brackets_that_do_not_match_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        bracketed(text)


def test_a_head_takes_its_right_dependents_first_and_the_nearest_first() -> None:
    # she(2) often(3)? : "a b HEAD c d", all hanging on HEAD
    assert paths(dependency_tree([3, 3, 0, 3, 3])) == ("L", "RL", "RRLL", "RRLR", "RRR")
    assert paths(dependency_tree([2, 0])) == ("L", "R")
    assert paths(dependency_tree([0])) == ("L",)


def test_what_hangs_on_a_word_stands_below_one_node() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        n = int(random.integers(2, 12))
        order = [int(x) for x in random.permutation(n)]
        heads = [0] * n
        for k, word in enumerate(order[1:], 1):
            heads[word] = order[int(random.integers(k))] + 1
        below = {word: {word} for word in range(n)}
        for word in reversed(order[1:]):
            below[heads[word] - 1] |= below[word]
        tree = dependency_tree(heads)
        nodes: list[set[int]] = [{k} for k in range(n)]
        for left, right in tree:
            nodes.append(nodes[left] | nodes[right])
        assert all(group in nodes for group in below.values())


@pytest.mark.parametrize(
    ("heads", "says"),
    [([2, 3, 1], "roots"), ([0, 0], "2 roots"), ([0, 3, 2], "circle"), ([0, 5], "head 5")],
)
def test_heads_that_are_no_tree_are_refused(heads: list[int], says: str) -> None:
    with pytest.raises(InputError, match=says):
        dependency_tree(heads)


def test_words_have_no_digits_tree() -> None:
    with pytest.raises(InputError, match=r"'the' is no whole number.*tree:right"):
        smallest_first(["the", "dog"])
