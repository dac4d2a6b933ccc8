"""A grammar of English that gives each sentence its gold analysis, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from probes_tasks.grammar_draw import Draw
from probes_tasks.grammar_main import MainClauses
from probes_tasks.grammar_phrases import Phrases
from probes_tasks.grammar_tree import Analysis, analyse
from probes_tasks.grammar_words import all_words, divide

from probes.task import Split

Number = Literal["singular", "plural"]
MainTense = Literal["past", "present"]

# The split of the sentence at each position, modulo ten.
_SPLITS: tuple[Split, ...] = (
    "train", "train", "train", "train", "dev", "train", "train", "train", "train", "test",
)  # fmt: skip


@dataclass(frozen=True)
class Sentence:
    """A sentence and its gold analysis.

    Parameters
    ----------
    words, upos, tags, lemmas : tuple of str
        The words, their universal and Penn Treebank parts of speech, and the lemmas of nouns, verbs
        and adjectives; empty for function words.
    heads : tuple of int
        The word that each word depends on, counted from 1; 0 for the root.
    deprels : tuple of str
        The relation to it, in Universal Dependencies 2.
    brackets : str
        The constituents, in the notation of the Penn Treebank.
    subject_number : {"singular", "plural"} or None
        Number of the main subject; None where the main verb is *be*, which no split could have
        to itself.
    tense : {"past", "present"} or None
        Tense of the main verb; None where it is *be* or follows a modal.
    attractors : int
        Nouns of the other number between the main subject's noun and the finite verb after it.
    split : {"train", "dev", "test"}
        Where the sentence stands; its main verb and subject noun head no main clause elsewhere.
    """

    words: tuple[str, ...]
    upos: tuple[str, ...]
    tags: tuple[str, ...]
    lemmas: tuple[str, ...]
    heads: tuple[int, ...]
    deprels: tuple[str, ...]
    brackets: str
    subject_number: Number | None
    tense: MainTense | None
    attractors: int
    split: Split


def generate(seed: int, attractors: int = 3) -> Iterator[Sentence]:
    """Generate distinct sentences without end.

    Parameters
    ----------
    seed : int
        The same sentences in the same order for the same seed.
    attractors : int, default=3
        The most nouns that may stand between the main subject and its verb.

    Yields
    ------
    Sentence
        Of every ten, eight are of the training split, one of the development and one of the test
        split.
    """
    draw = Draw(seed)
    phrases = Phrases(draw, all_words())
    clauses = {
        split: MainClauses(phrases, main, attractors) for split, main in divide(draw).items()
    }
    seen: set[tuple[str, ...]] = set()
    while True:
        split = _SPLITS[len(seen) % len(_SPLITS)]
        analysis = analyse(clauses[split].sentence())
        words = tuple(leaf.form for leaf in analysis.leaves)
        if words not in seen and not _repeats(analysis):
            seen.add(words)
            yield _sentence(analysis, words, split)


def _repeats(analysis: Analysis) -> bool:
    """Say whether two nouns, verbs or adjectives begin alike (*a plan to plan the packed pack*)."""
    stems = [leaf.lemma[:4] for leaf in analysis.leaves if leaf.lemma]
    return len(set(stems)) < len(stems)


def _sentence(analysis: Analysis, words: tuple[str, ...], split: Split) -> Sentence:
    leaves, heads, deprels, brackets = analysis
    number, tense, attractors = _labels(analysis)
    return Sentence(
        words=words,
        upos=tuple(leaf.upos for leaf in leaves),
        tags=tuple(leaf.tag for leaf in leaves),
        lemmas=tuple(leaf.lemma for leaf in leaves),
        heads=tuple(heads),
        deprels=tuple(deprels),
        brackets=brackets,
        subject_number=number,
        tense=tense,
        attractors=attractors,
        split=split,
    )


def _labels(analysis: Analysis) -> tuple[Number | None, MainTense | None, int]:
    """Read the main subject's number, the main verb's tense and the attractors off the tree."""
    leaves, heads, deprels, _ = analysis
    root = heads.index(0)
    own = [at for at, head in enumerate(heads) if head == root + 1]
    subject = next(at for at in own if deprels[at] == "nsubj")
    finite = next(at for at in [*own, root] if at == root or deprels[at] in ("aux", "cop"))
    other = "NN" if leaves[subject].tag == "NNS" else "NNS"
    attractors = sum(leaf.tag == other for leaf in leaves[subject + 1 : finite])
    if deprels.count("expl") or any(deprels[at] == "cop" for at in own):
        return None, None, attractors
    number: Number = "plural" if leaves[subject].tag == "NNS" else "singular"
    tag = leaves[finite].tag
    return number, None if tag == "MD" else "past" if tag == "VBD" else "present", attractors
