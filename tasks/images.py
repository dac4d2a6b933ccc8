"""Images as a task: what class each shows, or a value of each.

Where they come from: `probes_tasks.image_source`; what can be done to them:
`probes_tasks.corruptions`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from probes_tasks.classes import ClassNames, check_use
from probes_tasks.corruptions import Corruption, check_corruption, corrupt
from probes_tasks.image_source import ImageSource, read_images
from probes_tasks.parts import named_splits, row_splits
from probes_tasks.rows import Rows, Source
from probes_tasks.splits import (
    check_draw,
    check_labels,
    count_duplicates,
    cut_splits,
    sample_training,
    text_groups,
)

from probes.errors import InputError, unknown
from probes.task import SPLITS, Images, Kind, Split, Task, image_task, label_column

Corrupted = Literal["test", "all"]


@dataclass(frozen=True)
class ImageSet:
    """Images: a folder of class folders, arrays, or a data set with a column of images."""

    path: str
    """Folder with a folder a class, or with such folders under train, dev (val, validation) and
    test; or a .npz file of numpy; or a folder saved by `datasets`, or a data set on the hub."""

    dev: str | None = None
    """The same for the dev split, where path does not hold it."""

    test: str | None = None
    """The same for the test split, where path does not hold it. A split that is nowhere is cut from
    train, about a tenth of the images, by group."""

    config: str | None = None
    """Which configuration of a hub data set."""

    image: str | None = None
    """Column of images of a data set (by default the only one), or array of a .npz file (by default
    images; uint8, channels last)."""

    label: tuple[str, ...] = ()
    """Columns or arrays of labels, one labelling each; by default the class folder, the column
    label, or the array labels."""

    kind: Kind = "class"
    """Classes, or real values."""

    split: str | None = None
    """Column or array that says train, dev (validation, valid, val) or test."""

    group: str | None = None
    """Column or array of what must not be divided between splits, such as the photograph that an
    image was cut from; without it, images of the same pixels."""

    group_of_name: str | None = None
    """Of files: a regular expression with one pair of brackets. What they match in a file's name
    is its group; cat-17-crop2.png and cat-17-crop3.png are of one with '(.*)-crop'."""

    classes: tuple[str, ...] = ()
    """Which classes to keep, and what to call them: cat, or car=automobile. The others are left
    out, counted. By default all, as they are."""

    as_test: bool = False
    """Nothing is to be learnt from these data: their test split is asked alone, where there is none
    their dev split, and all of data without splits. A set out of distribution is read so."""

    limit: int | None = None
    """About how many training images to keep, in whole groups drawn by seed; dev and test stay
    whole."""

    corruption: Corruption | None = None
    """Corrupt the images, as ImageNet-C does (its constants are for 224 pixels)."""

    severity: int = 3
    """Of the corruption, from 1 to 5."""

    corrupted: Corrupted = "test"
    """Which images are corrupted: those of the test split alone, or all."""

    seed: int = 0
    """Decides which groups are cut or sampled, and the noise of a corruption."""

    def load(self) -> tuple[Task, ...]:
        """Find and decode the images.

        Returns
        -------
        tuple of Task
            One for each labelling, all over the same images.

        Raises
        ------
        InputError
            If they cannot be read (the message names the file or row), or a column is not there.
        """
        self._check()
        more = [column for column in (self.split, self.group) if column is not None]
        main = self._read(self.path, more)
        corpus = _Corpus(self, main.label, list(main.notes), dict(main.counts))
        given = corpus.parts_of(main)
        others: tuple[tuple[Split, str | None], ...] = (("dev", self.dev), ("test", self.test))
        for split, path in others:
            if path is not None:
                if split in given:
                    raise InputError(
                        f"{split} is given as {path}, but {self.path} has a {split} split; drop one"
                    )
                given[split] = self._only(self._read(path, more), path, corpus)
        if self.split is not None and len(given) > 1:
            raise InputError(
                f"{self.split!r} is to say the split, but the data come in splits "
                f"({', '.join(given)}); leave it out"
            )
        for split, part in given.items():
            corpus.add(split, part)
        return corpus.tasks(main)

    def _read(self, path: str, more: Sequence[str]) -> ImageSource:
        return read_images(path, image=self.image, label=self.label, more=more, config=self.config)

    @staticmethod
    def _only(found: ImageSource, path: str, corpus: _Corpus) -> _Part:
        if len(found.source.parts) != 1:
            raise InputError(
                f"{path} has splits of its own ({', '.join(found.source.parts)}); give images of "
                "one"
            )
        corpus.notes += found.notes
        for what, n in found.counts.items():
            corpus.counts[what] = corpus.counts.get(what, 0) + n
        (name,) = found.source.parts
        return _Part(found.source.parts[name], found.images[name], found.names[name])

    def _check(self) -> None:
        check_draw(self.limit, self.seed)
        check_use(self.as_test, self.classes, self.kind, [self.dev, self.test])
        if self.kind not in get_args(Kind):
            raise unknown("kind of images", self.kind, get_args(Kind))
        if self.corrupted not in get_args(Corrupted):
            raise unknown("corrupted part", self.corrupted, get_args(Corrupted))
        check_corruption(self.corruption or "contrast", self.severity)
        if self.group is not None and self.group_of_name is not None:
            raise InputError("groups are named twice, by group and by group_of_name; drop one")
        if self.group_of_name is not None:
            try:
                n = re.compile(self.group_of_name).groups
            except re.error as error:
                raise InputError(
                    f"group_of_name {self.group_of_name!r} is no regular expression ({error})"
                ) from None
            if n != 1:
                raise InputError(
                    f"group_of_name {self.group_of_name!r} has {n} pairs of brackets; expected one"
                )


@dataclass(frozen=True)
class _Part:
    """The images of one split: what is known of them, themselves, and what tables call them."""

    rows: Rows
    images: Images
    names: Sequence[str]


@dataclass
class _Corpus:
    """The images found so far."""

    options: ImageSet
    label: Sequence[str]
    notes: list[str]
    counts: dict[str, int]
    names: list[str] = field(default_factory=list)
    images: list[tuple[Images, int]] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    labels: dict[str, list[Any]] = field(default_factory=dict)
    n_parts: int = 0
    n_out: int = 0
    n_skipped: int = 0

    def __post_init__(self) -> None:
        self.classes = ClassNames(self.options.classes)

    def parts_of(self, main: ImageSource) -> dict[Split, _Part]:
        """Call the parts of the data by our names of splits, and say what is left out."""
        chosen, notes, self.n_out = named_splits(
            main.source, main.label, as_test=self.options.as_test
        )
        self.notes += notes
        names = {id(rows): name for name, rows in main.source.parts.items()}
        return {
            split: _Part(rows, main.images[names[id(rows)]], main.names[names[id(rows)]])
            for split, rows in chosen.items()
        }

    def add(self, split: Split, part: _Part) -> None:
        """Add the images of one part of the data."""
        options, rows, images = self.options, part.rows, part.images
        self.n_parts += 1
        splits = row_splits(rows, split, options.split, self.notes, as_test=options.as_test)
        for k, named in enumerate(splits):
            if named is None:
                self.n_skipped += 1
                continue
            labels = [self.classes.call(self._label(rows, k, name)) for name in self.label]
            if options.classes and all(label is None for label in labels):
                continue  # it need not be decoded
            self.names.append(part.names[k])
            self.images.append((images, k))
            self.splits.append(named)
            self.groups.append(self._group(rows, k, images.names[k]))
            for name, label in zip(self.label, labels, strict=True):
                self.labels.setdefault(name, []).append(label)

    def _label(self, rows: Rows, k: int, name: str) -> Any:
        if rows.is_empty(k, name):
            return None
        value = rows.value(k, name)
        return rows.real(k, name, value) if self.options.kind == "real" else value

    def _group(self, rows: Rows, k: int, name: str) -> str:
        options = self.options
        if options.group is not None:
            return str(rows.value(k, options.group))
        if options.group_of_name is None:
            return ""  # by its pixels, below
        found = re.search(options.group_of_name, Path(name).name)
        if found is None or found[1] is None:
            raise InputError(
                f"{name}: its name does not match group_of_name {options.group_of_name!r}"
            )
        return found[1]

    def tasks(self, main: ImageSource) -> tuple[Task, ...]:
        """Cut, sample and order what was found; make the tasks."""
        self.classes.require_all(main.source.title)
        options = self.options
        clean = Images(self.names, [_reader(images, k) for images, k in self.images])
        digests = np.array(clean.digests, dtype=object)
        splits, groups = self._cut(digests.tolist())
        keep = sample_training(groups, splits, options.limit, options.seed)
        order = np.argsort([SPLITS.index(split) for split in splits], kind="stable")
        order = order[keep[order]]
        counts, found = count_duplicates(digests[order].tolist(), splits[order], "images")
        counts |= {"left_out": int((~keep).sum()) + self.n_out + self.n_skipped, **self.counts}
        if not keep.all():
            self.notes.append(
                f"{(~keep).sum():,} training images are left out by the limit of "
                f"{options.limit:,} (whole groups, seed {options.seed})"
            )
        images = clean.at(order)
        if options.corruption is not None:
            images = self._corrupted(images, splits[order])
        self.notes += found
        self.classes.tell(counts, self.notes)
        columns = [
            (name, label_column(self.labels[name], options.kind)[order]) for name in self.label
        ]
        for name, labels in columns:
            needed = ("test",) if options.as_test else SPLITS
            check_labels(labels, splits[order], name, options.path, needed)
        return tuple(
            image_task(
                images,
                labels.tolist(),
                splits=splits[order].tolist(),
                groups=[groups[k] for k in order],
                labelling=name,
                counts=counts,
                **self._fields(main.source),
            )
            for name, labels in columns
        )

    def _fields(self, source: Source) -> dict[str, Any]:
        """Lay out what is the same in all labellings."""
        options = self.options
        title = source.title if options.config is None else options.config
        if options.corruption is not None:
            title += f" · {options.corruption} {options.severity}"
        files = [Path(path).name for path in (options.dev, options.test) if path is not None]
        return {
            "name": "images",
            "kind": options.kind,
            "group_kind": options.group or ("group" if options.group_of_name else "image"),
            "title": title,
            "version": source.version,
            "source": ", ".join([source.source, *files]),
            "licence": source.licence,
            "citation": source.citation,
            "notes": tuple(self.notes),
        }

    def _corrupted(self, images: Images, splits: np.ndarray) -> Images:
        options = self.options
        chosen = splits == "test" if options.corrupted == "test" else np.ones(len(splits), bool)

        def change(k: int, picture: Any) -> Any:
            assert options.corruption is not None
            if not chosen[k]:
                return picture
            return corrupt(picture, options.corruption, options.severity, options.seed)

        which = "the test images are" if options.corrupted == "test" else "all images are"
        self.notes.append(
            f"{which} corrupted: {options.corruption} at severity {options.severity} of 5, "
            f"seed {options.seed}"
        )
        return images.changed(change)

    def _cut(self, digests: list[str]) -> tuple[np.ndarray, list[str]]:
        options = self.options
        given = set(self.splits)
        missing = [] if options.as_test else [s for s in SPLITS if s not in given]
        if "train" in missing:
            raise InputError(f"{options.path}: no image is in train; give images to train on")
        is_named = options.group is not None or options.group_of_name is not None
        groups = self.groups if is_named else text_groups(digests)
        splits = np.array(self.splits, dtype="<U5")
        if missing:
            train = np.flatnonzero(splits == "train")
            splits[train] = cut_splits([groups[k] for k in train], missing, options.seed)
            by = options.group or ("group" if options.group_of_name else "image")
            self.notes.append(
                f"{' and '.join(missing)} cut from train by {by}, seed {options.seed}"
            )
        if not is_named or self.n_parts > 1:
            # A name means something within its part only; in one table it must not be divided.
            n_divided = len(set(zip(groups, self.splits, strict=True))) - len(set(groups))
            if is_named and n_divided:
                self.notes.append(f"{n_divided:,} groups have images in two splits")
            groups = [f"{split}:{name}" for split, name in zip(splits, groups, strict=True)]
        return splits, groups


def _reader(images: Images, k: int) -> Any:
    return lambda: images[k]
