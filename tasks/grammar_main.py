"""Main clauses: statements and questions around a verb and a subject noun of one split."""

from __future__ import annotations

from probes_tasks import lexicon
from probes_tasks.grammar_determiners import Front, determined
from probes_tasks.grammar_draw import Draw
from probes_tasks.grammar_markers import prepositional, subordinate, subordinator
from probes_tasks.grammar_phrases import SILENT_TENSE, Phrases
from probes_tasks.grammar_tree import Leaf, Part, Phrase, phrase
from probes_tasks.grammar_verbs import (
    Form,
    Predicate,
    Tense,
    copula,
    draw_form,
    existential,
    inverted,
    verb_phrase,
)
from probes_tasks.grammar_words import MainWords, Noun, Verb

MAIN_TENSE: dict[Tense, float] = {"past": 0.4, "present": 0.4, "modal": 0.2}
_FRAMES = {"i": 0.15, "m": 0.11, "t": 0.32, "d": 0.08, "c": 0.14, "x": 0.13, "o": 0.05, "q": 0.04}
_QUESTION_FRAMES = {"i": 0.22, "m": 0.22, "t": 0.36, "d": 0.06, "x": 0.1, "c": 0.04}
_FRONT_PREPOSITIONS = (("before", "E"), ("after", "E"), ("during", "E"), ("despite", "I"))
_COMMA = Leaf(",", "PUNCT", ",")
_STOP = Leaf(".", "PUNCT", ".")
_QUESTION_MARK = Leaf("?", "PUNCT", ".")


class MainClauses:
    """Sentences drawn from the main verbs and subject nouns of one split.

    Parameters
    ----------
    phrases : Phrases
        Makes all that is below the main clause.
    main : MainWords
        Verbs and subject nouns of the split.
    attractors : int
        The most nouns that may modify the main subject.
    """

    def __init__(self, phrases: Phrases, main: MainWords, attractors: int) -> None:
        self.phrases = phrases
        self.draw: Draw = phrases.draw
        self.main = main
        self._more = {
            k: weight for k, weight in {0: 0.3, 1: 0.28, 2: 0.2, 3: 0.22}.items() if k <= attractors
        }

    def sentence(self) -> Phrase:
        """Draw a whole sentence."""
        kinds = {
            self._statement: 0.75,
            self._yes_no_question: 0.09,
            self._wh_question: 0.07,
            self._copular: 0.06,
            self._existential: 0.03,
        }
        return self.draw.weighted(kinds)()

    def _statement(self) -> Phrase:
        draw = self.draw
        frame = draw.weighted(_FRAMES)
        verb, noun, plural = self._verb_and_noun(frame)
        form = draw_form(draw, verb, plural, MAIN_TENSE)
        after = self.phrases.complements(verb, frame, 0)
        if frame in "imtd":
            after += self.phrases.adjuncts(frame, noun.kind, 0, 0.55)
        predicate = Predicate(verb, after)
        front: list[Part] = []
        if frame in "imt" and draw.chance(0.15):
            predicate = self._joined(predicate, noun.kind, form)
        elif frame in "imtd" and draw.chance(0.32):
            clause = self._adverbial(noun.kind, form)
            if draw.chance(0.35):
                front = [("advcl", phrase(None, ("head", clause), ("punct", _COMMA)))]
            else:
                after.append(("advcl", clause))
        if not front and draw.chance(0.1):
            form_of_time, kinds = draw.one(_FRONT_PREPOSITIONS)
            time = prepositional(form_of_time, self.phrases.noun_phrase(kinds, 1, 0))
            front = [("obl", phrase(None, ("head", time), ("punct", _COMMA)))]
        group = verb_phrase(draw, predicate, form, self.phrases.adverb(0.1))
        subject = self._subject(noun, plural)
        parts: list[Part] = [*front, ("nsubj", subject), ("head", group)]
        if draw.chance(0.09):
            second = self.phrases.clause(1)
            pair = phrase(
                None,
                ("punct", _COMMA),
                ("cc", Leaf(draw.one(("and", "but")), "CCONJ", "CC")),
                ("head", second),
            )
            return phrase("S", ("head", phrase("S", *parts)), ("conj", pair), ("punct", _STOP))
        return phrase("S", *parts, ("punct", _STOP))

    def _yes_no_question(self) -> Phrase:
        frame = self.draw.weighted(_QUESTION_FRAMES)
        verb, noun, plural = self._verb_and_noun(frame)
        form = draw_form(self.draw, verb, plural, MAIN_TENSE, negated=0.1)
        after = self.phrases.complements(verb, frame, 1)
        if not after:
            after = self.phrases.adjuncts(frame, noun.kind, 0, 0.7)
        subject = self._subject(noun, plural)
        clause = inverted(self.draw, Predicate(verb, after), form, subject)
        return phrase("SQ", *clause.parts, ("punct", _QUESTION_MARK))

    def _wh_question(self) -> Phrase:
        draw = self.draw
        frame = draw.weighted({"i": 0.2, "m": 0.2, "t": 0.6})
        verb, noun, plural = self._verb_and_noun(frame)
        form = draw_form(draw, verb, plural, MAIN_TENSE, negated=0.1)
        after: list[Part] = []
        if frame == "t" and draw.chance(0.7):
            wh: Part = ("obj", self._wh_object(draw.one(verb.frames["t"][1])))
        else:
            after = self.phrases.complements(verb, frame, 1)
            form_of_wh = draw.one(("when", "why", "how", "where"))
            wh = ("advmod", phrase("WHADVP", ("head", Leaf(form_of_wh, "ADV", "WRB"))))
        subject = self._subject(noun, plural)
        clause = inverted(draw, Predicate(verb, after), form, subject)
        return phrase("SBARQ", wh, ("head", clause), ("punct", _QUESTION_MARK))

    def _copular(self) -> Phrase:
        draw = self.draw
        noun = self._noun("PAPABTVLRGFCW")
        plural = draw.chance(0.5)
        form = Form(draw.weighted(MAIN_TENSE), "simple", draw.chance(0.25), plural)
        words = copula(draw, form)
        adjective = draw.one(self.phrases.words.predicates[noun.kind])
        complement = phrase("ADJP", ("head", adjective))
        if noun.kind == "P" and draw.chance(0.3):
            other = self.phrases.noun("P")
            complement = determined(draw, self.phrases.words, other, plural, "new")
        subject = self._subject(noun, plural)
        if len(words) == 1 and draw.chance(0.15):
            be: Part = ("cop", words[0])
            parts: list[Part] = [be, ("nsubj", subject), ("head", complement)]
            return phrase("SQ", *parts, ("punct", _QUESTION_MARK))
        predicate = _copular_phrase(words, complement)
        end: list[Part] = []
        if draw.chance(0.3):
            end = [("advcl", self._finite_adverbial(form))]
        return phrase("S", ("nsubj", subject), ("head", predicate), *end, ("punct", _STOP))

    def _existential(self) -> Phrase:
        draw = self.draw
        noun = self._noun("PATBVG")
        plural = draw.chance(0.5)
        tense: Tense = draw.weighted({"past": 0.5, "present": 0.5})
        be = existential(Form(tense, "simple", False, plural))
        there = phrase("NP", ("head", Leaf("there", "PRON", "EX")))
        place = prepositional(
            draw.one(("in", "near", "behind", "outside")), self.phrases.noun_phrase("L", 1)
        )
        subject = self._subject(noun, plural, indefinite=True)
        predicate = phrase("VP", ("head", be), ("nsubj", subject), ("obl", place))
        return phrase("S", ("expl", there), ("head", predicate), ("punct", _STOP))

    def _verb_and_noun(self, frame: str) -> tuple[Verb, Noun, bool]:
        verb = self.main.verbs[frame].draw(self.draw)
        noun = self._noun(verb.frames[frame][0])
        return verb, noun, self.draw.chance(0.5)

    def _noun(self, kinds: str) -> Noun:
        return self.main.subjects[self.draw.one(kinds)].draw(self.draw)

    def _subject(self, noun: Noun, plural: bool, indefinite: bool = False) -> Phrase:
        """Make the main subject with 0 to 3 nouns after it.

        Each of these is as often of the subject's number as not, so that counting plurals tells
        nothing; all of them are of one number more often than by chance, so that three attractors
        in a row are not rare.
        """
        draw = self.draw
        front: Front = "new" if indefinite else "neutral" if draw.chance(0.6) else "any"
        head = determined(draw, self.phrases.words, noun, plural, front)
        mode = draw.one(("other", "same", "any"))
        wanted = None if mode == "any" else plural == (mode == "same")
        more = 0 if indefinite else draw.weighted(self._more)
        after = self.phrases.modifier(noun, plural, 0, more, wanted, tenses=SILENT_TENSE)
        return head if after is None else phrase("NP", ("head", head), after)

    def _joined(self, first: Predicate, kind: str, form: Form) -> Predicate:
        """Join a second predicate of the same subject, from the same split's verbs."""
        frame = self.draw.one("imt")
        verb = self.main.verbs[frame].draw(self.draw)
        if kind not in verb.frames[frame][0] or (verb.stative and form.aspect == "progressive"):
            return first
        after = self.phrases.complements(verb, frame, 1)
        forms = ("or",) if form.negated else ("and", "and", "and", "but")
        conjunction = Leaf(self.draw.one(forms), "CCONJ", "CC")
        return Predicate(first.verb, first.after, conjunction, Predicate(verb, after))

    def _adverbial(self, kind: str, form: Form) -> Phrase:
        if kind in "PA" and self.draw.chance(0.6):
            return self.phrases.gerund_clause(kind, 1)
        return self._finite_adverbial(form)

    def _finite_adverbial(self, form: Form) -> Phrase:
        draw = self.draw
        if draw.chance(0.6):
            mark = draw.one(lexicon.FREE_SUBORDINATORS)
            return subordinate(subordinator(mark), self.phrases.clause(1))
        mark = draw.one(lexicon.TEMPORAL_SUBORDINATORS)
        tense: Tense = "past" if form.tense == "past" else "present"
        return subordinate(subordinator(mark), self.phrases.clause(1, tense))

    def _wh_object(self, kind: str) -> Phrase:
        draw = self.draw
        if draw.chance(0.5):
            form = "who" if kind in "PA" else "what"
            return phrase("WHNP", ("head", Leaf(form, "PRON", "WP")))
        noun = self.phrases.noun(kind)
        plural = self.phrases.plural(noun)
        head = noun.plural if plural and noun.plural is not None else noun.singular
        form = draw.one(("which", "what"))
        return phrase("WHNP", ("det", Leaf(form, "DET", "WDT")), ("head", head))


def _copular_phrase(words: list[Leaf], complement: Phrase) -> Phrase:
    """Put *be* before its complement, which is the head in Universal Dependencies."""
    parts: list[Part] = []
    for word in words:
        if word.upos == "PART":
            parts.append(("advmod", word))
        else:
            parts.append(("aux" if word.tag == "MD" else "cop", word))
    return phrase("VP", *parts, ("head", complement))
