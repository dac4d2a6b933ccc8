"""Binary trees over the items of a sequence: parses, and trees that know nothing.

A tree over n items is written as its n - 1 merges, from the bottom up. Items are the nodes
0 … n - 1, and merge k makes node n + k of a left and a right node: ``((1, 2), (0, 4), (5, 3))`` is
``((0 (1 2)) 3)``. The order of the merges is one in which the tree can be built.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from probes.errors import InputError
from probes.roles.numbers import Ints, places

Tree = tuple[tuple[int, int], ...]

LONGEST = 14
"""A sequence of digits no longer than this has an order of merges that is one whole number."""


def smallest_first(sequence: Sequence[Hashable]) -> Tree:
    """Parse digits: the smallest is merged with its right neighbour, over and over.

    Parameters
    ----------
    sequence : sequence of int or of numerals
        The digits.

    Returns
    -------
    Tree
        Among all nodes but the last, the smallest (the leftmost of equals) is merged with the node
        to its right, and the new node has the value of the right one.

    Raises
    ------
    InputError
        If an item is no whole number.

    Notes
    -----
    McCoy et al. (2019), as their published code has it. Values are compared as numbers.
    """
    values = [item if type(item) is int else _number(item) for item in sequence]
    # A node has the value of its last item, so what is merged k-th ends in the k-th smallest item.
    return _merged(tuple(sorted(range(len(values) - 1), key=values.__getitem__)))


@functools.lru_cache(maxsize=65536)
def _merged(order: tuple[int, ...]) -> Tree:
    """Merge, one after the other, the nodes that end in these items with their right neighbours."""
    n = len(order) + 1
    begin, end = list(range(n)), list(range(n))  # of the node that ends, or begins, in each item
    node = list(range(n))  # by its last item
    merges = []
    for new, last in enumerate(order, n):
        right = end[last + 1]
        merges.append((node[last], node[right]))
        node[right] = new
        begin[right] = begin[last]
        end[begin[last]] = right
    return tuple(merges)


def alike_to(values: Ints, lengths: Ints) -> tuple[Ints, Ints] | None:
    """Find sequences of digits that `smallest_first` gives the same tree.

    Parameters
    ----------
    values : ndarray of shape (n_items,), int64
        The digits of all sequences, one after the other, or their ranks.
    lengths : ndarray of shape (n_sequences,), int64
        Of the sequences.

    Returns
    -------
    first, which : ndarray of shape (n_trees,) and (n_sequences,), int64
        A sequence of each tree, and the tree of each sequence; None where one is too long to tell
        so.
    """
    longest = int(lengths.max(initial=0))
    if longest > LONGEST:
        return None
    place = places(lengths)
    merged = place < np.repeat(lengths, lengths) - 1  # an item that ends a merged node
    sequence = np.repeat(np.arange(len(lengths)), lengths)[merged]
    order = np.lexsort((values[merged], sequence))  # stable: of equals the leftmost first
    step = places(np.maximum(lengths - 1, 0))
    codes = lengths.copy()  # the order of merges as one number, with the length
    np.add.at(codes, sequence, (place[merged][order] + 1) * (longest + 1) ** (step + 1))
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    return first, which


def _number(item: Hashable) -> int:
    try:
        return int(str(item))
    except ValueError:
        raise InputError(
            f"the item {item!r} is no whole number; the digits' tree merges the smallest first: "
            "for words choose tree:right, tree:left, tree:balanced, tree:random, or tree:parse"
        ) from None


def right_branching(sequence: Sequence[Hashable]) -> Tree:
    """Branch to the right: ``(0 (1 (2 3)))``."""
    return _right(len(sequence))


@functools.cache
def _right(n: int) -> Tree:
    tops = [n - 1, *range(n, 2 * n - 1)]
    return tuple((n - 2 - k, tops[k]) for k in range(n - 1))


def left_branching(sequence: Sequence[Hashable]) -> Tree:
    """Branch to the left: ``(((0 1) 2) 3)``."""
    return _left(len(sequence))


@functools.cache
def _left(n: int) -> Tree:
    tops = [0, *range(n, 2 * n - 1)]
    return tuple((tops[k], k + 1) for k in range(n - 1))


def balanced(sequence: Sequence[Hashable]) -> Tree:
    """Divide in the middle, over and over; of an odd number, the left half has one more."""
    return _balanced(len(sequence))


@functools.cache
def _balanced(n: int) -> Tree:
    return _split(n, lambda low, high: (low + high + 1) // 2)


def random_tree(sequence: Sequence[Hashable], seed: int = 0) -> Tree:
    """Divide at random, over and over: a control that has the shape of a parse and no more.

    Parameters
    ----------
    sequence : sequence
        Decides the draw, with the seed: the same items always get the same tree.
    seed : int
        Of the draw.

    Returns
    -------
    Tree
        Each division of a run of items is equally likely.
    """
    import xxhash

    text = "\x00".join(str(item) for item in sequence)
    draw = np.random.default_rng([seed, xxhash.xxh3_64_intdigest(text.encode())])
    return _split(len(sequence), lambda low, high: int(draw.integers(low + 1, high)))


def _split(n: int, middle: Callable[[int, int], int]) -> Tree:
    merges: list[tuple[int, int]] = []

    def build(low: int, high: int) -> int:
        if high - low == 1:
            return low
        cut = middle(low, high)
        left, right = build(low, cut), build(cut, high)
        merges.append((left, right))
        return n + len(merges) - 1

    if n > 1:
        build(0, n)
    return tuple(merges)


def dependency_tree(heads: Sequence[int]) -> Tree:
    """Binarise a dependency tree.

    Parameters
    ----------
    heads : sequence of int
        The head of each word, counted from 1; 0 for the root, of which there is one.

    Returns
    -------
    Tree
        Each head takes its right dependents first, from the nearest to the farthest, then its left
        dependents, from the nearest to the farthest, each with all that hangs on it. In the order
        of words a dependent is left or right of its head as it was; the leaves of a subtree need
        not stand side by side (crossing arcs are kept).

    Raises
    ------
    InputError
        If the heads are no tree.
    """
    n = len(heads)
    children: list[list[int]] = [[] for _ in range(n + 1)]
    for word, head in enumerate(heads, 1):
        if not 0 <= head <= n or head == word:
            raise InputError(f"head {head} of word {word} of {n}; expected another word, or 0")
        children[head].append(word)
    if n and len(children[0]) != 1:
        raise InputError(f"{len(children[0])} roots; expected one word with head 0")
    merges: list[tuple[int, int]] = []
    order: list[int] = []
    waiting = list(children[0])
    while waiting:  # heads before their dependents; no recursion, sentences may be long
        word = waiting.pop()
        order.append(word)
        waiting += children[word]
    if len(order) != n:
        raise InputError("the heads hold a circle; expected a tree")
    top = list(range(-1, n))  # of each word, the node that holds all that hangs on it
    for word in reversed(order):
        right = [child for child in children[word] if child > word]
        left = [child for child in children[word] if child < word]
        for child in right + left[::-1]:
            pair = (top[word], top[child]) if child > word else (top[child], top[word])
            merges.append(pair)
            top[word] = n + len(merges) - 1
    return tuple(merges)


def bracketed(text: str) -> tuple[list[str], Tree]:
    """Read a parse in brackets, as the Penn Treebank or SNLI writes it.

    Parameters
    ----------
    text : str
        ``(S (NP (DT the) (NN dog)) (VP (VBZ barks)))``, or without labels
        ``( ( the dog ) barks )``: what follows a bracket without a space is a label, unless it is
        a bracket.

    Returns
    -------
    words : list of str
        The leaves; traces (under ``-NONE-``) are left out.
    tree : Tree
        Nodes of one child count as their child; of more than two, the first is the left child and
        the rest, divided alike, the right one.

    Raises
    ------
    InputError
        If the brackets do not match, or no word stands in them. The message names the character.
    """
    words: list[str] = []
    root = _nested(text, words)
    merges: list[tuple[int, int]] = []

    def build(node: object) -> int:
        if isinstance(node, int):
            return node
        assert isinstance(node, list)
        top = build(node[-1])
        for child in reversed(node[:-1]):
            merges.append((build(child), top))
            top = len(words) + len(merges) - 1
        return top

    build(root)
    return words, tuple(merges)


def _nested(text: str, words: list[str]) -> object:
    """Read brackets as nested lists of the numbers of words."""
    stack: list[tuple[str, list[object]]] = [("", [])]
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "(":
            end = at + 1
            while end < len(text) and not (text[end].isspace() or text[end] in "()"):
                end += 1
            if end < len(text) and text[end] == ")" and end > at + 1:
                end = at + 1  # (word)
            stack.append((text[at + 1 : end], []))
            at = end
        elif text[at] == ")":
            label, children = stack.pop()
            if not stack:
                raise InputError(f"character {at} of {text!r} closes a bracket that none opened")
            if children and label != "-NONE-":
                stack[-1][1].append(children[0] if len(children) == 1 else children)
            at += 1
        else:
            end = at
            while end < len(text) and not (text[end].isspace() or text[end] in "()"):
                end += 1
            if stack[-1][0] != "-NONE-":
                stack[-1][1].append(len(words))
                words.append(text[at:end])
            at = end
    if len(stack) != 1:
        raise InputError(f"{text!r} lacks {len(stack) - 1} closing brackets")
    children = stack[0][1]
    if not children:
        raise InputError(f"no word stands in the brackets of {text!r}")
    return children[0] if len(children) == 1 else children


@functools.lru_cache(maxsize=65536)
def paths(tree: Tree) -> tuple[str, ...]:
    """Give the path from the root to each item, ``L`` and ``R`` for left and right.

    Parameters
    ----------
    tree : Tree
        Over n items.

    Returns
    -------
    tuple of str
        One an item; ``"L"`` where there is only one, as McCoy et al. (2019) have it.
    """
    n = len(tree) + 1
    if n == 1:
        return ("L",)
    path = [""] * (n + len(tree))
    for k in range(len(tree) - 1, -1, -1):
        left, right = tree[k]
        path[left], path[right] = path[n + k] + "L", path[n + k] + "R"
    return tuple(path[:n])
