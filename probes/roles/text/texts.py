"""Sentences as texts: how they are written, what they are labelled with, how they are edited."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.sequences import Sentence
from probes.roles.text.corpus import narrowed, select, sentences_of
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
    tasks: Sequence[Task],
    *,
    shortest: int,
    longest: int,
    pipeline: str | None = None,
    answers: str | None = None,
    parsed: bool = False,
) -> Corpus:
    """Make sentences of the words of a corpus.

    Parameters
    ----------
    tasks : sequence of Task
        Labellings of the same words.
    shortest, longest : int
        The fewest and the most words of a sentence.
    pipeline : str, optional
        A spaCy pipeline, as `sentences_of`.
    answers : str, optional
        The annotation of which a sentence's first word gives the sentence its label.
    parsed : bool
        Whether sentences without a tree are left out, counted.

    Returns
    -------
    Corpus
        Of all splits.

    Raises
    ------
    InputError
        As `sentences_of`, or if a split has no sentence of such a length, or the annotation is
        unknown.
    """
    sentences = sentences_of(tasks, pipeline)
    selection = select(sentences, shortest, longest)
    word_task = narrowed(tasks[0], selection)
    kept = [sentences[k] for k in selection.texts]
    first = np.unique(word_task.text_index, return_index=True)[1]
    bounds = np.append(first, word_task.n_units)
    splits, groups = word_task.splits[first], word_task.groups[first]
    spans = [
        [(int(a), int(b)) for a, b in word_task.spans[i:j]] for i, j in itertools.pairwise(bounds)
    ]
    keep = [k for k, s in enumerate(kept) if s.tree is not None or not parsed]
    counts = dict(word_task.counts)
    if parsed:
        counts["texts_without_tree"] = len(kept) - len(keep)
    texts = Texts(tuple(kept), word_task.texts, tuple(spans)).take(keep)
    rows: dict[str, npt.NDArray[np.int64]] = {
        split: np.flatnonzero(splits[keep] == split) for split in SPLITS
    }
    for split, found in rows.items():
        if not len(found):
            raise InputError(
                f"no sentence of {shortest} to {longest} words in the {split} split; choose others "
                "(shortest, longest), or give more data"
            )
    task = sentence_task(
        texts.texts,
        [_answer(sentence, answers) for sentence in texts.sentences],
        splits=splits[keep].tolist(),
        groups=groups[keep].tolist(),
        name=word_task.name,
        labelling="sentence" if answers is None else f"{answers} of the first word",
        group_kind=word_task.group_kind,
        title=word_task.title,
        version=word_task.version,
        source=word_task.source,
        licence=word_task.licence,
        citation=word_task.citation,
        counts=counts,
        notes=word_task.notes,
    )
    return Corpus(texts, task, rows)


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
