"""Verb groups: tense, aspect, negation and agreement of a verb and its auxiliaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from probes_tasks import lexicon
from probes_tasks.grammar_draw import Draw
from probes_tasks.grammar_tree import Leaf, Node, Part, Phrase, phrase
from probes_tasks.grammar_words import Verb

Tense = Literal["past", "present", "modal"]
Aspect = Literal["simple", "progressive", "perfect"]

Ending = Literal["base", "present", "third", "past", "participle", "gerund"]

NOT = Leaf("not", "PART", "RB")
TO = Leaf("to", "PART", "TO")
_BE = {
    ("past", False): Leaf("was", "AUX", "VBD"),
    ("past", True): Leaf("were", "AUX", "VBD"),
    ("present", False): Leaf("is", "AUX", "VBZ"),
    ("present", True): Leaf("are", "AUX", "VBP"),
}
_HAVE = {
    ("past", False): Leaf("had", "AUX", "VBD"),
    ("past", True): Leaf("had", "AUX", "VBD"),
    ("present", False): Leaf("has", "AUX", "VBZ"),
    ("present", True): Leaf("have", "AUX", "VBP"),
}
_DO = {
    ("past", False): Leaf("did", "AUX", "VBD"),
    ("past", True): Leaf("did", "AUX", "VBD"),
    ("present", False): Leaf("does", "AUX", "VBZ"),
    ("present", True): Leaf("do", "AUX", "VBP"),
}
_MODALS = [Leaf(form, "AUX", "MD") for form in lexicon.MODALS]
_BARE_BE = Leaf("be", "AUX", "VB")
_BARE_HAVE = Leaf("have", "AUX", "VB")


@dataclass(frozen=True)
class Form:
    """What a finite verb group expresses."""

    tense: Tense
    aspect: Aspect
    negated: bool
    plural: bool


class Predicate(NamedTuple):
    """A verb and what follows it, perhaps joined to another that takes the same auxiliaries."""

    verb: Verb
    after: list[Part]
    conjunction: Leaf | None = None
    other: Predicate | None = None


def draw_form(
    draw: Draw, verb: Verb, plural: bool, tenses: dict[Tense, float], negated: float = 0.2
) -> Form:
    """Draw a form that the verb can have.

    Parameters
    ----------
    draw : Draw
        The source of chance.
    verb : Verb
        A stative verb has no progressive.
    plural : bool
        Whether it agrees with a plural subject.
    tenses : dict of str to float
        How likely each tense is.
    negated : float, default=0.2
        The probability of *not*.

    Returns
    -------
    Form
        The form.
    """
    aspect: Aspect = draw.weighted({"simple": 0.82, "progressive": 0.1, "perfect": 0.08})
    if verb.stative and aspect == "progressive":
        aspect = "simple"
    return Form(draw.weighted(tenses), aspect, draw.chance(negated), plural)


def copula(draw: Draw, form: Form) -> list[Leaf]:
    """Make the words for *be* before its complement, *not* among them.

    Parameters
    ----------
    draw : Draw
        Chooses the modal.
    form : Form
        Its aspect is not used.

    Returns
    -------
    list of Leaf
        One to three words; the first is finite.
    """
    if form.tense == "modal":
        return [draw.one(_MODALS), *([NOT] if form.negated else []), _BARE_BE]
    return [_BE[form.tense, form.plural], *([NOT] if form.negated else [])]


def existential(form: Form) -> Leaf:
    """Make the *be* of *there is*, a verb by the guidelines of Universal Dependencies."""
    assert form.tense != "modal"
    be = _BE[form.tense, form.plural]
    return Leaf(be.form, "VERB", be.tag)


def verb_phrase(draw: Draw, predicate: Predicate, form: Form, adverb: Leaf | None = None) -> Phrase:
    """Make a finite verb phrase.

    Parameters
    ----------
    draw : Draw
        Chooses the modal.
    predicate : Predicate
        The lexical verb or verbs, and what follows them.
    form : Form
        Tense, aspect, negation, number.
    adverb : Leaf, optional
        Stands before the verb, after the first auxiliary.

    Returns
    -------
    Phrase
        Its label is VP.
    """
    chain, ending = _chain(draw, form, inverted=False)
    middle = _middle(form.negated, adverb)
    if not chain:
        inner = _bare(predicate, ending)
        return phrase("VP", *middle, ("head", inner)) if middle else inner
    return phrase("VP", ("aux", chain[0]), *middle, ("head", _rest(chain, predicate, ending)))


def inverted(
    draw: Draw, predicate: Predicate, form: Form, subject: Node, adverb: Leaf | None = None
) -> Phrase:
    """Make a question's clause: auxiliary, subject, verb phrase.

    Parameters
    ----------
    draw, predicate, form, adverb
        As in `verb_phrase`.
    subject : Node
        Stands after the first auxiliary.

    Returns
    -------
    Phrase
        Its label is SQ.
    """
    chain, ending = _chain(draw, form, inverted=True)
    return phrase(
        "SQ",
        ("aux", chain[0]),
        ("nsubj", subject),
        *_middle(form.negated, adverb),
        ("head", _rest(chain, predicate, ending)),
    )


def infinitive(predicate: Predicate) -> Phrase:
    """Make *to* and a verb phrase, a clause without a subject."""
    inner = _bare(predicate, "base")
    return phrase("S", ("head", phrase("VP", ("mark", TO), ("head", inner))))


def gerund(predicate: Predicate) -> Phrase:
    """Make a verb phrase in -ing, a clause without a subject."""
    return phrase("S", ("head", _bare(predicate, "gerund")))


def _chain(draw: Draw, form: Form, inverted: bool) -> tuple[list[Leaf], Ending]:
    """Choose the auxiliaries and the ending of the verb after them."""
    tense, plural = form.tense, form.plural
    if tense == "modal":
        modal = draw.one(_MODALS)
        if form.aspect == "progressive":
            return [modal, _BARE_BE], "gerund"
        if form.aspect == "perfect" and modal.form not in ("can", "will"):
            return [modal, _BARE_HAVE], "participle"
        return [modal], "base"
    if form.aspect == "progressive":
        return [_BE[tense, plural]], "gerund"
    if form.aspect == "perfect":
        return [_HAVE[tense, plural]], "participle"
    if form.negated or inverted:
        return [_DO[tense, plural]], "base"
    if tense == "past":
        return [], "past"
    return [], "present" if plural else "third"


def _middle(negated: bool, adverb: Leaf | None) -> list[Part]:
    middle: list[Part] = [("advmod", NOT)] if negated else []
    if adverb is not None and not negated:
        middle.append(("advmod", phrase("ADVP", ("head", adverb))))
    return middle


def _rest(chain: list[Leaf], predicate: Predicate, ending: Ending) -> Phrase:
    inner = _bare(predicate, ending)
    for auxiliary in reversed(chain[1:]):
        inner = phrase("VP", ("aux", auxiliary), ("head", inner))
    return inner


def _bare(predicate: Predicate, ending: Ending) -> Phrase:
    verb: Leaf = getattr(predicate.verb, ending)
    one = phrase("VP", ("head", verb), *predicate.after)
    if predicate.other is None or predicate.conjunction is None:
        return one
    other = _bare(predicate.other, ending)
    pair = phrase(None, ("cc", predicate.conjunction), ("head", other))
    return phrase("VP", ("head", one), ("conj", pair))
