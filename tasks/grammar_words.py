"""Words ready for use: inflected, gathered into pools, and divided between the splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from probes_tasks import lexicon
from probes_tasks.grammar_draw import Draw
from probes_tasks.grammar_tree import Leaf

from probes.task import Split

# How often a word is one that has a second part of speech: a verb; a noun by its kind. Nouns for
# people are so frequent that with one share for all nearly every twofold word would be a noun.
TWOFOLD_VERBS = 0.96
TWOFOLD_NOUNS = {"E": 0.92, "I": 0.92}
TWOFOLD_OTHER_NOUNS = 0.72
SHARES: dict[Split, float] = {"train": 0.6, "dev": 0.2, "test": 0.2}


class Noun(NamedTuple):
    """A noun: its kind (a letter of the lexicon) and its two forms."""

    kind: str
    singular: Leaf
    plural: Leaf | None


class Verb(NamedTuple):
    """A verb: its forms, and for each frame the kinds of its subject and of its object."""

    lemma: str
    base: Leaf
    present: Leaf
    third: Leaf
    past: Leaf
    participle: Leaf
    gerund: Leaf
    stative: bool
    frames: Mapping[str, tuple[str, str]]


W = TypeVar("W")


class Pool(NamedTuple, Generic[W]):
    """Words to draw from: those with a second part of speech, and the plain ones."""

    ambiguous: Sequence[W]
    plain: Sequence[W]
    share: float
    """How often one of the former is drawn."""

    def draw(self, draw: Draw) -> W:
        """Draw a word, one with a second part of speech more often than not."""
        if self.ambiguous and (not self.plain or draw.chance(self.share)):
            return draw.one(self.ambiguous)
        return draw.one(self.plain)


@dataclass(frozen=True)
class Words:
    """The inflected lexicon."""

    nouns: Mapping[str, Pool[Noun]]
    """By kind."""
    verbs: Mapping[tuple[str, str], Pool[Verb]]
    """By frame and kind of the subject."""
    takers: Mapping[str, Pool[Verb]]
    """Transitive verbs with a living subject, by kind of the object."""
    adjectives: Mapping[str, Sequence[Leaf]]
    """Before a noun, by its kind."""
    predicates: Mapping[str, Sequence[Leaf]]
    """After *be*, by the subject's kind."""


@dataclass(frozen=True)
class MainWords:
    """The verbs and subject nouns that head main clauses in one split and in no other."""

    verbs: Mapping[str, Pool[Verb]]
    """By frame."""
    subjects: Mapping[str, Pool[Noun]]
    """By kind."""


@lru_cache(maxsize=1)
def all_words() -> Words:
    """Inflect the lexicon.

    Returns
    -------
    Words
        Every word of the corpus but the function words.
    """
    nouns, verbs, embedded = _nouns(), _main_verbs(), _verbs(lexicon.EMBEDDED_VERBS)
    twofold = _twofold(nouns, [*verbs, *embedded])
    by_subject: dict[tuple[str, str], list[Verb]] = defaultdict(list)
    by_object: dict[str, list[Verb]] = defaultdict(list)
    for verb in _repeated([*verbs, *embedded]):
        for frame, (subjects, objects) in verb.frames.items():
            for kind in subjects:
                by_subject[frame, kind].append(verb)
            if frame == "t" and set(subjects) & set("PA"):
                for kind in objects:
                    by_object[kind].append(verb)
    adjectives = {kind: _adjectives(kind) for kind in lexicon.NOUNS}
    return Words(
        nouns={
            kind: _pool([noun for noun in nouns if noun.kind == kind], twofold)
            for kind in lexicon.NOUNS
        },
        verbs={key: _pool(found, twofold) for key, found in by_subject.items()},
        takers={key: _pool(found, twofold) for key, found in by_object.items()},
        adjectives=adjectives,
        predicates={
            kind: [word for word in found if word.form not in lexicon.ATTRIBUTIVE.split()]
            for kind, found in adjectives.items()
        },
    )


def divide(draw: Draw) -> dict[Split, MainWords]:
    """Divide the main verbs and the subject nouns between the splits.

    Parameters
    ----------
    draw : Draw
        Decides which word goes where.

    Returns
    -------
    dict of str to MainWords
        One for each split; no lemma stands in two.
    """
    nouns, verbs = [noun for noun in _nouns() if noun.plural is not None], _main_verbs()
    twofold = _twofold(_nouns(), verbs)
    noun_rows = [[noun for noun in nouns if noun.kind == kind] for kind in lexicon.NOUNS]
    # A verb goes with the row where it stands first, so that each split has verbs of each row.
    first: dict[tuple[str, tuple[str, str]], list[Verb]] = defaultdict(list)
    for verb in verbs:
        first[next(iter(verb.frames.items()))].append(verb)
    noun_parts = _parts(noun_rows, draw)
    verb_parts = _parts(list(first.values()), draw)
    found: dict[Split, MainWords] = {}
    for split in SHARES:
        frames: dict[str, list[Verb]] = defaultdict(list)
        for verb in _repeated(verb_parts[split]):
            for frame in verb.frames:
                frames[frame].append(verb)
        found[split] = MainWords(
            verbs={frame: _pool(rows, twofold) for frame, rows in frames.items()},
            subjects={
                kind: _pool([noun for noun in noun_parts[split] if noun.kind == kind], twofold)
                for kind in lexicon.NOUNS
            },
        )
    return found


def _parts(rows: Iterable[Sequence[W]], draw: Draw) -> dict[Split, list[W]]:
    """Divide each row of words in the shares of the splits, at random."""
    parts: dict[Split, list[W]] = {split: [] for split in SHARES}
    for row in rows:
        words = draw.shuffled(row)
        taken = max(1, round(len(words) * SHARES["test"]))
        parts["test"] += words[:taken]
        parts["dev"] += words[taken : 2 * taken]
        parts["train"] += words[2 * taken :]
    return parts


def _pool(words: Sequence[W], twofold: set[str]) -> Pool[W]:
    share = TWOFOLD_VERBS
    if words and isinstance(words[0], Noun):
        share = TWOFOLD_NOUNS.get(words[0].kind, TWOFOLD_OTHER_NOUNS)
    return Pool(
        [word for word in words if _citation(word) in twofold],
        [word for word in words if _citation(word) not in twofold],
        share,
    )


def _citation(word: object) -> str:
    if isinstance(word, Noun):
        return word.singular.form
    assert isinstance(word, Verb)
    return word.base.form


def _repeated(verbs: Sequence[Verb]) -> list[Verb]:
    """Repeat the verbs that are drawn more often than others."""
    often = {
        noun.singular.form: lexicon.FREQUENT_KINDS.get(noun.kind, 1) for noun in _nouns()
    } | lexicon.FREQUENT
    return [verb for verb in verbs for _ in range(often.get(verb.lemma, 1))]


def _twofold(nouns: Sequence[Noun], verbs: Sequence[Verb]) -> set[str]:
    """Find the words that stand in the table of another part of speech as well."""
    as_noun = {noun.singular.form for noun in nouns}
    as_verb = {verb.base.form for verb in verbs}
    as_adjective = {word for _, words in lexicon.ADJECTIVES for word in words.split()}
    modals = {*lexicon.MODALS, "have", "do"}
    return (as_noun & (as_verb | as_adjective | modals)) | (as_verb & (as_adjective | modals))


def _nouns() -> list[Noun]:
    found = []
    for kind, row in lexicon.NOUNS.items():
        for entry in row.split():
            singular, slash, plural = entry.partition("/")
            form = plural if slash else _with_s(singular)
            found.append(
                Noun(
                    kind,
                    Leaf(singular, "NOUN", "NN", singular),
                    Leaf(form, "NOUN", "NNS", singular) if form else None,
                )
            )
    return found


def _main_verbs() -> list[Verb]:
    return _verbs(lexicon.VERBS)


def _verbs(rows: Iterable[tuple[str, str, str, str]]) -> list[Verb]:
    irregular = {row.split()[0]: row.split() for row in lexicon.IRREGULAR.split(";")}
    frames: dict[str, dict[str, tuple[str, str]]] = {}
    for frame, subjects, objects, lemmas in rows:
        for lemma in lemmas.split():
            frames.setdefault(lemma, {}).setdefault(frame, (subjects, objects))
    found = []
    for lemma, own in frames.items():
        regular = _with_ed(lemma)
        _, past, participle = irregular.get(lemma, (lemma, regular, regular))
        third = "has" if lemma == "have" else _with_s(lemma)
        found.append(
            Verb(
                lemma,
                base=Leaf(lemma, "VERB", "VB", lemma),
                present=Leaf(lemma, "VERB", "VBP", lemma),
                third=Leaf(third, "VERB", "VBZ", lemma),
                past=Leaf(past, "VERB", "VBD", lemma),
                participle=Leaf(participle, "VERB", "VBN", lemma),
                gerund=Leaf(_with_ing(lemma), "VERB", "VBG", lemma),
                stative=lemma in lexicon.STATIVE.split(),
                frames=own,
            )
        )
    return found


def _adjectives(kind: str) -> list[Leaf]:
    words = [word for kinds, row in lexicon.ADJECTIVES if kind in kinds for word in row.split()]
    words += [
        word for word in lexicon.GENERAL_ADJECTIVES if kind in lexicon.GENERAL_KINDS.get(word, kind)
    ]
    return [Leaf(word, "ADJ", "JJ", word) for word in dict.fromkeys(words)]


def _with_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh", "o")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def _with_ed(word: str) -> str:
    if word.endswith("e"):
        return word + "d"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ied"
    return word + (word[-1] if word in lexicon.DOUBLED.split() else "") + "ed"


def _with_ing(word: str) -> str:
    if word.endswith("e") and not word.endswith("ee"):
        return word[:-1] + "ing"
    return word + (word[-1] if word in lexicon.DOUBLED.split() else "") + "ing"
