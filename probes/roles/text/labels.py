"""Role schemes as labellings of words: what a probe can be asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.schemes import Bidirectional, RoleScheme
from probes.roles.sequences import Sentence
from probes.roles.text.chosen import words_for
from probes.task import Task


def role_labels(
    tasks: Sequence[Task],
    schemes: Sequence[RoleScheme],
    *,
    shortest: int = 5,
    longest: int = 12,
    pipeline: str | None = None,
) -> tuple[Task, ...]:
    """Label the words of a corpus by their roles.

    Parameters
    ----------
    tasks : sequence of Task
        Word tasks over the same words, as `probes.roles.text.corpus.sentences_of` takes them: their
        labellings are what neighbours are looked at and trees are made of.
    schemes : sequence of RoleScheme
        One labelling each.
    shortest, longest : int
        The fewest and the most words of a text that is kept. A place from the left or from the
        right means another thing in a long sentence, and has a class of its own for every length.
    pipeline : str, optional
        A spaCy pipeline that parses, as there.

    Returns
    -------
    tuple of Task
        One a scheme, named as it is, all over the same units, hence of one activation store; a
        label is a role as it is printed. Where a scheme needs a tree, texts that have none are left
        out of all, counted.

    Raises
    ------
    InputError
        As `words_for`, or if there is no scheme.
    """
    if not schemes:
        raise InputError("no role scheme; give at least one, such as ltr")
    words, kept = words_for(schemes, tasks, shortest=shortest, longest=longest, pipeline=pipeline)
    return tuple(
        words.relabel(scheme.name, _column(scheme, kept), kind="class") for scheme in schemes
    )


def places(task: Task) -> npt.NDArray[np.int64]:
    """Number the places of units in their texts, counted from both ends, shape (n_units,)."""
    lengths = np.bincount(task.text_index, minlength=len(task.texts))
    return Bidirectional().numbered([range(n) for n in lengths.tolist()])[1]


def _column(scheme: RoleScheme, sentences: Sequence[Sentence]) -> npt.NDArray[Any]:
    labels = [str(role) for sentence in sentences for role in scheme.roles(sentence)]
    return np.array(labels, dtype=object)
