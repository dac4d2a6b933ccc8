"""Rows of a local file, a folder saved by `datasets`, or a data set of the Hugging Face hub."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes_tasks.decoding import decoded
from probes_tasks.json_text import check_json

from probes.errors import InputError, unknown

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".json": "json", ".parquet": "parquet"}

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True)
class Rows:
    """Some columns of a table, and what its rows are called."""

    where: str
    """The file, folder or data set, as a message names it."""

    columns: Mapping[str, Sequence[Any]]
    """The values, by column. A class whose label is hidden (-1, as in GLUE's tests) is None."""

    numbers: Sequence[int]
    """The number of each row as a user sees it, from 1."""

    called: str
    """What these numbers count: ``"line"`` or ``"row"``."""

    coded: frozenset[str] = frozenset()
    """The columns that were stored as numbers of named classes."""

    unread: frozenset[str] = frozenset()
    """The columns that there are beside these."""

    def place(self, k: int) -> str:
        """Name row `k` for a message."""
        return f"{self.where}, {self.called} {self.numbers[k]}"

    def value(self, k: int, column: str) -> Any:
        """Return one value; refuse one that is missing."""
        if self.is_empty(k, column):
            raise InputError(
                f"{self.place(k)}: column {column!r} is empty; fill it in, or drop that row"
            )
        return self.columns[column][k]

    def is_empty(self, k: int, column: str) -> bool:
        """Tell whether a value is missing."""
        value = self.columns[column][k]
        return value is None or value == "" or (isinstance(value, float) and math.isnan(value))

    def items(self, k: int, column: str) -> list[Any]:
        """Return a list, or the items of a string that white space separates."""
        value = self.value(k, column)
        items = value.split() if isinstance(value, str) else value
        if not isinstance(items, list) or not items:
            raise InputError(
                f"{self.place(k)}: column {column!r} holds {value!r}; "
                "expected a list, or items separated by white space"
            )
        return items

    def integer(self, k: int, column: str) -> int:
        """Return a whole number."""
        value = self.value(k, column)
        number = _number(value)
        if not number.is_integer():
            raise InputError(
                f"{self.place(k)}: column {column!r} holds {value!r}; expected a whole number"
            )
        return int(number)

    def real(self, k: int, column: str, value: Any) -> float:
        """Return a value of this row as a finite number."""
        number = _number(value)
        if not math.isfinite(number):
            raise InputError(
                f"{self.place(k)}: column {column!r} holds {value!r}; a real-valued labelling "
                "needs a number"
            )
        return number


@dataclass(frozen=True)
class Source:
    """What a path or a data set id led to."""

    parts: Mapping[str, Rows]
    """By split as the data name it; a file, or a data set without splits, has one part, ``""``."""

    title: str
    source: str
    version: str = "1"
    licence: str = ""
    citation: str = ""


def read_table(
    path: str, wanted: Collection[str], *, names: Sequence[str] = (), config: str | None = None
) -> Source:
    """Read some columns of a table.

    Parameters
    ----------
    path : str
        A file (CSV, TSV, JSON Lines, JSON, Parquet), a folder, or the id of a data set on the hub.
    wanted : collection of str
        The columns to read.
    names : sequence of str
        The names of the columns of a CSV or TSV file that has no header.
    config : str, optional
        Which configuration of a data set on the hub.

    Returns
    -------
    Source
        With the columns wanted, of all its splits.

    Raises
    ------
    InputError
        If there is nothing to read, or it cannot be read, or lacks a column.
    """
    place = Path(path)
    if place.is_file():
        rows = _read_file(place, path, wanted, names)
        return Source({"": rows}, title=place.stem, source=place.name)
    if names:
        raise InputError(f"columns are named for {path}, which is no CSV or TSV file; leave it out")
    if not place.is_dir() and (place.suffix.lower() in FORMATS or not _HUB_ID.fullmatch(path)):
        raise InputError(f"there is no file or folder {path}; check the path of the table")
    return source_of(path, wanted, open_dataset(path, config))


def open_dataset(path: str, config: str | None = None) -> Any:
    """Open a folder saved by `datasets`, or one that it can load, or a data set of the hub.

    Parameters
    ----------
    path : str
        A folder, or an id.
    config : str, optional
        Which configuration.

    Returns
    -------
    datasets.Dataset or datasets.DatasetDict
        As `datasets` gives it.

    Raises
    ------
    InputError
        If it cannot be opened.
    """
    place = Path(path)
    if place.is_dir():
        return _open_folder(place, config)
    if not _HUB_ID.fullmatch(path):
        raise InputError(f"there is no file or folder {path}; check the path")
    return _open_hub(path, config)


def _read_file(place: Path, path: str, wanted: Collection[str], names: Sequence[str]) -> Rows:
    form = FORMATS.get(place.suffix.lower())
    if form is None:
        raise unknown("kind of table file", place.suffix or place.name, FORMATS)
    if names and form != "csv":
        raise InputError(f"columns are named for {path}, which is no CSV or TSV file; leave it out")
    if place.stat().st_size == 0:
        raise InputError(f"{path} is empty; give a table with rows in it")
    text = "" if form == "parquet" else _text(place, path)
    numbers: list[int] = []
    header: Sequence[str] = ()
    if form == "csv":
        header, numbers = _check_csv(path, text, _dialect(place), names)
        _require(header, wanted, path if names else f"{path} (line 1 read as its header)")
    elif place.suffix.lower() == ".jsonl":
        # As JSON has it: other separators of lines may stand in a string.
        numbers = [n for n, line in enumerate(text.split("\n"), start=1) if line.strip()]
    if form == "json":
        check_json(path, text)
    with _datasets() as datasets, tempfile.TemporaryDirectory() as cache:
        more: dict[str, Any] = {}
        if form == "csv":
            # All strings: guessed types turn "01" into 1 and the word "NA" into nothing.
            more = {
                "features": datasets.Features({n: datasets.Value("string") for n in header}),
                "keep_default_na": False,
                "na_filter": False,
                **_dialect(place),
                **({"column_names": list(names), "header": None} if names else {}),
            }
            more["sep"] = more.pop("delimiter")
        with _clear_errors(path, text if form == "json" else ""):
            builder = datasets.load_dataset_builder(
                form, data_files=str(place), cache_dir=cache, **more
            )
            builder.download_and_prepare()
            if builder.info.splits["train"].num_examples == 0:
                raise InputError(f"{path} has no rows; give a table with rows in it")
            data = builder.as_dataset("train", in_memory=True)
            return _rows(path, data, wanted, numbers)


def _text(place: Path, path: str) -> str:
    text = decoded(place.read_bytes(), path)
    if not text.strip():
        raise InputError(f"{path} is empty; give a table with rows in it")
    return text


def _dialect(place: Path) -> dict[str, Any]:
    # A quote in a TSV file is a character: read as CSV, one lone quote swallows many lines.
    if place.suffix.lower() == ".tsv":
        return {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    return {"delimiter": ",", "quoting": csv.QUOTE_MINIMAL}


def _check_csv(
    path: str, text: str, dialect: Mapping[str, Any], names: Sequence[str]
) -> tuple[Sequence[str], list[int]]:
    """Check that every line has its columns; return their names, and the line of each row."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, **dialect)
    header: Sequence[str] = list(names)
    numbers: list[int] = []
    before = 0
    try:
        for cells in reader:
            number, before = before + 1, reader.line_num
            if not any(cell.strip() for cell in cells) and len(cells) < 2:
                continue
            if not header:
                header = cells
            elif len(cells) != len(header):
                advice = "mend that line"
                if names:
                    advice = "name as many columns as there are" if not numbers else advice
                elif not numbers:
                    advice += ", or name the columns if the file has no header"
                raise InputError(
                    f"{path}, line {number}: {len(cells)} columns, expected {len(header)} "
                    f"({', '.join(header)}); {advice}"
                )
            else:
                numbers.append(number)
    except csv.Error as error:
        raise InputError(f"{path}, line {before + 1}: {error}; mend the quotes there") from None
    if len(set(header)) != len(header):
        raise InputError(f"{path}: two columns have one name ({', '.join(header)}); rename one")
    return header, numbers


def _open_folder(place: Path, config: str | None) -> Any:
    saved = ("dataset_dict.json", "state.json")
    with _datasets() as datasets, _clear_errors(str(place)):
        if any((place / name).is_file() for name in saved):
            return datasets.load_from_disk(str(place))
        with tempfile.TemporaryDirectory() as cache:
            return datasets.load_dataset(str(place), config, cache_dir=cache, keep_in_memory=True)


def _open_hub(path: str, config: str | None) -> Any:
    with _datasets() as datasets:
        advice = "if you meant a file or folder, it is not there; if the hub, check id and network"
        with _clear_errors(path, advice=advice):
            return datasets.load_dataset(path, config)


def source_of(path: str, wanted: Collection[str], data: Any) -> Source:
    """Read some columns of what `open_dataset` opened, as `read_table`."""
    parts = data if isinstance(data, dict) else {"": data}
    if not parts:
        raise InputError(f"{path} has no rows; give a table with rows in it")
    first = next(iter(parts.values()))
    local = Path(path).is_dir()
    return Source(
        {
            name: _rows(f"{path}[{name}]" if name else path, part, wanted, [])
            for name, part in parts.items()
        },
        title=Path(path).name if local else path,
        source=Path(path).name if local else f"huggingface.co/datasets/{path}",
        version=str(first.info.version or "1"),
        licence=first.info.license or "",
        citation=first.info.citation or "",
    )


def _rows(where: str, data: Any, wanted: Collection[str], numbers: Sequence[int]) -> Rows:
    _require(data.column_names, wanted, where)
    if len(data) == 0:
        raise InputError(f"{where} has no rows; give a table with rows in it")
    names = list(dict.fromkeys(wanted))
    columns = data.with_format(None).select_columns(names)[:]
    coded = set()
    for name in names:
        feature = data.features[name]
        classes = getattr(getattr(feature, "feature", feature), "names", None)
        if classes is not None:
            coded.add(name)
            columns[name] = [_decode(value, classes) for value in columns[name]]
    found = len(numbers) == len(data)
    return Rows(
        where,
        columns,
        numbers if found else range(1, len(data) + 1),
        "line" if found else "row",
        frozenset(coded),
        frozenset(data.column_names) - set(names),
    )


def _decode(value: Any, classes: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_decode(item, classes) for item in value]
    return None if value is None or value < 0 else classes[value]


def _require(known: Collection[str], wanted: Collection[str], where: str) -> None:
    for name in wanted:
        if name not in known:
            raise unknown(f"column of {where}", name, known)


@contextmanager
def _datasets() -> Iterator[Any]:
    """Lend `datasets`, without its progress bars and its own account of errors."""
    import datasets  # takes a second

    bars = datasets.is_progress_bar_enabled()
    verbosity = datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield datasets
    finally:
        datasets.logging.set_verbosity(verbosity)
        if bars:
            datasets.enable_progress_bars()


@contextmanager
def _clear_errors(
    path: str, lines: str = "", advice: str = "check that it is what its name says"
) -> Iterator[None]:
    """Say in one message why `datasets` could not read; `lines` are those of a JSON Lines file."""
    import datasets

    try:
        yield
    except InputError:
        raise
    except (datasets.exceptions.DatasetsError, ValueError, OSError) as error:
        if path.lower().endswith(".jsonl"):
            for number, line in enumerate(lines.split("\n"), start=1):
                try:
                    json.loads(line or "null")
                except json.JSONDecodeError as cause:
                    raise InputError(
                        f"{path}, line {number} is not JSON: {cause.msg} (column {cause.colno}); "
                        "mend that line"
                    ) from error
        reason: BaseException = error
        while reason.__cause__ is not None:
            reason = reason.__cause__
        why = " ".join(str(reason).split()).rstrip(".")
        raise InputError(f"{path} cannot be read: {why}; {advice}") from error


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
