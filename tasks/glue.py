"""Tasks of GLUE over single sentences, from the files as they are published or from the hub.

The published test labels are hidden, so the published dev split is the test split here, and dev is
cut from train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

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
from probes.task import SPLITS, Task, sentence_task

Subset = Literal["cola", "sst2"]


@dataclass(frozen=True)
class _Layout:
    """How a subset is laid out: its files, its columns, and what its labels are called."""

    title: str
    classes: tuple[str, str]
    train: tuple[str, ...]
    dev: tuple[str, ...]
    columns: tuple[str, ...] = ()
    ood: tuple[str, ...] = ()
    citation: str = ""


_LAYOUTS: dict[str, _Layout] = {
    "cola": _Layout(
        title="CoLA",
        classes=("unacceptable", "acceptable"),
        train=("in_domain_train.tsv", "train.tsv"),
        dev=("in_domain_dev.tsv", "dev.tsv"),
        columns=("source", "label", "mark", "sentence"),
        ood=("out_of_domain_dev.tsv",),
        citation="Warstadt, Singh & Bowman (2019), Neural Network Acceptability Judgments",
    ),
    "sst2": _Layout(
        title="SST-2",
        classes=("negative", "positive"),
        train=("train.tsv",),
        dev=("dev.tsv",),
        citation="Socher et al. (2013), Recursive Deep Models for Semantic Compositionality",
    ),
}


@dataclass(frozen=True)
class Glue:
    """GLUE: acceptability (CoLA) or sentiment (SST-2) of sentences."""

    path: str
    """Folder with the published files, or the id of the data set on the hub (nyu-mll/glue)."""

    subset: Subset = "cola"
    """cola (is the sentence acceptable?) or sst2 (is it positive?)."""

    ood: bool = False
    """Also give the out-of-domain sentences of CoLA: as a second task, of which train and dev are
    the same and test is out of domain."""

    limit: int | None = None
    """About how many training sentences to keep, drawn by seed; dev and test stay whole."""

    seed: int = 0
    """Decides which sentences are cut from train for dev (about a tenth), and sampled."""

    def load(self) -> tuple[Task, ...]:
        """Read the sentences.

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
        layout = _LAYOUTS[self.subset]
        if self.ood and not layout.ood:
            raise InputError(f"{layout.title} has no sentences out of domain; leave --task.ood out")
        folder = Path(self.path)
        if folder.is_dir() and not _is_saved(folder):
            main, parts = self._files(folder, layout)
        else:
            main, parts = self._dataset(layout)
        tasks = [self._task(layout, main, parts["train"], parts["test"], "")]
        if self.ood:
            tasks.append(self._task(layout, main, parts["train"], parts["ood"], ", out of domain"))
        return tuple(tasks)

    def _files(self, folder: Path, layout: _Layout) -> tuple[Source, dict[str, Rows]]:
        names = {"train": layout.train, "test": layout.dev}
        if self.ood:
            names["ood"] = layout.ood
        sources = {
            part: read_table(str(_found(folder, of)), ("sentence", "label"), names=layout.columns)
            for part, of in names.items()
        }
        return sources["train"], {part: source.parts[""] for part, source in sources.items()}

    def _dataset(self, layout: _Layout) -> tuple[Source, dict[str, Rows]]:
        if self.ood:
            raise InputError(
                f"{self.path} has no sentences out of domain; give the folder with the published "
                f"file {layout.ood[0]}"
            )
        wanted = ("sentence", "label")
        config = None if Path(self.path).is_dir() else self.subset
        main = read_table(self.path, wanted, config=config)
        for name in ("train", "validation"):
            if name not in main.parts:
                raise InputError(
                    f"{main.title} has no split {name}, only {', '.join(main.parts)}; give GLUE as "
                    "it is on the hub, or the folder of its published files"
                )
        return main, {"train": main.parts["train"], "test": main.parts["validation"]}

    def _task(self, layout: _Layout, main: Source, train: Rows, test: Rows, where: str) -> Task:
        texts, labels = _read(train, layout)
        test_texts, test_labels = _read(test, layout)
        groups = text_groups([*texts, *test_texts])
        splits = [*cut_splits(groups[: len(texts)], ["dev"], self.seed)]
        splits += ["test"] * len(test_texts)
        keep = sample_training(groups, np.array(splits), self.limit, self.seed)
        order = sorted(np.flatnonzero(keep).tolist(), key=lambda k: SPLITS.index(splits[k]))
        texts, labels = [*texts, *test_texts], [*labels, *test_labels]
        chosen = [splits[k] for k in order]
        counts, notes = count_duplicates([texts[k] for k in order], chosen)
        counts["left_out"] = len(keep) - len(order)
        made = sentence_task(
            [texts[k] for k in order],
            [labels[k] for k in order],
            splits=chosen,
            groups=[f"{splits[k]}:{groups[k]}" for k in order],
            name="glue",
            labelling=self.subset,
            title=layout.title + where,
            version=main.version,
            source=main.source,
            licence=main.licence,
            citation=main.citation or layout.citation,
            counts=counts,
            notes=(f"dev cut from train by text, seed {self.seed}", *notes),
        )
        check_labels(made.labels, made.splits, self.subset, self.path)
        return made


def _is_saved(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _found(folder: Path, names: Sequence[str]) -> Path:
    for place in (folder, folder / "raw"):
        for name in names:
            if (place / name).is_file():
                return place / name
    raise InputError(
        f"{folder} holds no {' and no '.join(names)}; give the folder with the published files"
    )


def _read(rows: Rows, layout: _Layout) -> tuple[list[str], list[str]]:
    """Read sentences and the names of their labels, which files give as 0 and 1."""
    names = {"0": layout.classes[0], "1": layout.classes[1]}
    names |= {name: name for name in layout.classes}
    texts, labels = [], []
    for k in range(len(rows.numbers)):
        text, label = rows.value(k, "sentence"), str(rows.value(k, "label"))
        if not isinstance(text, str) or not text.strip():
            raise InputError(f"{rows.place(k)}: the sentence is {text!r}; expected a text")
        if label not in names:
            raise InputError(f"{rows.place(k)}: the label is {label!r}; expected 0 or 1")
        texts.append(text)
        labels.append(names[label])
    return texts, labels
