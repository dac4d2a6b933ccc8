"""Any table as a task: its columns say what the text is, which units stand in it, and what of them.

How files and data sets are read: `probes_tasks.rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from probes_tasks.rows import Rows, Source, read_table
from probes_tasks.splits import (
    check_draw,
    check_labels,
    count_duplicates,
    cut_splits,
    sample_training,
    text_groups,
)

from probes.errors import InputError, unknown
from probes.task import SPLITS, Kind, Split, Task, Unit, label_column

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "development": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Table:
    """A table: CSV, TSV, JSON Lines, Parquet, a folder saved by `datasets`, or a hub data set."""

    path: str
    """File, folder, or data set id on the Hugging Face hub. In a TSV file quotes are characters."""

    dev: str | None = None
    """The same for the dev split, where path does not hold it."""

    test: str | None = None
    """The same for the test split, where path does not hold it. A split that is nowhere is cut from
    train, about a tenth of the texts, by group."""

    config: str | None = None
    """Which configuration of a hub data set, such as cola of nyu-mll/glue."""

    columns: tuple[str, ...] = ()
    """Names of the columns, for CSV and TSV files without a header."""

    unit: Unit = "sentence"
    """What a label is about: every word of a row, a span, a pair of spans, or the whole text."""

    kind: Kind = "class"
    """Classes, or real values."""

    text: str = "text"
    """Column of texts; start and end count its characters."""

    words: str | None = None
    """Column of words, in place of text: a list, or words separated by white space; start and end
    count words then. A word task needs it."""

    label: tuple[str, ...] = ("label",)
    """Column of labels, one labelling each. In a word task a list (null: not asked), or labels
    separated by white space."""

    start: str = "start"
    """Column of the starts of spans, counted from 0."""

    end: str = "end"
    """Column of the ends of spans, exclusive."""

    start2: str = "start2"
    """Column of the starts of the second spans of pairs."""

    end2: str = "end2"
    """Column of the ends of the second spans of pairs."""

    split: str | None = None
    """Column that says train, dev (validation, valid, val) or test."""

    group: str | None = None
    """Column of what must not be divided between splits, such as a document; without it, the
    text."""

    limit: int | None = None
    """About how many training texts to keep, in whole groups drawn by seed; dev and test stay
    whole."""

    seed: int = 0
    """Decides which groups are cut or sampled."""

    def load(self) -> tuple[Task, ...]:
        """Read the table.

        Returns
        -------
        tuple of Task
            One for each label column, all over the same units.

        Raises
        ------
        InputError
            If it cannot be read, lacks a column, or a row does not fit (the message names it).
        """
        self._check()
        wanted = [self.words or self.text, *self.label]
        wanted += [column for pair in self._bounds() for column in pair]
        wanted += [column for column in (self.split, self.group) if column is not None]
        main = read_table(self.path, wanted, names=self.columns, config=self.config)
        parts, notes, n_out = _named_splits(main, self.label)
        more: tuple[tuple[Split, str | None], ...] = (("dev", self.dev), ("test", self.test))
        for split, path in more:
            if path is not None:
                if split in parts:
                    raise InputError(
                        f"{split} is given as {path}, but {self.path} has a {split} split; drop one"
                    )
                other = read_table(path, wanted, names=self.columns).parts
                if len(other) != 1:
                    raise InputError(
                        f"{path} has splits of its own ({', '.join(other)}); give a table of one"
                    )
                parts[split] = next(iter(other.values()))
        if self.split is not None and len(parts) > 1:
            raise InputError(
                f"column {self.split!r} is to say the split, but the data come in splits "
                f"({', '.join(parts)}); leave the column out"
            )
        corpus = _Corpus(self)
        for name, rows in parts.items():
            corpus.add(name, rows)
        return corpus.tasks(main, notes, n_out)

    def _check(self) -> None:
        check_draw(self.limit, self.seed)
        for what, came, known in (
            ("unit", self.unit, get_args(Unit)),
            ("kind", self.kind, get_args(Kind)),
        ):
            if came not in known:
                raise unknown(f"{what} of a table", came, known)
        if self.unit == "word" and self.words is None:
            raise InputError(
                "a word task needs the column of words (a list, or words separated by white "
                "space); name it: words"
            )
        if not self.label:
            raise InputError("no label column is named; give at least one")

    def _bounds(self) -> list[tuple[str, str]]:
        bounds = [(self.start, self.end), (self.start2, self.end2)]
        return bounds[: {"span": 1, "pair": 2}.get(self.unit, 0)]


def _named_splits(
    source: Source, labels: Sequence[str]
) -> tuple[dict[Split, Rows], list[str], int]:
    """Call the splits by our names; leave out those that are none of ours or hide all labels."""
    if list(source.parts) == [""]:
        return {"train": source.parts[""]}, [], 0
    parts: dict[Split, Rows] = {}
    notes, n_out = [], 0
    for name, rows in source.parts.items():
        split = SPLIT_NAMES.get(name.lower())
        hidden = all(name in rows.coded and not any(rows.columns[name]) for name in labels)
        if split is None or split in parts or hidden:
            why = "its labels are hidden" if hidden else "its name says neither train, dev nor test"
            notes.append(f"split {name} left out ({len(rows.numbers):,} rows): {why}")
            n_out += len(rows.numbers)
        else:
            parts[split] = rows
    if "train" not in parts:
        raise InputError(
            f"{source.title} has no train split, only {', '.join(source.parts)}; "
            "give data to train on"
        )
    return {split: parts[split] for split in SPLITS if split in parts}, notes, n_out


@dataclass
class _Corpus:
    """The rows read so far: texts, and units in them."""

    options: Table
    texts: list[str] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    spans: list[tuple[int, ...]] = field(default_factory=list)
    labels: dict[str, list[Any]] = field(default_factory=dict)
    parts: list[Split] = field(default_factory=list)

    def add(self, part: Split, rows: Rows) -> None:
        """Add the rows of one part of the data."""
        options = self.options
        labels = {name: self.labels.setdefault(name, []) for name in options.label}
        self.parts.append(part)
        known: dict[tuple[str, ...], int] = {}
        for k in range(len(rows.numbers)):
            text, words = _text_of(options, rows, k)
            split = part if options.split is None else _split_of(rows, k, options.split)
            group = "" if options.group is None else str(rows.value(k, options.group))
            spans = _spans_of(options, rows, k, text, words)
            # Rows about one text share it, and so its pass; sentences are a row each.
            key = (text, split, group, "" if options.unit in ("span", "pair") else str(k))
            number = known.setdefault(key, len(self.texts))
            if number == len(self.texts):
                self.texts.append(text)
                self.splits.append(split)
                self.groups.append(group)
            self.spans += spans
            self.index += [number] * len(spans)
            for name, column in labels.items():
                column += _labels_of(options, rows, k, name, len(spans))

    def tasks(self, source: Source, notes: Sequence[str], n_out: int) -> tuple[Task, ...]:
        """Cut, sample and order what was read; make the tasks."""
        options, notes = self.options, list(notes)
        splits, groups = self._cut(notes)
        keep = sample_training(groups, splits, options.limit, options.seed)
        order = np.argsort([SPLITS.index(split) for split in splits], kind="stable")
        order = order[keep[order]]
        rank = np.full(len(splits), -1)
        rank[order] = np.arange(len(order))
        where = rank[self.index]
        units = np.argsort(where, kind="stable")
        units = units[where[units] >= 0]
        texts = [self.texts[k] for k in order]
        counts, found = count_duplicates(texts, splits[order])
        counts["left_out"] = int((~keep).sum()) + n_out
        if not keep.all():
            notes.append(
                f"{(~keep).sum():,} training texts are left out by the limit of {options.limit:,} "
                f"(whole groups, seed {options.seed})"
            )
        files = [Path(path).name for path in (options.dev, options.test) if path is not None]
        tasks = []
        for name in options.label:
            labels = label_column(self.labels[name], options.kind)[units]
            check_labels(labels, splits[order][where[units]], name, options.path)
            tasks.append(
                Task(
                    name="table",
                    labelling=name,
                    unit=options.unit,
                    kind=options.kind,
                    texts=tuple(texts),
                    text_index=where[units].astype(np.int64),
                    spans=np.array(self.spans, dtype=np.int64)[units],
                    labels=labels,
                    splits=splits[order][where[units]],
                    groups=np.array(groups)[order][where[units]],
                    group_kind=options.group or "sentence",
                    title=source.title if options.config is None else options.config,
                    version=source.version,
                    source=", ".join([source.source, *files]),
                    licence=source.licence,
                    citation=source.citation,
                    counts=counts,
                    notes=(*notes, *found),
                )
            )
        return tuple(tasks)

    def _cut(self, notes: list[str]) -> tuple[np.ndarray, list[str]]:
        options = self.options
        given = set(self.splits)
        missing = [split for split in SPLITS if split not in given]
        if "train" in missing:
            raise InputError(f"{options.path}: no row is in train; give data to train on")
        groups = text_groups(self.texts) if options.group is None else self.groups
        splits = np.array(self.splits, dtype="<U5")
        if missing:
            train = np.flatnonzero(splits == "train")
            splits[train] = cut_splits([groups[k] for k in train], missing, options.seed)
            by = "text" if options.group is None else options.group
            notes.append(f"{' and '.join(missing)} cut from train by {by}, seed {options.seed}")
        if options.group is None or len(self.parts) > 1:
            # A name means something within its part only; in one table it must not be divided.
            n_divided = len(set(zip(groups, self.splits, strict=True))) - len(set(groups))
            if options.group is not None and n_divided:
                notes.append(f"{n_divided:,} values of {options.group} stand in two splits")
            groups = [f"{split}:{name}" for split, name in zip(splits, groups, strict=True)]
        return splits, groups


def _text_of(options: Table, rows: Rows, k: int) -> tuple[str, list[str] | None]:
    if options.words is not None:
        words = rows.items(k, options.words)
        for word in words:
            if not isinstance(word, str) or not word.strip():
                raise InputError(
                    f"{rows.place(k)}: column {options.words!r} holds the word {word!r}; "
                    "every word must be text"
                )
        return " ".join(words), words
    text = rows.value(k, options.text)
    if not isinstance(text, str) or not text.strip():
        raise InputError(
            f"{rows.place(k)}: column {options.text!r} holds {text!r}; expected a text"
            + (" (lists of words go by the option words)" if isinstance(text, list) else "")
        )
    return text, None


def _split_of(rows: Rows, k: int, column: str) -> Split:
    name = str(rows.value(k, column))
    split = SPLIT_NAMES.get(name.strip().lower())
    if split is None:
        raise unknown(f"split in column {column!r} of {rows.place(k)}", name, SPLIT_NAMES)
    return split


def _spans_of(
    options: Table, rows: Rows, k: int, text: str, words: list[str] | None
) -> list[tuple[int, ...]]:
    edges: list[tuple[int, int]] = []
    for word in words or []:
        first = edges[-1][1] + 1 if edges else 0
        edges.append((first, first + len(word)))
    if options.unit == "word":
        return list(edges)
    if options.unit == "sentence":
        return [(0, len(text))]
    span: list[int] = []
    for pair in options._bounds():
        first, last = (rows.integer(k, column) for column in pair)
        what, n = ("characters", len(text)) if words is None else ("words", len(words))
        if not 0 <= first < last <= n:
            raise InputError(
                f"{rows.place(k)}: columns {pair[0]!r} and {pair[1]!r} span {what} {first} to "
                f"{last} of {n}; expected 0 ≤ start < end ≤ {n} (the end is exclusive)"
            )
        span += (first, last) if words is None else (edges[first][0], edges[last - 1][1])
    return [tuple(span)]


def _labels_of(options: Table, rows: Rows, k: int, column: str, n_units: int) -> list[Any]:
    if options.unit == "word":
        labels = rows.items(k, column)
        if len(labels) != n_units:
            raise InputError(
                f"{rows.place(k)}: {n_units} words and {len(labels)} labels in column {column!r}; "
                "give one label a word"
            )
    elif column in rows.coded and rows.columns[column][k] is None:
        labels = [None]
    else:
        labels = [rows.value(k, column)]
    if options.kind == "class":
        return [None if label is None else str(label) for label in labels]
    return [None if label is None else rows.real(k, column, label) for label in labels]
