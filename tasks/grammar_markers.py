"""Function words that mark a phrase: prepositions, subordinators, adverbs of one word."""

from __future__ import annotations

from probes_tasks.grammar_tree import Leaf, Node, Phrase, phrase

THAT = Leaf("that", "SCONJ", "IN")
AND = Leaf("and", "CCONJ", "CC")


def prepositional(form: str, inner: Node) -> Phrase:
    """Make a prepositional phrase; its head is the noun phrase, as in Universal Dependencies."""
    tag = "TO" if form == "to" else "IN"
    return phrase("PP", ("case", Leaf(form, "ADP", tag)), ("head", inner))


def subordinate(mark: Leaf, clause: Phrase) -> Phrase:
    """Put a subordinator before a clause."""
    return phrase("SBAR", ("mark", mark), ("head", clause))


def subordinator(form: str) -> Leaf:
    """Make a subordinator: *because*, *when*."""
    return Leaf(form, "SCONJ", "WRB" if form == "when" else "IN")


def adverb_phrase(form: str) -> Phrase:
    """Make an adverb phrase of one word."""
    return phrase("ADVP", ("head", Leaf(form, "ADV", "RB")))
