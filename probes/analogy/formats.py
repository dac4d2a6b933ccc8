"""Sets of analogy questions in files: Google's format, folders as BATS comes in, and tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from probes.analogy.questions import (
    FEWEST_PAIRS,
    AnalogySet,
    Pair,
    Relation,
    every_question,
    require_unreserved,
)
from probes.analogy.text import Lines, lines_of
from probes.errors import InputError, unknown

GOOGLE_SEMANTIC = (
    "capital-common-countries",
    "capital-world",
    "currency",
    "city-in-state",
    "family",
)
GOOGLE_SYNTACTIC = "gram"  # how the names of these sections begin
GOOGLE_SIZE = (14, 19_544)  # sections, questions
GOOGLE_LICENCE = "Apache-2.0"
GOOGLE_CITATION = "Mikolov, Chen, Corrado, Dean (2013), arXiv:1301.3781"
BATS_CATEGORIES = {"I": "inflection", "D": "derivation", "E": "encyclopaedic", "L": "lexical"}
BATS_CITATION = "Gladkova, Drozd, Matsuoka (2016), doi:10.18653/v1/N16-2002"
COLUMNS = ("relation", "source", "target")
OPTIONAL = "category"
NO_RELATIONS = frozenset({"readme", "license", "licence"})
_SHOWN = 60  # characters of a line in a message


def read_set(path: str | Path) -> AnalogySet:
    """Read a set of analogy questions, in whichever of three forms it is written.

    Parameters
    ----------
    path : str or Path
        One of these, in UTF-8. Words stay as they are written, in case too.

        - A file in Google's format: a section begins with ``: name``, then come questions, four
          words a line (a a* b b*). Only these questions are asked, in their order.
        - A folder as BATS comes in: a ``.txt`` file a relation, in subfolders or not; a pair a
          line, the source, a tab, and its answers with ``/`` between them. A file called
          ``README`` or ``LICENSE`` is none. Every question is asked (`every_question`).
        - A table with tabs between its columns ``relation``, ``source``, ``target`` and perhaps
          ``category``. Rows with the same relation and source are one pair of several answers, and
          so are targets with ``/`` between them. Every question is asked.

    Returns
    -------
    AnalogySet
        Sections of Google's format whose name begins with ``gram`` are syntactic, the others of
        such a file semantic. In a folder the first letter of ``I01`` (D, E, L) tells the category,
        else the subfolder.

    Raises
    ------
    InputError
        If it is not there, or of another form, or holds too little. The message names file and
        line.

    Notes
    -----
    Mikolov, Chen, Corrado, Dean (2013), arXiv:1301.3781; Gladkova, Drozd, Matsuoka (2016),
    doi:10.18653/v1/N16-2002.
    """
    place = Path(path)
    if place.is_dir():
        return _read_folder(place)
    if not place.is_file():
        raise InputError(f"there is no file or folder {place} of analogy questions; check the path")
    lines = lines_of(place)
    while len(lines) > 1 and lines[0][1].startswith("//"):  # the copyright of Google's own file
        lines = lines[1:]
    first, text = lines[0]
    if text.startswith(":"):
        return _read_google(place, lines)
    if set(COLUMNS) & set(_cells(text)):
        return _read_table(place, lines)
    if len(text.split()) == 4:
        raise InputError(
            f"{place}, line {first}: a question before the first section ({_clip(text)}); begin "
            "with a line ': name'"
        )
    raise InputError(
        f"{place}, line {first}: {_clip(text)} begins no set of analogy questions; expected a "
        f"section (': name'), or a header with tabs between {', '.join(COLUMNS)}; of BATS give the "
        "folder"
    )


def _read_google(path: Path, lines: Lines) -> AnalogySet:
    begun: dict[str, int] = {}
    numbers: dict[str, dict[tuple[str, str], int]] = {}
    questions: list[tuple[int, int, int]] = []
    name = ""
    for line, text in lines:
        if text.startswith(":"):
            _check_section(path, begun, numbers, name)
            name = text[1:].strip()
            if not name:
                raise InputError(f"{path}, line {line}: a section without a name; give ': name'")
            if name in begun:
                raise InputError(
                    f"{path}, line {line}: section {name!r} began in line {begun[name]} already; "
                    "put its questions together, or rename it"
                )
            require_unreserved(name, "", f"{path}, line {line}")
            begun[name], numbers[name] = line, {}
        else:
            questions.append((len(begun) - 1, *_question(path, line, text, numbers[name])))
    _check_section(path, begun, numbers, name)
    known = any(name.startswith(GOOGLE_SYNTACTIC) for name in begun)
    relations = tuple(
        Relation(name, _google_category(name, known), tuple(Pair(a, (b,)) for a, b in pairs))
        for name, pairs in numbers.items()
    )
    googles = (len(begun), len(questions)) == GOOGLE_SIZE
    return AnalogySet(
        name=path.stem,
        relations=relations,
        questions=np.asarray(questions, dtype=np.int64),
        source=str(path),
        licence=GOOGLE_LICENCE if googles else "",
        citation=GOOGLE_CITATION if googles else "",
    )


def _question(
    path: Path, line: int, text: str, pairs: dict[tuple[str, str], int]
) -> tuple[int, int]:
    """Number the pair that a line gives and the one it asks for; a new pair joins the others."""
    words = text.split()
    if len(words) != 4:
        raise InputError(
            f"{path}, line {line}: {len(words)} word(s) ({_clip(text)}), expected four with "
            "spaces between them: a a* b b*"
        )
    given = pairs.setdefault((words[0], words[1]), len(pairs))
    asked = pairs.setdefault((words[2], words[3]), len(pairs))
    if given == asked:
        raise InputError(
            f"{path}, line {line}: the question asks for the pair that it gives ({_clip(text)}); "
            "give another pair, or drop the line"
        )
    return given, asked


def _check_section(
    path: Path, begun: dict[str, int], pairs: dict[str, dict[tuple[str, str], int]], name: str
) -> None:
    if name and not pairs[name]:
        raise InputError(
            f"{path}, line {begun[name]}: section {name!r} is empty; give it questions, four words "
            "a line, or drop it"
        )


def _google_category(name: str, known: bool) -> str:
    if name.startswith(GOOGLE_SYNTACTIC):
        return "syntactic"
    return "semantic" if known or name in GOOGLE_SEMANTIC else ""


def _read_folder(folder: Path) -> AnalogySet:
    places = [
        path
        for path in sorted(folder.rglob("*.txt"))
        if path.is_file()
        and path.stem.casefold() not in NO_RELATIONS
        and not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)
    ]
    if not places:
        raise InputError(
            f"the folder {folder} holds no .txt file, neither itself nor in its subfolders; "
            "expected a file a relation, each line a source, a tab, and its answers"
        )
    named: dict[str, Path] = {}
    for path in places:
        other = named.setdefault(path.stem, path)
        if other != path:
            raise InputError(f"{path} and {other} are of one name; rename one")
        require_unreserved(path.stem, _folder_category(folder, path), str(path))
    relations = tuple(
        Relation(name, _folder_category(folder, path), tuple(_pairs_of(path)))
        for name, path in named.items()
    )
    bats = all(_is_of_bats(relation.name) for relation in relations)
    return AnalogySet(
        name=folder.resolve().name,
        relations=relations,
        questions=every_question(relations),
        source=str(folder),
        citation=BATS_CITATION if bats else "",
    )


def _is_of_bats(name: str) -> bool:
    return re.match(r"[IDEL]\d\d\b", name) is not None


def _folder_category(folder: Path, path: Path) -> str:
    if _is_of_bats(path.stem):
        return BATS_CATEGORIES[path.stem[0]]
    return "" if path.parent == folder else path.parent.name


def _pairs_of(path: Path) -> list[Pair]:
    pairs: list[Pair] = []
    begun: dict[tuple[str, str], int] = {}
    for line, text in lines_of(path):
        cells = _cells(text) if "\t" in text else text.split()
        if len(cells) != 2:
            raise InputError(
                f"{path}, line {line}: {len(cells)} column(s) ({_clip(text)}), expected two with a "
                "tab between them: a source, and its answers with / between them"
            )
        source, answers = _word(path, line, cells[0], "source"), _answers(path, line, cells[1])
        pair = Pair(source, tuple(dict.fromkeys(answers)))
        other = begun.setdefault((pair.source, pair.target), line)
        if other != line:
            raise _twice(path, line, f"{pair.source} : {pair.target}", other)
        pairs.append(pair)
    if len(pairs) < FEWEST_PAIRS:
        raise InputError(
            f"{path}, line {line}: the file has {len(pairs)} pair only; a question takes "
            f"{FEWEST_PAIRS}, so give more, or drop the file"
        )
    return pairs


def _read_table(path: Path, lines: Lines) -> AnalogySet:
    (first, text), *rows = lines
    header = _header(path, first, _cells(text))
    # Of each relation its category and first line; of each source its answers and their lines.
    begun: dict[str, tuple[str, int]] = {}
    answers: dict[str, dict[str, dict[str, int]]] = {}
    for line, text in rows:
        cells = _cells(text)
        if len(cells) != len(header):
            raise InputError(
                f"{path}, line {line}: {len(cells)} column(s) ({_clip(text)}), expected "
                f"{len(header)} with tabs between them: {', '.join(header)}"
            )
        row = dict(zip(header, cells, strict=True))
        name = _word(path, line, row["relation"], "relation")
        require_unreserved(name, row.get(OPTIONAL, ""), f"{path}, line {line}")
        category, before = begun.setdefault(name, (row.get(OPTIONAL, ""), line))
        if row.get(OPTIONAL, "") != category:
            raise InputError(
                f"{path}, line {line}: relation {name!r} is of category {row[OPTIONAL]!r}, in line "
                f"{before} of {category!r}; give it one"
            )
        source = _word(path, line, row["source"], "source")
        targets = answers.setdefault(name, {}).setdefault(source, {})
        for target in _answers(path, line, row["target"]):
            if target in targets:
                raise _twice(path, line, f"{name}: {source} : {target}", targets[target])
            targets[target] = line
    if not rows:
        raise InputError(f"{path} holds a header and no pair; give a pair a line")
    _check_sizes(path, begun, answers)
    relations = tuple(
        Relation(name, begun[name][0], tuple(Pair(s, tuple(targets)) for s, targets in of.items()))
        for name, of in answers.items()
    )
    return AnalogySet(path.stem, relations, every_question(relations), source=str(path))


def _check_sizes(
    path: Path, begun: dict[str, tuple[str, int]], answers: dict[str, dict[str, dict[str, int]]]
) -> None:
    for name, pairs in answers.items():
        if len(pairs) < FEWEST_PAIRS:
            raise InputError(
                f"{path}, line {begun[name][1]}: relation {name!r} has {len(pairs)} source only; a "
                f"question takes {FEWEST_PAIRS}, so give more, or leave the relation out"
            )


def _header(path: Path, line: int, names: list[str]) -> list[str]:
    for name in names:
        if name not in (*COLUMNS, OPTIONAL):
            raise unknown(f"column of {path}, line {line},", name, (*COLUMNS, OPTIONAL))
        if names.count(name) > 1:
            raise InputError(f"{path}, line {line}: column {name!r} is there twice; keep one")
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(
            f"{path}, line {line}: the header lacks {', '.join(missing)}; expected tabs between "
            f"{', '.join(COLUMNS)} and perhaps {OPTIONAL}"
        )
    return names


def _cells(text: str) -> list[str]:
    return [cell.strip() for cell in text.split("\t")]


def _word(path: Path, line: int, cell: str, what: str) -> str:
    if not cell:
        raise InputError(f"{path}, line {line}: the {what} is blank; give a word")
    return cell


def _answers(path: Path, line: int, cell: str) -> Sequence[str]:
    return [_word(path, line, word.strip(), "target") for word in cell.split("/")]


def _twice(path: Path, line: int, what: str, other: int) -> InputError:
    return InputError(f"{path}, line {line}: {what} stands in line {other} too; keep one")


def _clip(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
