"""Noun phrases, what modifies them, and the clauses within sentences: one recursive grammar."""

from __future__ import annotations

from probes_tasks import lexicon
from probes_tasks.grammar_determiners import determined
from probes_tasks.grammar_draw import Draw
from probes_tasks.grammar_markers import (
    AND,
    THAT,
    adverb_phrase,
    prepositional,
    subordinate,
    subordinator,
)
from probes_tasks.grammar_tree import Leaf, Part, Phrase, phrase
from probes_tasks.grammar_verbs import (
    Predicate,
    Tense,
    draw_form,
    gerund,
    infinitive,
    verb_phrase,
)
from probes_tasks.grammar_words import Noun, Verb, Words

# How deep clauses may stand in one another.
DEEPEST = 2
_NAMES = lexicon.NAMES.split()
ANY_TENSE: dict[Tense, float] = {"past": 0.22, "present": 0.44, "modal": 0.34}
# Tenses that say nothing of number, for what agrees with the main subject out of its clause.
SILENT_TENSE: dict[Tense, float] = {"past": 0.55, "present": 0.1, "modal": 0.35}
_WHO = Leaf("who", "PRON", "WP")
_WHICH = Leaf("which", "PRON", "WDT")
_RELATIVE_THAT = Leaf("that", "PRON", "WDT")
_CLAUSE_FRAMES = {"i": 0.2, "m": 0.09, "t": 0.41, "d": 0.04, "x": 0.17, "c": 0.09}
_INFINITIVE_FRAMES = {"i": 0.24, "m": 0.1, "t": 0.52, "d": 0.05, "x": 0.03}
_LAST_CLAUSE_FRAMES = {"i": 0.3, "m": 0.1, "t": 0.53}


class Phrases:
    """Phrases drawn from the lexicon.

    Parameters
    ----------
    draw : Draw
        The source of chance.
    words : Words
        The lexicon.
    """

    def __init__(self, draw: Draw, words: Words) -> None:
        self.draw = draw
        self.words = words

    def noun(self, kinds: str) -> Noun:
        """Draw a noun of one of the kinds."""
        return self.words.nouns[self.draw.one(kinds)].draw(self.draw)

    def plural(self, noun: Noun, wanted: bool | None = None) -> bool:
        """Draw a number that the noun can have, the wanted one where there is a choice."""
        if noun.plural is None:
            return False
        return self.draw.chance(0.5) if wanted is None else wanted

    def noun_phrase(
        self,
        kinds: str,
        level: int,
        more: int | None = None,
        wanted: bool | None = None,
        relatives: bool = True,
    ) -> Phrase:
        """Make a noun phrase that is no main subject.

        Parameters
        ----------
        kinds : str
            Kinds that its noun may be of.
        level : int
            How many clauses it stands in.
        more : int, optional
            How many nouns modify it; drawn by default.
        wanted : bool, optional
            Whether its nouns are plural; drawn by default.
        relatives : bool, default=True
            Whether relative clauses may modify it.

        Returns
        -------
        Phrase
            Its label is NP.
        """
        if more is None:
            more = self.draw.weighted({0: 0.78, 1: 0.2, 2: 0.02}) if level < DEEPEST else 0
        noun = self.noun(kinds)
        plural = self.plural(noun, wanted)
        head = determined(self.draw, self.words, noun, plural)
        after = self.modifier(noun, plural, level, more, wanted, relatives=relatives)
        return head if after is None else phrase("NP", ("head", head), after)

    def object_phrase(self, kinds: str, level: int) -> Phrase:
        """Make an object: a noun phrase, two of them, a name, or a pronoun."""
        kind = self.draw.one(kinds)
        if self.draw.chance(0.18):
            return phrase("NP", ("head", self.pronoun_object(kind)))
        if kind == "P" and self.draw.chance(0.12):
            return self.name()
        one = self.noun_phrase(kind, level)
        if level < DEEPEST and self.draw.chance(0.1):
            other = self.noun_phrase(kind, level, more=0)
            return phrase("NP", ("head", one), ("conj", phrase(None, ("cc", AND), ("head", other))))
        return one

    def pronoun_object(self, kind: str) -> Leaf:
        """Draw a pronoun in the object's form for a noun of this kind."""
        if kind in "PA":
            forms = [form for _, _, form in lexicon.PRONOUNS] + ["me"]
            return Leaf(self.draw.one(forms), "PRON", "PRP")
        if self.draw.chance(0.75):
            return Leaf(self.draw.one(("that", "this", "these", "those")), "PRON", "DT")
        return Leaf(self.draw.one(("it", "them")), "PRON", "PRP")

    def name(self) -> Phrase:
        """Draw a person's name."""
        return phrase("NP", ("head", Leaf(self.draw.one(_NAMES), "PROPN", "NNP")))

    def modifier(
        self,
        noun: Noun,
        plural: bool,
        level: int,
        more: int,
        wanted: bool | None,
        relatives: bool = True,
        tenses: dict[Tense, float] = ANY_TENSE,
    ) -> Part | None:
        """Make what follows a noun: a prepositional phrase or a clause with `more` nouns in it."""
        draw, kind = self.draw, noun.kind
        relatives = relatives and level < DEEPEST
        if more == 0:
            if not relatives or not draw.chance(0.15):
                return None
            return self._relative(noun, plural, level, 0, wanted, tenses)
        if relatives and kind == "I" and draw.chance(0.5):
            clause = self._noun_clause(noun, level, more, wanted)
            if clause is not None:
                return clause
        prepositions = self._noun_prepositions(kind)
        if relatives and (not prepositions or draw.chance(0.5)):
            return self._relative(noun, plural, level, more, wanted, tenses)
        form, kinds = draw.one(prepositions)
        inner = self.noun_phrase(kinds, level, more - 1, wanted, relatives)
        return "nmod", prepositional(form, inner)

    def clause(self, level: int, tense: Tense | None = None) -> Phrase:
        """Make a finite clause with a subject of its own; the tense is drawn by default."""
        draw = self.draw
        weights = _LAST_CLAUSE_FRAMES if level >= DEEPEST else _CLAUSE_FRAMES
        frame = draw.weighted(weights)
        kind = "P" if frame not in ("i", "t") else draw.weighted({"P": 0.6, "A": 0.25, "V": 0.15})
        if (frame, kind) not in self.words.verbs:
            kind = "P"
        subject, plural = self._subject(kind, level)
        verb = self.words.verbs[frame, kind].draw(draw)
        # A clause of time is not negated: *before the boy does not leave* means nothing.
        tenses, negated = (ANY_TENSE, 0.3) if tense is None else ({tense: 1.0}, 0.0)
        form = draw_form(draw, verb, plural, tenses, negated)
        after = self.complements(verb, frame, level)
        if not after:
            after = self.adjuncts(frame, kind, level, 0.55)
        predicate = verb_phrase(draw, Predicate(verb, after), form, self.adverb(0.12))
        return phrase("S", ("nsubj", subject), ("head", predicate))

    def complements(self, verb: Verb, frame: str, level: int) -> list[Part]:
        """Make what the frame of a verb asks for."""
        _, objects = verb.frames[frame]
        if frame == "t":
            return [("obj", self.object_phrase(objects, level))]
        if frame == "d":
            return self._two_objects(objects, level)
        if frame == "c":
            return [("ccomp", self._that_clause(level))]
        if frame == "q":
            return [("ccomp", self._whether_clause(level))]
        if frame == "x":
            return [("xcomp", self.infinitive_clause("P", level + 1))]
        if frame == "o":
            person = self.object_phrase("P", DEEPEST)
            return [("obj", person), ("xcomp", self.infinitive_clause("P", level + 1))]
        return []

    def adjuncts(self, frame: str, kind: str, level: int, share: float) -> list[Part]:
        """Make an adverb or a prepositional phrase after the verb, or neither."""
        draw = self.draw
        if not draw.chance(share):
            return []
        living = kind in "PA"
        if draw.chance(0.5):
            forms = lexicon.MANNER if living else lexicon.TIME
            if draw.chance(0.5):
                forms = lexicon.MOTION_ADVERBS if frame == "m" else lexicon.PLACE_ADVERBS
            return [("advmod", adverb_phrase(draw.one(forms)))]
        _, form, kinds = draw.one(
            [
                row
                for row in lexicon.VERB_PREPOSITIONS
                if frame in row[0] and (living or row[1] not in lexicon.LIVING_PREPOSITIONS)
            ]
        )
        more = None if level < 1 else 0
        return [("obl", prepositional(form, self.noun_phrase(kinds, level, more)))]

    def adverb(self, share: float) -> Leaf | None:
        """Draw an adverb that stands before the verb, or none."""
        if not self.draw.chance(share):
            return None
        return Leaf(self.draw.one(lexicon.FREQUENCY), "ADV", "RB")

    def infinitive_clause(self, kind: str, level: int, more: int | None = None) -> Phrase:
        """Make an infinitive whose unspoken subject is of this kind."""
        return infinitive(self._bare_predicate(kind, level, more))

    def gerund_clause(self, kind: str, level: int) -> Phrase:
        """Make a clause in -ing with its subordinator: *before leaving the park*."""
        predicate = self._bare_predicate(kind, level, None)
        form = self.draw.one(lexicon.GERUND_SUBORDINATORS)
        return subordinate(subordinator(form), gerund(predicate))

    def _bare_predicate(self, kind: str, level: int, more: int | None) -> Predicate:
        draw = self.draw
        weights = _INFINITIVE_FRAMES if kind == "P" and level < DEEPEST else _LAST_CLAUSE_FRAMES
        if more is not None:
            weights = {"i": 0.5, "m": 0.5} if more == 0 else {"t": 1.0}
        frame = draw.weighted(weights)
        verb = self.words.verbs[frame, kind].draw(draw)
        if more:
            inner = self.noun_phrase(verb.frames["t"][1], level, more - 1, relatives=False)
            return Predicate(verb, [("obj", inner)])
        after = self.complements(verb, frame, level)
        if not after and more is None:
            after = self.adjuncts(frame, kind, level, 0.55)
        if frame in "imt" and more is None and draw.chance(0.1):
            other = self.words.verbs["i", kind].draw(draw)
            return Predicate(verb, after, AND, Predicate(other, []))
        return Predicate(verb, after)

    def _subject(self, kind: str, level: int) -> tuple[Phrase, bool]:
        """Make the subject of a clause within the sentence, and say whether it is plural."""
        draw = self.draw
        if kind == "P" and draw.chance(0.4):
            if draw.chance(0.3):
                return self.name(), False
            form, plural, _ = draw.one(lexicon.PRONOUNS)
            return phrase("NP", ("head", Leaf(form, "PRON", "PRP"))), plural
        noun = self.noun(kind)
        plural = self.plural(noun)
        head = determined(draw, self.words, noun, plural)
        if level < DEEPEST and draw.chance(0.15):
            after = self.modifier(noun, plural, level + 1, 1, None)
            assert after is not None
            return phrase("NP", ("head", head), after), plural
        if draw.chance(0.08):
            other = determined(draw, self.words, self.noun(kind), draw.chance(0.5))
            pair = phrase(None, ("cc", AND), ("head", other))
            return phrase("NP", ("head", head), ("conj", pair)), True
        return head, plural

    def _noun_prepositions(self, kind: str) -> list[tuple[str, str]]:
        return [(form, after) for kinds, form, after in lexicon.NOUN_PREPOSITIONS if kind in kinds]

    def _relative(
        self,
        noun: Noun,
        plural: bool,
        level: int,
        more: int,
        wanted: bool | None,
        tenses: dict[Tense, float],
    ) -> Part:
        takers = self.words.takers.get(noun.kind)
        as_subject = [f for f in "imt" if (f, noun.kind) in self.words.verbs]
        if takers is not None and (not as_subject or self.draw.chance(0.5)):
            return self._object_relative(noun, level, more, wanted)
        frame = self.draw.one(as_subject)
        verb = self.words.verbs[frame, noun.kind].draw(self.draw)
        form = draw_form(self.draw, verb, plural, tenses)
        after: list[Part] = []
        if frame == "t" and more == 0:
            kind = self.draw.one(verb.frames["t"][1])
            after = [("obj", phrase("NP", ("head", self.pronoun_object(kind))))]
        elif frame == "t":
            inner = self.noun_phrase(verb.frames["t"][1], level + 1, more - 1, wanted)
            after = [("obj", inner)]
        elif more:
            found = [row for row in lexicon.VERB_PREPOSITIONS if frame in row[0]]
            _, preposition, kinds = self.draw.one(found)
            inner = self.noun_phrase(kinds, level + 1, more - 1, wanted)
            after = [("obl", prepositional(preposition, inner))]
        else:
            after = [
                (
                    "advmod",
                    adverb_phrase(
                        self.draw.one(lexicon.MANNER if noun.kind in "PA" else lexicon.TIME)
                    ),
                )
            ]
        predicate = verb_phrase(self.draw, Predicate(verb, after), form)
        relativizer = self._relativizer(noun.kind)
        inner_clause = phrase("S", ("head", predicate))
        relative = phrase("SBAR", ("nsubj", relativizer), ("head", inner_clause))
        return "acl:relcl", relative

    def _object_relative(self, noun: Noun, level: int, more: int, wanted: bool | None) -> Part:
        draw = self.draw
        verb = self.words.takers[noun.kind].draw(draw)
        if more == 0:
            pronoun, plural, _ = draw.one(lexicon.PRONOUNS)
            subject = phrase("NP", ("head", Leaf(pronoun, "PRON", "PRP")))
        else:
            kinds = "".join(kind for kind in verb.frames["t"][0] if kind in "PA")
            inner = self.noun(kinds)
            plural = self.plural(inner, wanted)
            subject = determined(draw, self.words, inner, plural)
            if more > 1:
                after = self.modifier(inner, plural, level, more - 1, wanted, relatives=False)
                assert after is not None
                subject = phrase("NP", ("head", subject), after)
        form = draw_form(draw, verb, plural, ANY_TENSE, 0.3)
        predicate = verb_phrase(draw, Predicate(verb, []), form, self.adverb(0.1))
        clause = phrase("S", ("nsubj", subject), ("head", predicate))
        if draw.chance(0.15):
            return "acl:relcl", phrase("SBAR", ("head", clause))
        relativizer = self._relativizer(noun.kind)
        return "acl:relcl", phrase("SBAR", ("obj", relativizer), ("head", clause))

    def _relativizer(self, kind: str) -> Phrase:
        if kind == "P":
            leaf = _WHO if self.draw.chance(0.4) else _RELATIVE_THAT
        else:
            leaf = _WHICH if self.draw.chance(0.3) else _RELATIVE_THAT
        return phrase("WHNP", ("head", leaf))

    def _noun_clause(self, noun: Noun, level: int, more: int, wanted: bool | None) -> Part | None:
        """Make *to leave* or *that the boys left* after a noun that takes it."""
        word = noun.singular.form
        if word in lexicon.INFINITIVE_NOUNS:
            return "acl", self.infinitive_clause("P", DEEPEST, more)
        if word not in lexicon.CLAUSE_NOUNS or more > 2:
            return None
        subject_noun = self.noun("PA")
        plural = self.plural(subject_noun, wanted)
        subject = determined(self.draw, self.words, subject_noun, plural)
        frame = "t" if more == 2 else "m"
        verb = self.words.verbs[frame, subject_noun.kind].draw(self.draw)
        after: list[Part] = []
        if more == 2:
            inner = self.noun_phrase(verb.frames["t"][1], DEEPEST, 0, wanted)
            after = [("obj", inner)]
        form = draw_form(self.draw, verb, plural, ANY_TENSE, 0.3)
        predicate = verb_phrase(self.draw, Predicate(verb, after), form)
        clause = phrase("S", ("nsubj", subject), ("head", predicate))
        return "acl", subordinate(THAT, clause)

    def _two_objects(self, objects: str, level: int) -> list[Part]:
        person = self.object_phrase("P", DEEPEST)
        thing = self.noun_phrase(objects, level, 0)
        if self.draw.chance(0.4):
            return [("iobj", person), ("obj", thing)]
        return [("obj", thing), ("obl", prepositional("to", person))]

    def _that_clause(self, level: int) -> Phrase:
        clause = self.clause(level + 1)
        if self.draw.chance(0.2):
            return phrase("SBAR", ("head", clause))
        return subordinate(THAT, clause)

    def _whether_clause(self, level: int) -> Phrase:
        clause = self.clause(level + 1)
        if self.draw.chance(0.5):
            return subordinate(Leaf(self.draw.one(("whether", "if")), "SCONJ", "IN"), clause)
        adverb = Leaf(self.draw.one(("when", "when", "where", "why", "how")), "ADV", "WRB")
        return phrase("SBAR", ("advmod", phrase("WHADVP", ("head", adverb))), ("head", clause))
