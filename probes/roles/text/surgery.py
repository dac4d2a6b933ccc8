"""Surgery: one filler taken out of an encoding and another bound in its place.

Soulos et al. (2020, section 5) subtract a filler-role binding from an encoding, add another, and
ask whether the model's output becomes that of the changed sequence. Here the encoding is the
model's own, and only the difference of the bindings comes from the decomposition:
e' = e - B(old, role) + B(new, role), and the same for each other item whose role the change of the
word changes (a Wickelrole over words, say; over parts of speech none is changed).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from probes.errors import InputError
from probes.roles.sequences import Sentence


@dataclass(frozen=True)
class Edit:
    """One word of a sentence, replaced.

    Parameters
    ----------
    sentence : int
        Which sentence.
    position : int
        Of the word in it.
    old, new, other : str
        What stands there, what is to stand there, and a third word of the same part of speech, for
        a control.
    """

    sentence: int
    position: int
    old: str
    new: str
    other: str


def draw_edits(
    sentences: Sequence[Sentence],
    vocabulary: Sequence[Sentence],
    n_edits: int,
    *,
    annotation: str | None = "upos",
    seed: int = 0,
) -> list[Edit]:
    """Draw edits: a sentence, a word of it, and two words to put in its place.

    Parameters
    ----------
    sentences : sequence of Sentence
        To be edited, each at most once until each was edited.
    vocabulary : sequence of Sentence
        Their words are put in (as often as they occur there), and theirs alone are replaced.
    n_edits : int
        How many.
    annotation : str, optional
        The old and the new word are alike in it (``"upos"``); any word for any where it is None.
    seed : int
        Of the draw.

    Returns
    -------
    list of Edit
        As many, or fewer where no sentence has a word that can be replaced.

    Raises
    ------
    InputError
        If the sentences lack the annotation, or no word can be replaced.
    """
    words = _by_class(vocabulary, annotation)
    distinct = {name: set(found) for name, found in words.items()}
    random = np.random.default_rng([seed, n_edits])
    edits: list[Edit] = []
    while len(edits) < n_edits:
        before = len(edits)
        for k in random.permutation(len(sentences)).tolist():
            classes = _classes(sentences[k], annotation)
            places = [
                i
                for i, (word, name) in enumerate(zip(sentences[k], classes, strict=True))
                if word in distinct.get(name, ()) and len(distinct[name]) > 2
            ]
            if places and len(edits) < n_edits:
                i = places[int(random.integers(len(places)))]
                old, chosen = sentences[k].words[i], words[classes[i]]
                new = _another(chosen, {old}, random)
                edits.append(Edit(k, i, old, new, _another(chosen, {old, new}, random)))
        if len(edits) == before:
            raise InputError(
                f"none of the {len(sentences)} sentences has a word of training that can be "
                "replaced by another of its class; give more training sentences"
            )
    return edits


def _by_class(sentences: Sequence[Sentence], annotation: str | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for sentence in sentences:
        for word, name in zip(sentence.words, _classes(sentence, annotation), strict=True):
            found.setdefault(name, []).append(word)
    return found


def _classes(sentence: Sentence, annotation: str | None) -> Sequence[str]:
    if annotation is None:
        return [""] * len(sentence)
    if annotation not in sentence.annotations:
        raise InputError(
            f"the sentence {' '.join(sentence.words)!r} has no annotation {annotation!r}, in which "
            "a word and its replacement must be alike; ask the task for it too"
        )
    return sentence.annotations[annotation]


def _another(words: Sequence[str], but: set[str], random: np.random.Generator) -> str:
    while (word := words[int(random.integers(len(words)))]) in but:
        pass
    return word


def replaced(sentence: Sentence, position: int, word: str) -> Sentence:
    """Put another word in a place of a sentence; annotations and tree stay."""
    words = (*sentence.words[:position], word, *sentence.words[position + 1 :])
    return dataclasses.replace(sentence, words=words)
