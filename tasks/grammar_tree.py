"""Trees that hold both analyses of a sentence: constituents and dependencies.

Every phrase names one of its parts ``head`` and gives each other part its dependency relation, so
the two analyses cannot contradict one another. A phrase without a label shows in the dependencies
alone (Universal Dependencies hang a conjunction on the second conjunct; the brackets are flat).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Leaf(NamedTuple):
    """A word with its universal and its Penn Treebank part of speech, and its lemma.

    The lemma is empty for function words, which nothing asks about.
    """

    form: str
    upos: str
    tag: str
    lemma: str = ""


class Phrase(NamedTuple):
    """A constituent: a label, and parts with their relation to the part called ``head``."""

    label: str | None
    parts: tuple[Part, ...]


Node: TypeAlias = Leaf | Phrase
Part: TypeAlias = tuple[str, Node]


class Analysis(NamedTuple):
    """What can be read off a tree, one entry a word, and the brackets."""

    leaves: list[Leaf]
    heads: list[int]
    deprels: list[str]
    brackets: str


def phrase(label: str | None, *parts: Part) -> Phrase:
    """Make a phrase.

    Parameters
    ----------
    label : str or None
        Its label in the brackets; None where it has no bracket of its own.
    *parts : tuple of (str, Node)
        Relations and parts from left to right, one of them called ``"head"``.

    Returns
    -------
    Phrase
        The constituent.
    """
    return Phrase(label, parts)


def analyse(root: Phrase) -> Analysis:
    """Read the words, the dependencies and the brackets off a tree.

    Parameters
    ----------
    root : Phrase
        A whole sentence.

    Returns
    -------
    Analysis
        Heads count from 1; the root's is 0. The first word is capitalised.
    """
    leaves: list[Leaf] = []
    heads: list[int] = []
    deprels: list[str] = []
    pieces: list[str] = []
    top = _walk(root, leaves, heads, deprels, pieces)
    deprels[top] = "root"
    return Analysis(leaves, heads, deprels, "".join(pieces).lstrip())


def _walk(
    node: Node, leaves: list[Leaf], heads: list[int], deprels: list[str], pieces: list[str]
) -> int:
    """Append what the tree holds to the lists; return the index of its head word."""
    if isinstance(node, Leaf):
        if not leaves:
            node = node._replace(form=node.form[0].upper() + node.form[1:])
        pieces.append(f" ({node.tag} {node.form})")
        leaves.append(node)
        heads.append(0)
        deprels.append("")
        return len(leaves) - 1
    if node.label is not None:
        pieces.append(f" ({node.label}")
    head = -1
    others = []
    for relation, part in node.parts:
        at = _walk(part, leaves, heads, deprels, pieces)
        if relation == "head":
            head = at
        else:
            others.append(at)
            deprels[at] = relation
    for at in others:
        heads[at] = head + 1
    if node.label is not None:
        pieces.append(")")
    return head
