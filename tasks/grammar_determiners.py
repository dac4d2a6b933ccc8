"""The front of a noun phrase: determiners, numerals and adjectives."""

from __future__ import annotations

from typing import Literal

from probes_tasks import lexicon
from probes_tasks.grammar_draw import Draw
from probes_tasks.grammar_tree import Leaf, Part, Phrase, phrase
from probes_tasks.grammar_words import Noun, Words

Front = Literal["any", "neutral", "new"]

# Adjectives that single something out: *the only guard*, not *an only guard*.
_DEFINITE_ADJECTIVES = {"only", "last", "left", "right", "other"}
_SINGULAR = {
    "the": 0.36,
    "poss": 0.11,
    "a": 0.18,
    "this": 0.05,
    "that": 0.25,
    "every": 0.05,
}
_PLURAL = {
    "the": 0.34,
    "poss": 0.11,
    "": 0.35,
    "these": 0.05,
    "those": 0.05,
    "number": 0.04,
    "some": 0.03,
    "many": 0.02,
    "all": 0.01,
}
_MASS = {"the": 0.4, "poss": 0.12, "": 0.25, "this": 0.05, "that": 0.1, "some": 0.08}
_NEW_PLURAL = {"": 0.4, "number": 0.2, "some": 0.2, "many": 0.2}
_NEUTRAL = {"the": 0.75, "poss": 0.25}


def determined(draw: Draw, words: Words, noun: Noun, plural: bool, front: Front = "any") -> Phrase:
    """Make a noun phrase of determiner, adjectives and noun.

    Parameters
    ----------
    draw : Draw
        The source of chance.
    words : Words
        For the adjectives.
    noun : Noun
        The head.
    plural : bool
        Its number.
    front : {"any", "neutral", "new"}, default="any"
        Which determiners may stand there: any; only those that do not tell the number; or those
        of what the reader does not know yet (*a guard*, *some guards*).

    Returns
    -------
    Phrase
        Its label is NP.
    """
    adjectives = _adjectives(draw, words, noun)
    definite = any(word.form in _DEFINITE_ADJECTIVES for word in adjectives)
    if front == "new":
        adjectives = [] if definite else adjectives
        choice = draw.weighted(_NEW_PLURAL) if plural else "a"
    elif front == "neutral" or definite:
        choice = draw.weighted(_NEUTRAL)
    else:
        weights = _PLURAL if plural else _SINGULAR if noun.plural is not None else _MASS
        choice = draw.weighted(weights)
    head = noun.plural if plural and noun.plural is not None else noun.singular
    following = adjectives[0] if adjectives else head
    return phrase(
        "NP",
        *_determiner(draw, choice, following),
        *(("amod", word) for word in adjectives),
        ("head", head),
    )


def _adjectives(draw: Draw, words: Words, noun: Noun) -> list[Leaf]:
    known = words.adjectives[noun.kind]
    if not known or not draw.chance(0.36):
        return []
    one = draw.one(known)
    gendered = one.form in lexicon.SEX_AND_AGE and noun.singular.form in lexicon.OF_SEX_OR_AGE
    return [] if gendered or one.form == noun.singular.form else [one]


def _determiner(draw: Draw, choice: str, following: Leaf) -> list[Part]:
    if choice == "":
        return []
    if choice == "poss":
        return [("nmod:poss", Leaf(draw.one(lexicon.POSSESSIVES), "PRON", "PRP$"))]
    if choice == "number":
        return [("nummod", Leaf(draw.one(lexicon.NUMERALS), "NUM", "CD"))]
    if choice == "many":
        return [("amod", Leaf(draw.one(("many", "several")), "ADJ", "JJ"))]
    if choice == "a" and following.form[0] in "aeiou":
        choice = "an"
    return [("det", Leaf(choice, "DET", "DT"))]
