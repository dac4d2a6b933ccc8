"""How the subsets of GLUE and SuperGLUE are laid out: their files, columns and classes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from probes.errors import InputError

Subset = Literal["cola", "sst2", "rte", "mrpc", "qnli", "wnli", "cb", "boolq", "wic"]


@dataclass(frozen=True)
class Form:
    """One form in which a subset is published.

    Parameters
    ----------
    texts : tuple of str
        The column of sentences, or the two columns of pairs.
    label : str
        The column of labels.
    train, dev, ood : tuple of str
        Names that the files go by; no file of this form, where there are none.
    columns : tuple of str
        Of files without a header.
    """

    texts: tuple[str, ...]
    label: str = "label"
    train: tuple[str, ...] = ("train.tsv",)
    dev: tuple[str, ...] = ("dev.tsv",)
    ood: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def files(self, folder: Path, ood: bool) -> dict[str, Path]:
        """Find the files of each part.

        Raises
        ------
        InputError
            If one is not there.
        """
        names = {"train": self.train, "test": self.dev} | ({"ood": self.ood} if ood else {})
        return {part: _found(folder, of) for part, of in names.items()}

    def is_in(self, folder: Path) -> bool:
        """Tell whether the training file is there."""
        return any((place / name).is_file() for place in _places(folder) for name in self.train)


@dataclass(frozen=True)
class Layout:
    """A subset.

    Parameters
    ----------
    title : str
        How a table names it.
    classes : tuple of str
        Their names in the order of the numbers by which some files give them.
    forms : tuple of Form
        In which it is published; a data set on the hub has the columns of one of them.
    question : str
        Where both texts are asked as one: how, with the columns in braces.
    group : str
        The column of what is not divided, where that is no text.
    citation : str
        Where it comes from.
    """

    title: str
    classes: tuple[str, ...]
    forms: tuple[Form, ...]
    question: str = ""
    group: str = ""
    citation: str = ""

    def wanted(self, form: Form) -> list[str]:
        """Name the columns that are read."""
        return [*form.texts, form.label, *([self.group] if self.group else [])]

    def form_of_files(self, folder: Path) -> Form:
        """Choose the form in which the files of a folder are.

        Raises
        ------
        InputError
            If there are none.
        """
        for form in self.forms:
            if form.is_in(folder):
                return form
        raise _missing(folder, [name for form in self.forms for name in form.train])

    def form_of_columns(self, names: Collection[str], where: str) -> Form:
        """Choose the form that has the columns of a data set.

        Raises
        ------
        InputError
            If none has.
        """
        for form in self.forms:
            if set(self.wanted(form)) <= set(names):
                return form
        sets = " nor ".join(", ".join(self.wanted(form)) for form in self.forms)
        raise InputError(
            f"{where} has the columns {', '.join(names)}, not {sets}; give {self.title} as it is "
            "on the hub, or the folder of its published files"
        )


def _places(folder: Path) -> tuple[Path, Path]:
    return folder, folder / "raw"


def _found(folder: Path, names: Sequence[str]) -> Path:
    for place in _places(folder):
        for name in names:
            if (place / name).is_file():
                return place / name
    raise _missing(folder, names)


def _missing(folder: Path, names: Sequence[str]) -> InputError:
    return InputError(
        f"{folder} holds no {' and no '.join(names)}; give the folder with the published files"
    )


_TRAIN, _VAL = ("train.jsonl",), ("val.jsonl",)

LAYOUTS: dict[str, Layout] = {
    "cola": Layout(
        title="CoLA",
        classes=("unacceptable", "acceptable"),
        forms=(
            Form(
                texts=("sentence",),
                train=("in_domain_train.tsv", "train.tsv"),
                dev=("in_domain_dev.tsv", "dev.tsv"),
                ood=("out_of_domain_dev.tsv",),
                columns=("source", "label", "mark", "sentence"),
            ),
        ),
        citation="Warstadt, Singh & Bowman (2019), Neural Network Acceptability Judgments",
    ),
    "sst2": Layout(
        title="SST-2",
        classes=("negative", "positive"),
        forms=(Form(texts=("sentence",)),),
        citation="Socher et al. (2013), Recursive Deep Models for Semantic Compositionality",
    ),
    "rte": Layout(
        title="RTE",
        classes=("entailment", "not_entailment"),
        forms=(
            Form(texts=("sentence1", "sentence2")),
            Form(texts=("premise", "hypothesis"), train=_TRAIN, dev=_VAL),
        ),
        citation="Dagan, Glickman & Magnini (2005), The PASCAL Recognising Textual Entailment "
        "Challenge; its second, third and fifth round",
    ),
    "mrpc": Layout(
        title="MRPC",
        classes=("not_equivalent", "equivalent"),
        forms=(
            Form(texts=("#1 String", "#2 String"), label="Quality"),
            Form(texts=("sentence1", "sentence2"), train=(), dev=()),
        ),
        citation="Dolan & Brockett (2005), Automatically Constructing a Corpus of Sentential "
        "Paraphrases",
    ),
    "qnli": Layout(
        title="QNLI",
        classes=("entailment", "not_entailment"),
        forms=(Form(texts=("question", "sentence")),),
        citation="Rajpurkar et al. (2016), SQuAD; Wang et al. (2019), GLUE",
    ),
    "wnli": Layout(
        title="WNLI",
        classes=("not_entailment", "entailment"),
        forms=(Form(texts=("sentence1", "sentence2")),),
        citation="Levesque, Davis & Morgenstern (2012), The Winograd Schema Challenge; Wang et al. "
        "(2019), GLUE",
    ),
    "cb": Layout(
        title="CB",
        classes=("entailment", "contradiction", "neutral"),
        forms=(Form(texts=("premise", "hypothesis"), train=_TRAIN, dev=_VAL),),
        citation="de Marneffe, Simons & Tonhauser (2019), The CommitmentBank",
    ),
    "boolq": Layout(
        title="BoolQ",
        classes=("False", "True"),
        forms=(Form(texts=("question", "passage"), train=_TRAIN, dev=_VAL),),
        citation="Clark et al. (2019), BoolQ",
    ),
    # One text, as the code of Tomihari & Sato (2024) gives it to RoBERTa; nothing marks where the
    # word stands.
    "wic": Layout(
        title="WiC",
        classes=("False", "True"),
        forms=(Form(texts=("sentence1", "sentence2"), train=_TRAIN, dev=_VAL),),
        question="{sentence1} {sentence2} Does {word} have the same meaning in both sentences?",
        group="word",
        citation="Pilehvar & Camacho-Collados (2019), WiC",
    ),
}
