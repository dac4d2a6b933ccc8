"""Sentences as texts: how they are written, what they are labelled with, how they are edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.schemes import RoleScheme
from probes.roles.sequences import Sentence
from probes.roles.text.chosen import words_for
from probes.roles.text.corpus import bounds_of
from probes.roles.text.surgery import replaced
from probes.task import SPLITS, Task, sentence_task

Spans = Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Texts:
    """Sentences, and how they are written.

    Parameters
    ----------
    sentences : tuple of Sentence
        Their words.
    texts : tuple of str
        As a model reads them.
    spans : tuple of sequences of (int, int)
        Where each word stands in its text, in characters.
    """

    sentences: tuple[Sentence, ...]
    texts: tuple[str, ...]
    spans: tuple[Spans, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Texts:
        """Keep some, in this order, perhaps several times."""
        return Texts(
            tuple(self.sentences[k] for k in rows),
            tuple(self.texts[k] for k in rows),
            tuple(self.spans[k] for k in rows),
        )

    def edited(self, edits: Sequence[tuple[int, str]]) -> Texts:
        """Put another word in a place of each; what stands between the words stays.

        Parameters
        ----------
        edits : sequence of (int, str)
            The place and the word, one a text.

        Returns
        -------
        Texts
            As many.
        """
        sentences, texts, spans = [], [], []
        for k, (place, word) in enumerate(edits):
            start, end = self.spans[k][place]
            longer = len(word) - (end - start)
            sentences.append(replaced(self.sentences[k], place, word))
            texts.append(self.texts[k][:start] + word + self.texts[k][end:])
            spans.append(
                [
                    (a + longer * (i > place), b + longer * (i >= place))
                    for i, (a, b) in enumerate(self.spans[k])
                ]
            )
        return Texts(tuple(sentences), tuple(texts), tuple(spans))


@dataclass(frozen=True, eq=False)
class Corpus:
    """Sentences of some lengths, split, and as a task of whole sentences.

    Parameters
    ----------
    texts : Texts
        All of them, in the order of the task's units.
    task : Task
        Of sentences; it is labelled by what their first words are labelled with.
    rows : dict of str to ndarray of int64
        By split, the numbers of its sentences.
    """

    texts: Texts
    task: Task
    rows: dict[str, npt.NDArray[np.int64]]

    def sentences(self, split: str) -> list[Sentence]:
        """List the sentences of a split."""
        return [self.texts.sentences[k] for k in self.rows[split]]


def load_corpus(
    schemes: Sequence[RoleScheme],
    tasks: Sequence[Task],
    *,
    shortest: int,
    longest: int,
    pipeline: str | None = None,
    answers: str | None = None,
) -> Corpus:
    """Make sentences of the words of a corpus.

    Parameters
    ----------
    schemes, tasks, shortest, longest, pipeline
        As `words_for`.
    answers : str, optional
        The annotation of which a sentence's first word gives the sentence its label.

    Returns
    -------
    Corpus
        Of all splits.

    Raises
    ------
    InputError
        As `words_for`, or if a split has no sentence of such a length, or the annotation is
        unknown.
    """
    words, kept = words_for(schemes, tasks, shortest=shortest, longest=longest, pipeline=pipeline)
    bounds = bounds_of(words)
    first = [start for start, _ in bounds]
    spans = tuple([(a, b) for a, b in words.spans[i:j].tolist()] for i, j in bounds)
    splits = words.splits[first]
    rows: dict[str, npt.NDArray[np.int64]] = {
        split: np.flatnonzero(splits == split) for split in SPLITS
    }
    for split, found in rows.items():
        if not len(found):
            raise InputError(
                f"no sentence of {shortest} to {longest} words in the {split} split; choose others "
                "(shortest, longest), or give more data"
            )
    task = sentence_task(
        words.texts,
        [_answer(sentence, answers) for sentence in kept],
        splits=splits.tolist(),
        groups=words.groups[first].tolist(),
        name=words.name,
        labelling="sentence" if answers is None else f"{answers} of the first word",
        group_kind=words.group_kind,
        title=words.title,
        version=words.version,
        source=words.source,
        licence=words.licence,
        citation=words.citation,
        counts=words.counts,
        notes=words.notes,
    )
    return Corpus(Texts(tuple(kept), words.texts, spans), task, rows)


def _answer(sentence: Sentence, annotation: str | None) -> str:
    if annotation is None:
        return "sentence"
    if annotation not in sentence.annotations:
        raise InputError(
            f"the task has no labelling {annotation!r}, which a head is to answer for the first "
            f"word of a sentence; ask for it, or choose another (answers); known: "
            f"{', '.join(sorted(sentence.annotations)) or 'none'}"
        )
    return sentence.annotations[annotation][0]
