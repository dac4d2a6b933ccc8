"""What is asked of a model: a corpus, units in it, and one labelling of the units.

A task is text, character spans in it (the *units*: words, spans, pairs of spans, or whole
sentences), a label for each unit, and the split and group that each unit belongs to. The text and
the spans decide what is encoded; labels, splits and groups lie beside the vectors, so two tasks
over one corpus cost one pass. Of images each is a unit, and its pixels decide. A unit may also be
two texts (``"sentence-pair"``): such tasks are for classifiers, not for activation stores.

How tasks are found and loaded by name: `probes.registry`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from probes.errors import InputError, unknown
from probes.images import Images as Images
from probes.images import Picture as Picture

TextUnit = Literal["word", "span", "pair", "sentence"]
Unit = Literal[TextUnit, "sentence-pair", "image"]
Kind = Literal["class", "real"]
Split = Literal["train", "dev", "test"]

SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, eq=False)
class Task:
    """A corpus, units in it, and one labelling.

    Parameters
    ----------
    name : str
        Name of the task, such as ``"conllu"``.
    labelling : str
        What the labels say, such as ``"upos"``.
    unit : {"word", "span", "pair", "sentence", "sentence-pair", "image"}
        What is labelled; ``"pair"`` is two spans of one text, ``"sentence-pair"`` two texts.
    kind : {"class", "real"}
        Classes (labels are strings) or real values (labels are floats).
    texts : tuple of str
        The corpus in order, one sentence a text. Pre-tokenised words are joined by one space. Of
        images, what each is called.
    text_index : ndarray of shape (n_units,), int64, not decreasing
        The text that each unit stands in.
    spans : ndarray of shape (n_units, 2), int64; (n_units, 4) for pairs
        Start and end (exclusive) of each unit, in characters of its text; for a pair, of the
        first span and of the second.
    labels : ndarray of shape (n_units,)
        ``object`` of str, with None for a unit that is not asked about; or ``float64``, with NaN.
    splits : ndarray of shape (n_units,), str
        ``"train"``, ``"dev"`` or ``"test"``.
    groups : ndarray of shape (n_units,), str
        What must neither be divided between splits nor counted as independent observations.
    group_kind : str
        What a group is: ``"document"``, ``"sentence"``, …
    title : str
        How a table names the data, such as ``"EWT"``.
    version, source, licence, citation : str
        Where the data come from, in which version, and on what terms.
    counts : mapping of str to int
        What a reader must know of the data, such as ``{"duplicates": 105}``: sentences that stand
        in two splits. Shown in every report.
    notes : tuple of str
        The same in words, where a number is not enough.
    images : Images, optional
        Where the units are images: one for each text.
    seconds : tuple of str, optional
        Where the units are pairs of texts: the second of each; `texts` are the first ones.

    Raises
    ------
    InputError
        If the columns do not fit one another. The message names the row.
    """

    name: str
    labelling: str
    unit: Unit
    kind: Kind
    texts: tuple[str, ...]
    text_index: npt.NDArray[np.int64]
    spans: npt.NDArray[np.int64]
    labels: npt.NDArray[Any]
    splits: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    group_kind: str = "sentence"
    title: str = ""
    version: str = "1"
    source: str = ""
    licence: str = ""
    citation: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    images: Images | None = None
    seconds: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        _validate(self)

    @property
    def n_units(self) -> int:
        """Number of units, labelled or not."""
        return len(self.text_index)

    @property
    def asked(self) -> npt.NDArray[np.bool_]:
        """Which units carry a label, shape (n_units,)."""
        if self.kind == "real":
            return ~np.isnan(self.labels)
        return np.array([label is not None for label in self.labels], dtype=bool)

    @property
    def surfaces(self) -> list[str]:
        """The text of each unit; two spans are joined by a tab, two texts by a slash."""
        rows = zip(self.text_index.tolist(), self.spans.tolist(), strict=True)
        if self.unit == "pair":
            return [f"{self.texts[t][a:b]}\t{self.texts[t][c:d]}" for t, (a, b, c, d) in rows]
        if self.seconds is not None:
            return [f"{self.texts[t]} / {self.seconds[t]}" for t, _ in rows]
        return [self.texts[t][a:b] for t, (a, b) in rows]

    @property
    def is_of_wholes(self) -> bool:
        """Whether its units are whole texts or images, which do not come in types as words do."""
        return self.unit in ("sentence", "sentence-pair", "image")

    @property
    def classes(self) -> list[str]:
        """The distinct labels in sorted order; empty for real values."""
        if self.kind == "real":
            return []
        return sorted({label for label in self.labels if label is not None})

    def relabel(self, labelling: str, labels: npt.NDArray[Any], kind: Kind | None = None) -> Task:
        """Give the same units other labels (a control task, a role scheme, …).

        Parameters
        ----------
        labelling : str
            Name of the new labelling.
        labels : ndarray of shape (n_units,)
            As in the class.
        kind : {"class", "real"}, optional
            The task's own by default.

        Returns
        -------
        Task
            With the same corpus and units, hence the same activation store.
        """
        return dataclasses.replace(
            self, labelling=labelling, labels=labels, kind=self.kind if kind is None else kind
        )


def word_task(
    sentences: Sequence[Sequence[str]],
    labels: Sequence[Sequence[Any]],
    *,
    splits: Sequence[str],
    groups: Sequence[str],
    **fields: Any,
) -> Task:
    """Make a task over all words of pre-tokenised sentences.

    Parameters
    ----------
    sentences : sequence of sequence of str
        The words of each sentence.
    labels : sequence of sequence
        One label a word: a str, or a float where ``kind="real"``; None where none is asked.
    splits, groups : sequence of str
        One for each sentence.
    **fields
        The remaining fields of `Task` (name, labelling, kind, …).

    Returns
    -------
    Task
        With ``unit="word"``; the words of a text are joined by one space.

    Raises
    ------
    InputError
        If a sentence has not as many labels as words. The message names its number.
    """
    texts, index, spans, flat = [], [], [], []
    for number, (words, row) in enumerate(zip(sentences, labels, strict=True)):
        if len(words) != len(row):
            raise InputError(
                f"sentence {number} has {len(words)} words and {len(row)} labels; "
                "give one label a word (None where none is asked)"
            )
        texts.append(" ".join(words))
        start = 0
        for word, label in zip(words, row, strict=True):
            index.append(number)
            spans.append((start, start + len(word)))
            flat.append(label)
            start += len(word) + 1
    lengths = [len(words) for words in sentences]
    kind = fields.pop("kind", "class")
    return Task(
        unit="word",
        kind=kind,
        texts=tuple(texts),
        text_index=np.asarray(index, dtype=np.int64),
        spans=np.asarray(spans, dtype=np.int64).reshape(-1, 2),
        labels=label_column(flat, kind),
        splits=np.repeat(np.asarray(splits, dtype=np.str_), lengths),
        groups=np.repeat(np.asarray(groups, dtype=np.str_), lengths),
        **fields,
    )


def sentence_task(
    texts: Sequence[str],
    labels: Sequence[Any],
    *,
    splits: Sequence[str],
    groups: Sequence[str] | None = None,
    seconds: Sequence[str] | None = None,
    **fields: Any,
) -> Task:
    """Make a task whose units are whole texts, or pairs of them.

    Parameters
    ----------
    texts : sequence of str
        One text a unit.
    labels : sequence
        One label a text: a str, or a float where ``kind="real"``; None where none is asked.
    splits : sequence of str
        One for each text.
    groups : sequence of str, optional
        One for each text; by default each text is its own group.
    seconds : sequence of str, optional
        The second text of each unit.
    **fields
        The remaining fields of `Task`.

    Returns
    -------
    Task
        With ``unit="sentence"``, or ``"sentence-pair"`` where there are second texts.
    """
    kind = fields.pop("kind", "class")
    names = [str(i) for i in range(len(texts))] if groups is None else groups
    return Task(
        unit="sentence" if seconds is None else "sentence-pair",
        kind=kind,
        texts=tuple(texts),
        seconds=None if seconds is None else tuple(seconds),
        text_index=np.arange(len(texts), dtype=np.int64),
        spans=np.asarray([(0, len(text)) for text in texts], dtype=np.int64).reshape(-1, 2),
        labels=label_column(labels, kind),
        splits=np.asarray(splits, dtype=np.str_),
        groups=np.asarray(names, dtype=np.str_),
        **fields,
    )


def image_task(
    images: Images,
    labels: Sequence[Any],
    *,
    splits: Sequence[str],
    groups: Sequence[str] | None = None,
    **fields: Any,
) -> Task:
    """Make a task whose units are images.

    Parameters
    ----------
    images : Images
        One a unit; what they are called is the unit's surface.
    labels : sequence
        One label an image: a str, or a float where ``kind="real"``; None where none is asked.
    splits : sequence of str
        One for each image.
    groups : sequence of str, optional
        One for each image, such as the photograph that it was cut from; by default each image is
        its own group.
    **fields
        The remaining fields of `Task`.

    Returns
    -------
    Task
        With ``unit="image"``. Pixels and order decide the activation store (`Images.digests`), not
        names.

    Raises
    ------
    InputError
        If the columns do not fit one another. The message names the row.
    """
    fields.setdefault("group_kind", "image")
    task = sentence_task(images.names, labels, splits=splits, groups=groups, **fields)
    return dataclasses.replace(task, unit="image", images=images)


def label_column(labels: Sequence[Any], kind: Kind) -> npt.NDArray[Any]:
    """Make the label column of a task.

    Parameters
    ----------
    labels : sequence
        One a unit; None where none is asked.
    kind : {"class", "real"}
        Which column to make.

    Returns
    -------
    ndarray of shape (n_units,)
        ``object`` of str and None, or ``float64`` with NaN for None.

    Raises
    ------
    InputError
        If a real label is no number. The message names the row.
    """
    if kind == "class":
        column = np.empty(len(labels), dtype=object)
        column[:] = [None if label is None else str(label) for label in labels]
        return column
    values = np.empty(len(labels), dtype=np.float64)
    for row, label in enumerate(labels):
        try:
            values[row] = np.nan if label is None else float(label)
        except (TypeError, ValueError):
            raise InputError(
                f"label {label!r} of unit {row} is no number; a real-valued labelling needs one"
            ) from None
    return values


def _validate(task: Task) -> None:
    where = f"task {task.name!r}, labelling {task.labelling!r}"
    for what, came, known in (
        ("unit", task.unit, get_args(Unit)),
        ("kind", task.kind, get_args(Kind)),
    ):
        if came not in known:
            raise unknown(f"{what} of {where}", came, known)
    n = len(task.text_index)
    if n == 0:
        raise InputError(f"{where} has no units; give at least one labelled unit")
    for unit, what, given in (
        ("image", "images", task.images),
        ("sentence-pair", "second texts", task.seconds),
    ):
        n_given = None if given is None else len(given)
        if n_given != (len(task.texts) if task.unit == unit else None):
            raise InputError(
                f"{where}: {n_given or 'no'} {what} for {len(task.texts)} units of kind "
                f"{task.unit!r}; give one for each unit of kind {unit!r}, and none of another kind"
            )
    columns = 4 if task.unit == "pair" else 2
    if task.spans.shape != (n, columns):
        raise InputError(
            f"{where}: spans have shape {task.spans.shape}, expected {(n, columns)} "
            f"for {n} units of kind {task.unit!r}"
        )
    for what in ("labels", "splits", "groups"):
        if len(getattr(task, what)) != n:
            raise InputError(f"{where}: {len(getattr(task, what))} {what} for {n} units")
    bad = np.flatnonzero(~np.isin(task.splits, SPLITS))
    if len(bad):
        raise InputError(
            f"{where}: unit {bad[0]} is in split {str(task.splits[bad[0]])!r}; "
            f"expected one of {', '.join(SPLITS)}"
        )
    if task.text_index.min() < 0 or task.text_index.max() >= len(task.texts):
        raise InputError(f"{where}: a unit stands in a text that is not there")
    falls = np.flatnonzero(np.diff(task.text_index) < 0)
    if len(falls):
        raise InputError(f"{where}: unit {falls[0] + 1} comes before its text; keep corpus order")
    lengths = np.asarray([len(text) for text in task.texts])[task.text_index]
    for first in range(0, columns, 2):
        start, end = task.spans[:, first], task.spans[:, first + 1]
        bad = np.flatnonzero((start < 0) | (end < start) | (end > lengths))
        if len(bad):
            row = bad[0]
            raise InputError(
                f"{where}: unit {row} spans characters {start[row]} to {end[row]} "
                f"of text {task.text_index[row]}, which has {lengths[row]}"
            )
    if not task.asked.any():
        raise InputError(f"{where}: no unit carries a label")
    if task.kind == "real" and np.isinf(task.labels).any():
        row = np.flatnonzero(np.isinf(task.labels))[0]
        raise InputError(f"{where}: the label of unit {row} is infinite")
    _validate_groups(task, where)


def _validate_groups(task: Task, where: str) -> None:
    names, first, inverse = np.unique(task.groups, return_index=True, return_inverse=True)
    divided = np.flatnonzero(task.splits != task.splits[first][inverse])
    if len(divided):
        row = divided[0]
        group = inverse[row]
        raise InputError(
            f"{where}: {task.group_kind} {str(names[group])!r} stands in split "
            f"{str(task.splits[first[group]])!r} (unit {first[group]}) and in "
            f"{str(task.splits[row])!r} (unit {row}); a group must not be divided between splits: "
            "rename the groups of one split, or leave the splits to be drawn by group"
        )
