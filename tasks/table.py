"""Any table as a task: its columns say what the text is, which units stand in it, and what of them.

How files and data sets are read: `probes_tasks.rows`; what a row says: `probes_tasks.cells`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from probes_tasks.cells import SpanColumns, joined_words, labels_of, raw_text
from probes_tasks.classes import ClassNames, check_use
from probes_tasks.parts import named_splits, row_splits
from probes_tasks.rows import Rows, Source, read_table
from probes_tasks.splits import (
    check_draw,
    check_labels,
    count_duplicates,
    count_pair_duplicates,
    cut_splits,
    sample_training,
    text_groups,
)
from probes_tasks.words import Span, tokenised_by

from probes.errors import InputError, unknown
from probes.task import SPLITS, Kind, Split, Task, TextUnit, label_column


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

    unit: TextUnit = "sentence"
    """What a label is about: every word of a row, a span, a pair of spans, or the whole text."""

    kind: Kind = "class"
    """Classes, or real values."""

    text: str = "text"
    """Column of texts; start and end count its characters."""

    text2: str | None = None
    """Column of second texts: a label is about both. Pairs of texts are for probes train."""

    words: str | None = None
    """Column of words, in place of text: a list, or words separated by white space; start and end
    count words then. A word task needs it, or language."""

    language: str | None = None
    """Find the words of text by spaCy, without changing it: a language (en, de, …; xx is any, zh
    cuts into characters), or the name or folder of an installed pipeline, of which the tokenizer
    alone is used. White space is no word. start and end count words then."""

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

    span: str | None = None
    """Column of the spans themselves, a word or phrase of the text each, in place of start and
    end. Whole words are meant: of language or words, where one is given (do, n't); else no edge
    may stand between two letters, digits, marks or underscores. Where the same case is not there,
    another will do."""

    nth: str | None = None
    """Column of which occurrence of span is meant, from 1. Where it is empty or not named, span
    must occur once."""

    span2: str | None = None
    """The same as span for the second spans of pairs, in place of start2 and end2."""

    nth2: str | None = None
    """The same as nth for span2."""

    split: str | None = None
    """Column that says train, dev (validation, valid, val) or test."""

    group: str | None = None
    """Column of what must not be divided between splits, such as a document; without it, the
    text, of pairs the first text."""

    classes: tuple[str, ...] = ()
    """Which classes to keep, and what to call them: cat, or car=automobile. The others are left
    out, counted. By default all, as they are."""

    as_test: bool = False
    """Nothing is to be learnt from these data: their test split is asked alone, where there is none
    their dev split, and all of data without splits. A set out of distribution is read so."""

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
        wanted += [] if self.text2 is None else [self.text2]
        wanted += [column for span in self._spans() for column in span.names]
        wanted += [column for column in (self.split, self.group) if column is not None]
        main = read_table(self.path, wanted, names=self.columns, config=self.config)
        parts, notes, n_out = named_splits(main, self.label, as_test=self.as_test)
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
        check_use(self.as_test, self.classes, self.kind, [self.dev, self.test])
        for what, came, known in (
            ("unit", self.unit, get_args(TextUnit)),
            ("kind", self.kind, get_args(Kind)),
        ):
            if came not in known:
                raise unknown(f"{what} of a table", came, known)
        if not self.label:
            raise InputError("no label column is named; give at least one")
        if self.text2 is not None and (self.unit != "sentence" or self.words is not None):
            raise InputError(
                f"column {self.text2!r} holds second texts, and the units are not whole texts; "
                "drop text2, or unit and words"
            )
        self._check_words()

    def _check_words(self) -> None:
        if self.unit == "word" and self.words is None and self.language is None:
            raise InputError(
                "a word task needs the column of words (a list, or words separated by white "
                "space), or the language of the texts; name one: words or language"
            )
        if self.language is not None and self.words is not None:
            raise InputError(
                f"the words are in column {self.words!r}, so no language can find them; "
                "drop words or language"
            )
        if self.language is not None and self.unit == "sentence":
            raise InputError("language finds words, and this task has none; drop it, or name unit")
        if self.language is not None:
            tokenised_by(self.language)  # one that is unknown is refused before anything is read
        for place, (name, span, nth) in enumerate(
            (("span", self.span, self.nth), ("span2", self.span2, self.nth2))
        ):
            if span is not None and place >= len(self._spans()):
                raise InputError(f"{name} is of no use where unit is {self.unit}; drop it")
            if span is None and nth is not None:
                raise InputError(f"column {nth!r} counts occurrences of nothing; name {name}")

    def _spans(self) -> list[SpanColumns]:
        spans = [
            SpanColumns(self.start, self.end, self.span, self.nth),
            SpanColumns(self.start2, self.end2, self.span2, self.nth2),
        ]
        return spans[: {"span": 1, "pair": 2}.get(self.unit, 0)]


@dataclass
class _Corpus:
    """The rows read so far: texts, and units in them."""

    options: Table
    texts: list[str] = field(default_factory=list)
    seconds: list[str] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    spans: list[tuple[int, ...]] = field(default_factory=list)
    labels: dict[str, list[Any]] = field(default_factory=dict)
    parts: list[Split] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_out: int = 0

    def __post_init__(self) -> None:
        self.classes = ClassNames(self.options.classes)

    def add(self, part: Split, rows: Rows) -> None:
        """Add the rows of one part of the data."""
        options = self.options
        self.parts.append(part)
        known: dict[tuple[str, ...], int] = {}
        splits = row_splits(rows, part, options.split, self.notes, as_test=options.as_test)
        for k, split in enumerate(splits):
            if split is None:
                self.n_out += 1
                continue
            text, words = (
                raw_text(rows, k, options.text, options.language)
                if options.words is None
                else joined_words(rows, k, options.words)
            )
            group = "" if options.group is None else str(rows.value(k, options.group))
            spans = self._units(rows, k, text, words)
            surfaces = [text[span[0] : span[1]] for span in spans]
            found = {
                name: [
                    self.classes.call(label)
                    for label in labels_of(rows, k, name, options.unit, options.kind, surfaces)
                ]
                for name in options.label
            }
            if options.classes and all(label is None for own in found.values() for label in own):
                continue
            # Rows about one text share it, and so its pass; sentences are a row each.
            key = (text, split, group, "" if options.unit in ("span", "pair") else str(k))
            number = known.setdefault(key, len(self.texts))
            if number == len(self.texts):
                self.texts.append(text)
                self.splits.append(split)
                self.groups.append(group)
                if options.text2 is not None:
                    self.seconds.append(raw_text(rows, k, options.text2, None)[0])
            self.spans += spans
            self.index += [number] * len(spans)
            for name, own in found.items():
                self.labels.setdefault(name, []).extend(own)

    def _units(
        self, rows: Rows, k: int, text: str, words: list[Span] | None
    ) -> list[tuple[int, ...]]:
        if self.options.unit == "word":
            return [*(words or ())]
        if self.options.unit == "sentence":
            return [(0, len(text))]
        found = [span.find(rows, k, text, words) for span in self.options._spans()]
        return [tuple(place for span in found for place in span)]

    def tasks(self, source: Source, notes: Sequence[str], n_out: int) -> tuple[Task, ...]:
        """Cut, sample and order what was read; make the tasks."""
        self.classes.require_all(source.title)
        options, notes, version = self.options, [*notes, *self.notes], source.version
        if options.language is not None:
            by = tokenised_by(options.language)  # another version may find other words
            version = f"{version} ({by})"
            notes.append(f"words found in the raw text by {by}")
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
        seconds = [self.seconds[k] for k in order] if self.seconds else None
        counts, found = (
            count_duplicates(texts, splits[order])
            if seconds is None
            else count_pair_duplicates(texts, seconds, splits[order])
        )
        counts["left_out"] = int((~keep).sum()) + n_out + self.n_out
        self.classes.tell(counts, notes)
        if not keep.all():
            notes.append(
                f"{(~keep).sum():,} training texts are left out by the limit of {options.limit:,} "
                f"(whole groups, seed {options.seed})"
            )
        files = [Path(path).name for path in (options.dev, options.test) if path is not None]
        tasks = []
        for name in options.label:
            labels = label_column(self.labels[name], options.kind)[units]
            needed = ("test",) if options.as_test else SPLITS
            check_labels(labels, splits[order][where[units]], name, options.path, needed)
            tasks.append(
                Task(
                    name="table",
                    labelling=name,
                    unit=options.unit if seconds is None else "sentence-pair",
                    kind=options.kind,
                    texts=tuple(texts),
                    seconds=None if seconds is None else tuple(seconds),
                    text_index=where[units].astype(np.int64),
                    spans=np.array(self.spans, dtype=np.int64)[units],
                    labels=labels,
                    splits=splits[order][where[units]],
                    groups=np.array(groups)[order][where[units]],
                    group_kind=options.group or self._group_kind,
                    title=source.title if options.config is None else options.config,
                    version=version,
                    source=", ".join([source.source, *files]),
                    licence=source.licence,
                    citation=source.citation,
                    counts=counts,
                    notes=(*notes, *found),
                )
            )
        return tuple(tasks)

    @property
    def _group_kind(self) -> str:
        """Of pairs the first text: that of which several things are asked, such as a premise.

        Second texts may be few, as the aspects of an opinion are, and would tie all into one.
        """
        return "sentence" if self.options.text2 is None else "first text"

    def _cut(self, notes: list[str]) -> tuple[np.ndarray, list[str]]:
        options = self.options
        given = set(self.splits)
        missing = [] if options.as_test else [s for s in SPLITS if s not in given]
        if "train" in missing:
            raise InputError(f"{options.path}: no row is in train; give data to train on")
        groups = text_groups(self.texts) if options.group is None else self.groups
        splits = np.array(self.splits, dtype="<U5")
        if missing:
            train = np.flatnonzero(splits == "train")
            splits[train] = cut_splits([groups[k] for k in train], missing, options.seed)
            by = options.group or ("text" if options.text2 is None else self._group_kind)
            notes.append(f"{' and '.join(missing)} cut from train by {by}, seed {options.seed}")
        if options.group is None or len(self.parts) > 1:
            # A name means something within its part only; in one table it must not be divided.
            n_divided = len(set(zip(groups, self.splits, strict=True))) - len(set(groups))
            if options.group is not None and n_divided:
                notes.append(f"{n_divided:,} values of {options.group} stand in two splits")
            groups = [f"{split}:{name}" for split, name in zip(splits, groups, strict=True)]
        return splits, groups
