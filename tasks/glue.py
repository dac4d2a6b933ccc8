"""Tasks of GLUE and SuperGLUE, over sentences or pairs, as they are published or from the hub.

The published test labels are hidden, so the published dev split is the test split here, and dev is
cut from train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
from probes_tasks.glue_layouts import LAYOUTS, Form, Layout, Subset
from probes_tasks.rows import Rows, Source, open_dataset, read_table, source_of
from probes_tasks.splits import (
    check_draw,
    check_labels,
    count_duplicates,
    count_pair_duplicates,
    cut_splits,
    pair_groups,
    sample_training,
    text_groups,
)

from probes.errors import InputError, unknown
from probes.task import SPLITS, Task, sentence_task


@dataclass(frozen=True)
class Glue:
    """GLUE and SuperGLUE: sentences, or pairs of texts (for probes train)."""

    path: str
    """Folder with the published files, or the id of a data set on the hub: nyu-mll/glue, or one
    that has the columns of SuperGLUE."""

    subset: Subset = "cola"
    """Sentences: cola (is it acceptable?), sst2 (is it positive?), wic (has a word one meaning in
    two sentences? asked in one text). Pairs: rte, qnli, wnli, cb (does one entail the other?),
    mrpc (do they mean the same?), boolq (is the answer yes?)."""

    ood: bool = False
    """Also give the out-of-domain sentences of CoLA: as a second task, of which train and dev are
    the same and test is out of domain."""

    limit: int | None = None
    """About how many training items to keep, drawn by seed; dev and test stay whole."""

    seed: int = 0
    """Decides which items are cut from train for dev (about a tenth), and sampled. Pairs that share
    a text are not divided, nor are those of WiC that share the word."""

    def load(self) -> tuple[Task, ...]:
        """Read the texts.

        Returns
        -------
        tuple of Task
            In domain; with `ood`, also out of domain.

        Raises
        ------
        InputError
            If they cannot be read, or there are none out of domain.
        """
        check_draw(self.limit, self.seed)
        if self.subset not in get_args(Subset):
            raise unknown("subset of GLUE", self.subset, get_args(Subset))
        layout = LAYOUTS[self.subset]
        if self.ood and not layout.forms[0].ood:
            raise InputError(f"{layout.title} has no sentences out of domain; leave --task.ood out")
        folder = Path(self.path)
        if folder.is_dir() and not _is_saved(folder):
            main, items = self._files(folder, layout)
        else:
            main, items = self._dataset(layout)
        tasks = [self._task(layout, main, items["train"], items["test"], "")]
        if self.ood:
            tasks.append(self._task(layout, main, items["train"], items["ood"], ", out of domain"))
        return tuple(tasks)

    def _files(self, folder: Path, layout: Layout) -> tuple[Source, dict[str, _Items]]:
        form = layout.form_of_files(folder)
        sources = {
            part: read_table(str(file), layout.wanted(form), names=form.columns)
            for part, file in form.files(folder, self.ood).items()
        }
        items = {part: _read(source.parts[""], layout, form) for part, source in sources.items()}
        return sources["train"], items

    def _dataset(self, layout: Layout) -> tuple[Source, dict[str, _Items]]:
        if self.ood:
            raise InputError(
                f"{self.path} has no sentences out of domain; give the folder with the published "
                f"file {layout.forms[0].ood[0]}"
            )
        data = open_dataset(self.path, None if Path(self.path).is_dir() else self.subset)
        parts = data if isinstance(data, dict) else {"": data}
        for name in ("train", "validation"):
            if name not in parts:
                raise InputError(
                    f"{self.path} has no split {name}, only {', '.join(parts) or 'one'}; give GLUE "
                    "as it is on the hub, or the folder of its published files"
                )
        form = layout.form_of_columns(parts["train"].column_names, self.path)
        main = source_of(self.path, layout.wanted(form), data)
        return main, {
            part: _read(main.parts[name], layout, form)
            for part, name in (("train", "train"), ("test", "validation"))
        }

    def _task(self, layout: Layout, main: Source, train: _Items, test: _Items, where: str) -> Task:
        items = train.followed_by(test)
        groups = items.groups()
        splits = [*cut_splits(groups[: len(train.texts)], ["dev"], self.seed)]
        splits += ["test"] * len(test.texts)
        keep = sample_training(groups, np.array(splits), self.limit, self.seed)
        order = sorted(np.flatnonzero(keep).tolist(), key=lambda k: SPLITS.index(splits[k]))
        chosen = [splits[k] for k in order]
        kept = items.at(order)
        counts, notes = kept.duplicates(chosen)
        counts["left_out"] = len(keep) - len(order)
        cut = f"dev cut from train by {kept.group_kind[1]}, seed {self.seed}"
        asked = [f"each item is one text: {layout.question}"] if layout.question else []
        made = sentence_task(
            kept.texts,
            kept.labels,
            splits=chosen,
            groups=[f"{splits[k]}:{groups[k]}" for k in order],
            seconds=kept.seconds or None,
            group_kind=kept.group_kind[0],
            name="glue",
            labelling=self.subset,
            title=layout.title + where,
            version=main.version,
            source=main.source,
            licence=main.licence,
            citation=main.citation or layout.citation,
            counts=counts,
            notes=(cut, *asked, *notes),
        )
        check_labels(made.labels, made.splits, self.subset, self.path)
        return made


@dataclass
class _Items:
    """What a part holds: texts, the second texts of pairs, labels, and the words of WiC."""

    texts: list[str] = field(default_factory=list)
    seconds: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    @property
    def _columns(self) -> tuple[list[str], ...]:
        return self.texts, self.seconds, self.labels, self.words

    def followed_by(self, other: _Items) -> _Items:
        return _Items(*(a + b for a, b in zip(self._columns, other._columns, strict=True)))

    def at(self, rows: Sequence[int]) -> _Items:
        return _Items(*([column[k] for k in rows] if column else [] for column in self._columns))

    def groups(self) -> list[str]:
        if self.seconds:
            return pair_groups(self.texts, self.seconds)
        return text_groups(self.words or self.texts)

    @property
    def group_kind(self) -> tuple[str, str]:
        """What a group is, and how a note says that dev is cut by it."""
        if self.seconds:
            return "shared text", "text (pairs that share one are not divided)"
        return ("word", "word") if self.words else ("sentence", "text")

    def duplicates(self, splits: Sequence[str]) -> tuple[dict[str, int], list[str]]:
        if self.seconds:
            return count_pair_duplicates(self.texts, self.seconds, splits)
        return count_duplicates(self.texts, splits)


def _is_saved(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _read(rows: Rows, layout: Layout, form: Form) -> _Items:
    """Read texts and the names of their labels, which some files give as numbers."""
    names = {str(k): name for k, name in enumerate(layout.classes)}
    names |= {name: name for name in layout.classes}
    items = _Items()
    for k in range(len(rows.numbers)):
        label = str(rows.value(k, form.label))
        if label not in names:
            numbers = " or ".join(map(str, range(len(layout.classes))))
            raise InputError(
                f"{rows.place(k)}: the label is {label!r}; expected {numbers} "
                f"({', '.join(layout.classes)})"
            )
        items.labels.append(names[label])
        texts = [_text(rows, k, column) for column in form.texts]
        if layout.group:
            items.words.append(_text(rows, k, layout.group))
        if layout.question:
            given = dict(zip(form.texts, texts, strict=True), **{layout.group: items.words[-1]})
            texts = [layout.question.format(**given)]
        items.texts.append(texts[0])
        items.seconds += texts[1:]
    return items


def _text(rows: Rows, k: int, column: str) -> str:
    text = rows.value(k, column)
    if not isinstance(text, str) or not text.strip():
        raise InputError(f"{rows.place(k)}: the {column} is {text!r}; expected a text")
    return text
