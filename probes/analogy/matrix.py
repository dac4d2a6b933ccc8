"""A matrix of vectors in numpy's format, and an index of its words in a file beside it."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from probes.analogy.text import decoded
from probes.errors import InputError

_SUFFIXES = (".parquet", ".csv", ".tsv", ".txt")
# What numpy.load raises: it reads the header, which is Python, with the tokenizer and the parser.
_DAMAGED = (
    EOFError,
    KeyError,
    OSError,
    OverflowError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)
_NAMES = ("word", "words", "token", "tokens", "index", "text")


def read_matrix(path: Path) -> npt.NDArray[np.float32]:
    """Open a matrix of shape (n, width), as a memory map where its rows are float32 already.

    Raises
    ------
    InputError
        If it is not a whole file of a matrix of real numbers.
    """
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)
    except _DAMAGED as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} is no whole matrix in numpy's format ({reason}); write it again with "
            "numpy.save"
        ) from None
    if X.ndim != 2 or X.dtype.kind not in "fiu" or not X.size:
        raise InputError(
            f"{path}: an array of shape {X.shape} and type {X.dtype}; expected one of real numbers "
            "of shape (words, width)"
        )
    if X.dtype == np.float32 and X.flags.c_contiguous:
        return X
    with np.errstate(over="ignore"):  # what is beyond float32 becomes inf, which is refused
        return np.ascontiguousarray(X, dtype=np.float32)


def index_beside(path: Path) -> Path:
    """Find the file with the words of a matrix, where it was not named.

    It has the matrix's own name with another suffix, or is the only one in the folder whose name
    tells that it holds an index, words or a vocabulary.

    Raises
    ------
    InputError
        If there is none, or more than one.
    """
    files = sorted(x for x in path.parent.iterdir() if x.suffix in _SUFFIXES and x.is_file())
    own = [x for x in files if x.stem == path.stem]
    found = own or [x for x in files if any(n in x.stem.lower() for n in ("index", "word", "voc"))]
    if len(found) != 1:
        names = ", ".join(x.name for x in found)
        beside = (
            f"are several files that may hold them ({names})" if found else "is no file of them"
        )
        raise InputError(
            f"{path} holds vectors without their words, and beside it {beside}; name a file "
            f"({', '.join(_SUFFIXES)}) with a word a row (words=...)"
        )
    return found[0]


def read_index(path: Path, n: int) -> list[str]:
    """Read the words of a matrix.

    Parameters
    ----------
    path : Path
        A parquet file or a table (.csv, .tsv; with a row of names or without) with one column of
        words, or one that is named word, token, index or text; or a text with a word a line.
    n : int
        The rows of the matrix. They decide whether a table's first row is one of names, and
        whether its quotation marks are words.

    Returns
    -------
    list of str
        As many as there are rows, which may be others than `n`.

    Raises
    ------
    InputError
        If the file is not of this form.
    """
    if not path.is_file():
        raise InputError(f"no file {path} of words; check the path")
    if path.suffix == ".parquet":
        return _of_parquet(path)
    if path.suffix not in _SUFFIXES:
        raise InputError(f"{path}: expected words in a file {', '.join(_SUFFIXES)}")
    text = decoded(path)
    if path.suffix == ".txt":  # only a line feed ends a line: words hold other breaks of Unicode
        return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    return _of_table(text, path, n)


def _of_parquet(path: Path) -> list[str]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is no whole parquet file ({reason}); write it again") from None
    columns: dict[str, list[str]] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            columns[name] = column.to_pylist()
        elif pa.types.is_integer(kind):
            _check_order(column.to_pylist(), name, path)
    words: list[Any] = _chosen(columns, path)
    if None in words:
        raise InputError(f"{path}, row {words.index(None) + 1}: no word; expected one a row")
    return words


def _of_table(text: str, path: Path, n: int) -> list[str]:
    delimiter = "\t" if path.suffix == ".tsv" else ","
    # Some tables quote a word that is a quotation mark, others do not, and it swallows their rows.
    quoted = _rows(text, delimiter, csv.QUOTE_MINIMAL)
    bare = _rows(text, delimiter, csv.QUOTE_NONE)
    fitting = [rows for rows in (quoted, bare) if rows is not None and len(rows) in (n, n + 1)]
    rows = fitting[0] if fitting else quoted or bare
    if not rows:
        raise InputError(f"{path} is empty, or no table; expected a word a row")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise InputError(
                f"{path}, row {number}: {len(row)} fields, the first row has {len(rows[0])}"
            )
    names = [str(k) for k in range(1, len(rows[0]) + 1)]
    if len(rows) == n + 1:
        names, *rows = rows
    columns: dict[str, list[str]] = {}
    for name, values in zip(names, map(list, zip(*rows, strict=True)), strict=True):
        if len(names) > 1 and all(value.isdecimal() for value in values):
            _check_order([int(value) for value in values], name, path)
        else:
            columns[name] = values
    return _chosen(columns, path)


def _rows(text: str, delimiter: str, quoting: Literal[0, 3]) -> list[list[str]] | None:
    """Give a table's rows; None where they cannot be read so, or hold nothing for a word."""
    try:
        reader = csv.reader(
            io.StringIO(text, newline="\n"), delimiter=delimiter, quoting=quoting, strict=True
        )
        rows = list(reader)
    except csv.Error:
        return None
    while rows and not rows[-1]:
        rows.pop()
    if quoting != csv.QUOTE_NONE and any("" in row for row in rows[1:]):
        return None
    return rows


def _check_order(numbers: list[int], name: str, path: Path) -> None:
    """Refuse rows that seem to be numbered in another order than they are in."""
    starts = (0, 1)
    if any(sorted(numbers) == list(range(k, k + len(numbers))) for k in starts) and (
        numbers != sorted(numbers)
    ):
        raise InputError(
            f"{path}: the column {name!r} numbers the rows in another order than they are in, and "
            "the word of a vector is the one of its row; sort the rows, or remove the column"
        )


def _chosen(columns: dict[str, list[str]], path: Path) -> list[str]:
    if len(columns) == 1:
        return next(iter(columns.values()))
    named = [name for name in columns if name.lower() in _NAMES]
    if len(named) != 1:
        raise InputError(
            f"{path}: {len(columns)} columns may hold the words ({', '.join(columns) or 'none'}); "
            f"expected one column of text, or one named {' or '.join(_NAMES)}"
        )
    return columns[named[0]]
