"""Words of a treebank in CoNLL-U files, labelled by its columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyconll
from probes_tasks.decoding import decoded
from probes_tasks.splits import (
    check_draw,
    check_labels,
    count_duplicates,
    cut_splits,
    sample_training,
    text_groups,
)
from pyconll.exception import ParseError

from probes.errors import InputError, unknown
from probes.task import SPLITS, Kind, Split, Task, label_column

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
FIELDS = ("upos", "xpos", "deprel", "head", "head-distance")
FEATURE = "feats."

_MULTIWORD = re.compile(r"[0-9]+-[0-9]+")
_EMPTY_NODE = re.compile(r"[0-9]+\.[0-9]+")


@dataclass(frozen=True)
class Conllu:
    """A treebank in CoNLL-U files: its syntactic words, and what its columns say of them."""

    train: str
    """CoNLL-U file of the training split."""

    dev: str | None = None
    """CoNLL-U file of the dev split; left out, about a tenth of train, by whole documents."""

    test: str | None = None
    """CoNLL-U file of the test split; left out, about a tenth of train, by whole documents."""

    field: tuple[str, ...] = ("upos",)
    """What to ask, one labelling each: upos, xpos, deprel, head-distance (words between a word and
    its head, a real value), or a morphological feature, such as feats.Number. Or head: the number
    of a word's head in its sentence, 0 for the root, of which role schemes make trees."""

    subtypes: bool = True
    """Keep the subtypes of relations: nmod:poss, not nmod."""

    limit: int | None = None
    """About how many training sentences to keep, in whole documents drawn by seed; dev and test
    stay whole."""

    seed: int = 0
    """Decides which documents are cut or sampled."""

    def load(self) -> tuple[Task, ...]:
        """Read the files.

        Returns
        -------
        tuple of Task
            One for each field, all over the same words.

        Raises
        ------
        InputError
            If a file is missing, empty, not UTF-8 or not CoNLL-U (with its line), or a field is
            unknown, without a label, or constant.
        """
        check_draw(self.limit, self.seed)
        if not self.field:
            raise InputError(f"no field is asked for; give one or more of {_fields_in_words()}")
        given = {"train": self.train, "dev": self.dev, "test": self.test}
        paths = {split: path for split in SPLITS if (path := given[split]) is not None}
        _refuse_one_file_twice(paths)
        labels = {name: _label_of(name, self.subtypes) for name in dict.fromkeys(self.field)}
        files = {split: _read(path, labels) for split, path in paths.items()}
        features = {FEATURE + name for file in files.values() for name in file.features}
        for name in labels:
            if name not in FIELDS and name not in features:
                raise unknown(f"field of {_names(paths)}", name, [*FIELDS, *features])
        return _tasks(self, files, list(labels), _names(paths))


@dataclass
class _File:
    """The words of one file, sentence after sentence."""

    texts: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    documents: list[str] = field(default_factory=list)
    labels: dict[str, list[Any]] = field(default_factory=dict)
    features: set[str] = field(default_factory=set)
    marked: bool = False
    n_multiword: int = 0
    n_empty: int = 0


def _label_of(name: str, subtypes: bool) -> Callable[[Any], Any]:
    if name == "deprel" and not subtypes:
        return lambda token: None if token.deprel is None else token.deprel.split(":")[0]
    if name in ("upos", "xpos", "deprel", "head"):
        return lambda token: getattr(token, name)
    if name == "head-distance":
        return lambda token: (
            None if token.head in (None, "0") else abs(int(token.head) - int(token.id))
        )
    feature = name.removeprefix(FEATURE)

    def value(token: Any) -> str | None:
        values = token.feats.get(feature)
        return ",".join(sorted(values)) if values else None

    return value


def _read(path: str, labels: dict[str, Callable[[Any], Any]]) -> _File:
    lines = _lines(path)
    numbers: list[int] = []
    file = _File(labels={name: [] for name in labels})
    document, n_documents = "#0", 0  # a number where a document has no name
    try:
        for sentence in pyconll.iter_from_resource(_watched(path, lines, numbers)):
            for key in ("newdoc id", "newdoc"):
                if sentence.meta_present(key):
                    n_documents += 1
                    document = sentence.meta_value(key) or f"#{n_documents}"
                    break
            if numbers:
                tokens = _words(path, sentence, numbers, file)
                words = [token.form or "_" for token in tokens]
                file.documents.append(document)
                file.lengths.append(len(words))
                file.texts.append(" ".join(words))
                file.words.extend(words)
                for name, label_of in labels.items():
                    file.labels[name].extend(map(label_of, tokens))
                numbers.clear()
    except ParseError as error:
        raise _malformed(path, lines, numbers, error) from error
    if not file.words:
        raise InputError(f"{path} has no sentence; give a CoNLL-U file with words in it")
    file.marked = n_documents > 0
    return file


def _lines(path: str) -> list[str]:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError(f"there is no file {path}; check the path of the treebank") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; give a CoNLL-U file") from None
    if not data.strip():
        raise InputError(f"{path} is empty; give a CoNLL-U file with words in it")
    # Not splitlines: words may hold U+2028 and the like, which end no line of CoNLL-U.
    return decoded(data, path).split("\n")


def _watched(path: str, lines: list[str], numbers: list[int]) -> Iterator[str]:
    """Hand on the lines; check their columns, and note the numbers of the lines with tokens."""
    for number, line in enumerate(lines, start=1):
        if (bare := line.strip()) and bare[0] != "#":
            columns = line.rstrip("\r").split("\t")
            if len(columns) != len(COLUMNS):
                raise InputError(
                    f"{path}, line {number} is not CoNLL-U: {len(columns)} columns separated by "
                    f"tabs, expected {len(COLUMNS)} ({', '.join(COLUMNS)}); found {line[:60]!r}"
                )
            if "" in columns:
                raise InputError(
                    f"{path}, line {number} is not CoNLL-U: column "
                    f"{COLUMNS[columns.index('')]} is empty; write _ where there is nothing"
                )
            numbers.append(number)
            # Nothing is asked of DEPS and MISC, and many a treebank is lax there.
            line = "\t".join([*columns[:8], "_", "_"])
        yield line


def _malformed(path: str, lines: list[str], numbers: list[int], error: ParseError) -> InputError:
    for number in numbers:
        features = lines[number - 1].split("\t")[5]
        try:
            pyconll.load_from_resource(["\t".join(["1", *"____", features, *"____"])])
        except ParseError:
            return InputError(
                f"{path}, line {number} is not CoNLL-U: column FEATS holds {features!r}; "
                "expected Name=Value|Name=Value, or _"
            )
    return InputError(f"{path} is not CoNLL-U: {error}; mend that sentence")


def _words(path: str, sentence: Any, numbers: list[int], file: _File) -> list[Any]:
    """Check the ids and heads of a sentence; return the tokens that are syntactic words."""
    words: list[Any] = []
    places: list[int] = []
    for token, number in zip(sentence, numbers, strict=True):
        if token.id == str(len(words) + 1):
            words.append(token)
            places.append(number)
        elif _MULTIWORD.fullmatch(token.id):
            file.n_multiword += 1
        elif _EMPTY_NODE.fullmatch(token.id):
            file.n_empty += 1
        else:
            seen = any(token.id == word.id for word in words)
            raise InputError(
                f"{path}, line {number} is not CoNLL-U: id {token.id!r} "
                f"{'stands twice in its sentence' if seen else 'is out of order'}, expected "
                f"{len(words) + 1}; words are numbered 1, 2, 3, … and sentences end with an empty "
                "line"
            )
    if not words:
        raise InputError(
            f"{path}, line {numbers[0]} is not CoNLL-U: the sentence has no words, only multiword "
            "tokens or empty nodes; give its words"
        )
    for position, (token, number) in enumerate(zip(words, places, strict=True), start=1):
        head = token.head
        if head is not None:
            if not (head.isascii() and head.isdecimal()):
                problem = "is no number"
            elif int(head) > len(words):
                problem = f"is out of range: the sentence has {len(words)} words"
            elif int(head) == position:
                problem = "is the word itself"
            else:
                continue
            raise InputError(
                f"{path}, line {number} is not CoNLL-U: head {head!r} of word {position} "
                f"({token.form!r}) {problem}; expected 0 (the root) to {len(words)}, or _"
            )
    for token in words:
        file.features.update(token.feats)
    return words


def _tasks(
    options: Conllu, files: dict[Split, _File], fields: list[str], source: str
) -> tuple[Task, ...]:
    splits, groups, group_kind, notes = _splits_and_groups(options, files)
    texts = [text for file in files.values() for text in file.texts]
    lengths = np.array([n for file in files.values() for n in file.lengths])
    keep = sample_training(groups, splits, options.limit, options.seed)
    # Sentences in the order train, dev, test, wherever they come from.
    order = np.argsort(np.array([SPLITS.index(s) for s in splits]), kind="stable")
    order = order[keep[order]]
    firsts = np.concatenate([[0], np.cumsum(lengths)])
    units = np.concatenate([np.arange(firsts[k], firsts[k + 1]) for k in order])
    counts, found = count_duplicates([texts[k] for k in order], splits[order])
    counts |= {
        "multiword_tokens": sum(file.n_multiword for file in files.values()),
        "empty_nodes": sum(file.n_empty for file in files.values()),
        "left_out": int((~keep).sum()),
    }
    notes += found
    if counts["left_out"]:
        notes.append(
            f"{counts['left_out']:,} training sentences are left out by the limit of "
            f"{options.limit:,} (whole groups, seed {options.seed})"
        )
    words = [word for file in files.values() for word in file.words]
    first = Task(
        name="conllu",
        labelling="",
        unit="word",
        kind="class",
        texts=tuple(texts[k] for k in order),
        text_index=np.repeat(np.arange(len(order)), lengths[order]),
        spans=_spans(np.array([len(words[k]) for k in units]), lengths[order]),
        labels=np.full(len(units), "", dtype=object),
        splits=np.repeat(splits[order], lengths[order]),
        groups=np.repeat(np.array([groups[k] for k in order]), lengths[order]),
        group_kind=group_kind,
        title=_title(options.train),
        source=source,
        counts=counts,
        notes=tuple(notes),
    )
    tasks = []
    for name in fields:
        kind: Kind = "real" if name == "head-distance" else "class"
        flat = [label for file in files.values() for label in file.labels[name]]
        labels = label_column(flat, kind)[units]
        check_labels(labels, first.splits, name, source)
        tasks.append(first.relabel(name, labels, kind))
    return tuple(tasks)


def _splits_and_groups(
    options: Conllu, files: dict[Split, _File]
) -> tuple[npt.NDArray[np.str_], list[str], str, list[str]]:
    """Give each sentence a split and a group; cut the splits that have no file."""
    missing = [split for split in get_args(Split) if split not in files]
    splits: list[str] = []
    groups: list[str] = []
    kinds: dict[str, None] = {}
    notes: list[str] = []
    named = [{x for x in file.documents if x[0] != "#"} for file in files.values()]
    if n_shared := sum(map(len, named)) - len(set().union(*named)):
        notes.append(f"{n_shared:,} documents stand in two files")
    for split, file in files.items():
        names, kind = file.documents, "document"
        n_documents = len(set(names))
        if split == "train" and file.marked and n_documents <= len(missing):
            notes.append(
                f"train has {n_documents} document(s), too few to cut {' and '.join(missing)} "
                "from it by document; cut by sentence"
            )
            names, kind = text_groups(file.texts), "sentence"
        elif not file.marked:
            names, kind = text_groups(file.texts), "sentence"
        kinds[kind] = None
        # A name means something within its file only.
        groups += [f"{split}:{name}" for name in names]
        if split == "train" and missing:
            splits += cut_splits(names, missing, options.seed).tolist()
            notes.append(f"{' and '.join(missing)} cut from train by {kind}, seed {options.seed}")
        else:
            splits += [split] * len(names)
    return np.array(splits, dtype="<U5"), groups, " or ".join(kinds), notes


def _spans(widths: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Place words of these widths in sentences of these lengths, one space apart."""
    ends = np.cumsum(widths + 1)
    first = np.cumsum(lengths) - lengths
    before = np.repeat((ends - widths - 1)[first], lengths)
    return np.stack([ends - widths - 1 - before, ends - 1 - before], axis=1)


def _refuse_one_file_twice(paths: dict[Split, str]) -> None:
    seen: dict[Path, str] = {}
    for split, path in paths.items():
        other = seen.setdefault(Path(path).resolve(), split)
        if other != split:
            raise InputError(
                f"{path} is given as {other} and as {split}; give another file, or leave "
                f"{split} out to have it cut from train"
            )


def _names(paths: dict[Split, str]) -> str:
    return ", ".join(Path(path).name for path in paths.values())


def _title(path: str) -> str:
    stem = Path(path).stem
    return re.sub(r"(?i)[-_.]+(?:ud[-_.]+)?train$", "", stem) or stem


def _fields_in_words() -> str:
    return f"{', '.join(FIELDS)}, {FEATURE}Number (or another feature)"
