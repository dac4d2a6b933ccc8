"""Sentences for role schemes, of the words of a corpus: what is said of each, and their trees."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.sequences import Sentence
from probes.roles.text.parser import parse
from probes.roles.trees import Tree, bracketed, dependency_tree
from probes.task import SPLITS, Task

NOTHING = "_"
"""Stands in an annotation for a word that has none, as in CoNLL-U."""

Values = list[str | None]


def sentences_of(tasks: Sequence[Task], pipeline: str | None = None) -> list[Sentence]:
    """Make a sentence of each text of a corpus.

    Parameters
    ----------
    tasks : sequence of Task
        Word tasks over the same texts and units. The labelling ``head`` (the number of each word's
        head in its sentence, from 1; 0 for the root) or ``brackets`` (each word's part of the
        constituents, with ``*`` for the word, as in CoNLL-2012) gives the trees. Every other one of
        classes is an annotation, with `NOTHING` where a word has no label.
    pipeline : str, optional
        Name or folder of a spaCy pipeline whose parser gives the trees, and, where it has tags and
        no labelling is of that name, the annotation ``upos``.

    Returns
    -------
    list of Sentence
        One a text, in order. Without a tree where nothing gives one: no labelling does, a word of
        the text has no head or bracket, or the parser sees several sentences in the text.

    Raises
    ------
    InputError
        If the tasks are not of words, or not over the same ones; if several things give trees; or
        if the heads or the brackets of a text are no tree. The message names the text.
    """
    first = _same_words(tasks)
    columns = {task.labelling: _by_text(task) for task in tasks if task.kind == "class"}
    giving = [name for name in TREES if name in columns]
    if len(giving) + (pipeline is not None) > 1:
        named = [*giving, *(["the spaCy pipeline"] if pipeline is not None else [])]
        raise InputError(f"{' and '.join(named)} both give trees; drop one of them")
    words = words_of(first)
    trees: list[Tree | None] = [None] * len(words)
    if giving:
        make, rows = TREES[giving[0]], columns.pop(giving[0])
        trees = [_tree(make, row, k, words[k]) for k, row in enumerate(rows)]
    elif pipeline is not None:
        trees, tags = parse(first, words, pipeline)
        if tags is not None:
            columns.setdefault("upos", tags)
    return [
        Sentence(text, _annotations(columns, k), tree)
        for k, (text, tree) in enumerate(zip(words, trees, strict=True))
    ]


def words_of(task: Task) -> list[tuple[str, ...]]:
    """List the words of each text of a word task."""
    surfaces = task.surfaces
    return [tuple(surfaces[a:b]) for a, b in bounds_of(task)]


def bounds_of(task: Task) -> list[tuple[int, int]]:
    """List the first unit of each text of a word task, and the end of its units."""
    edges = np.searchsorted(task.text_index, np.arange(len(task.texts) + 1)).tolist()
    return list(pairwise(edges))


@dataclass(frozen=True, eq=False)
class Selection:
    """Texts of some lengths.

    Parameters
    ----------
    texts : ndarray of int64
        The numbers of the texts chosen, rising.
    shortest, longest : int
        The fewest and the most words.
    n_short, n_long, n_without_tree : int
        Texts left out since they have fewer words, or more; and of the others, since they have no
        tree.
    """

    texts: npt.NDArray[np.int64]
    shortest: int
    longest: int
    n_short: int
    n_long: int
    n_without_tree: int = 0


def select(
    sentences: Sequence[Sentence], shortest: int = 5, longest: int = 12, *, trees: bool = False
) -> Selection:
    """Choose the texts that have so many words: position roles of a scheme differ with length.

    Parameters
    ----------
    sentences : sequence of Sentence
        One a text.
    shortest, longest : int
        The fewest and the most words.
    trees : bool
        Whether to leave out texts without a tree too.

    Returns
    -------
    Selection
        With the numbers of those left out.

    Raises
    ------
    InputError
        If no number of words is meant, no text has so many, or none of them has a tree.
    """
    if not 1 <= shortest <= longest:
        raise InputError(
            f"sentences of {shortest} to {longest} words; expected 1 or more, and the shortest "
            "before the longest"
        )
    lengths = np.array([len(sentence) for sentence in sentences], dtype=np.int64)
    fitting = np.flatnonzero((lengths >= shortest) & (lengths <= longest))
    if not len(fitting):
        raise InputError(
            f"none of the {len(lengths):,} texts has {shortest} to {longest} words; choose others "
            "(shortest, longest)"
        )
    kept = [k for k in fitting.tolist() if not trees or sentences[k].tree is not None]
    chosen = np.array(kept, dtype=np.int64)
    if not len(chosen):
        raise InputError(
            "no text has a tree; ask for the labelling `head` or `brackets` too, or name a spaCy "
            "pipeline that parses"
        )
    return Selection(
        chosen,
        shortest,
        longest,
        n_short=int((lengths < shortest).sum()),
        n_long=int((lengths > longest).sum()),
        n_without_tree=len(fitting) - len(chosen),
    )


def narrowed(task: Task, selection: Selection) -> Task:
    """Leave the other texts out of a corpus.

    Parameters
    ----------
    task : Task
        Over all texts.
    selection : Selection
        The texts to keep.

    Returns
    -------
    Task
        Over these alone, in their order, so that these alone are encoded. Its counts say what was
        left out; duplicates are counted anew, and a note says that other counts are not.

    Raises
    ------
    InputError
        If no unit with a label is left.
    """
    number = np.full(len(task.texts), -1, dtype=np.int64)
    number[selection.texts] = np.arange(len(selection.texts))
    kept = np.flatnonzero(number[task.text_index] >= 0)
    short, long = selection.shortest, selection.longest
    left_out = {
        f"texts under {short} words": selection.n_short,
        f"texts over {long} words": selection.n_long,
        "texts without a tree": selection.n_without_tree,
    }
    notes = task.notes
    if any(task.counts.values()) or notes:
        notes += ("what is counted or noted of the data is of all texts, whatever their length",)
    smaller = dataclasses.replace(
        task,
        texts=tuple(task.texts[k] for k in selection.texts),
        text_index=number[task.text_index[kept]],
        spans=task.spans[kept],
        labels=task.labels[kept],
        splits=task.splits[kept],
        groups=task.groups[kept],
        notes=notes,
    )
    anew = {name: n for name, n in _duplicates(smaller).items() if name in task.counts}
    return dataclasses.replace(smaller, counts={**task.counts, **anew, **left_out})


def _same_words(tasks: Sequence[Task]) -> Task:
    if not tasks:
        raise InputError("no labelling to make sentences of; give at least one word task")
    first = tasks[0]
    for task in tasks:
        where = f"labelling {task.labelling!r} of {task.name!r}"
        if task.unit != "word":
            raise InputError(
                f"{where} is of {task.unit}s; roles are of words: ask for labellings of words"
            )
        if task.texts != first.texts or not np.array_equal(task.spans, first.spans):
            raise InputError(f"{where} is not over the words of {first.labelling!r}; load it anew")
    return first


def _by_text(task: Task) -> list[Values]:
    return [task.labels[a:b].tolist() for a, b in bounds_of(task)]


def _annotations(columns: Mapping[str, list[Values]], k: int) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(NOTHING if value is None else value for value in rows[k])
        for name, rows in columns.items()
    }


def _tree(
    make: Callable[[list[str]], Tree], row: Values, number: int, words: Sequence[str]
) -> Tree | None:
    values = [value for value in row if value is not None]
    if len(values) < len(row):
        return None
    try:
        return make(values)
    except InputError as error:
        raise InputError(f"text {number} ({_shown(words)}): {error}; mend its parse") from None


def _of_heads(values: list[str]) -> Tree:
    if wrong := next((value for value in values if not value.isdecimal()), None):
        raise InputError(f"the head {wrong!r} is no number")
    return dependency_tree([int(value) for value in values])


def _of_brackets(parts: list[str]) -> Tree:
    for part in parts:
        if part.count("*") != 1:
            raise InputError(f"the part {part!r} of the brackets; expected one * for the word")
    return bracketed("".join(parts).replace("*", " * "))[1] if parts else ()


TREES: dict[str, Callable[[list[str]], Tree]] = {"head": _of_heads, "brackets": _of_brackets}
"""The labellings that give trees."""


def _duplicates(task: Task) -> dict[str, int]:
    """Count the texts that stand in two splits, under the names that tasks give these counts."""
    held: dict[str, list[str]] = {split: [] for split in SPLITS}
    for number, first in zip(*np.unique(task.text_index, return_index=True), strict=True):
        held[str(task.splits[first])].append(task.texts[number].casefold())
    known = {split: set(texts) for split, texts in held.items()}
    return {
        name: sum(text in known[other] for text in held[split])
        for name, split, other in (
            ("duplicates", "test", "train"),
            ("duplicates_dev", "dev", "train"),
            ("duplicates_test_dev", "test", "dev"),
        )
    }


def _shown(words: Sequence[str]) -> str:
    text = " ".join(words)
    return repr(text if len(text) <= 60 else text[:57] + "…")
