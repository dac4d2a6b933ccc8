"""Word vectors in text: a word and its numbers a line, as GloVe and word2vec write them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from probes.errors import InputError

_N_BYTES = 1 << 23  # of text that are parsed together
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE)


def width_of(lines: list[bytes]) -> int:
    """Find how many numbers a line holds, where no header says so.

    Parameters
    ----------
    lines : list of bytes
        The first lines. A word may be a number or hold spaces.

    Returns
    -------
    int
        The most common length of the run of numbers that ends a line; 0 if there is none.
    """
    counts: Counter[int] = Counter()
    for line in lines:
        fields = line.split()
        if fields:
            counts[min(_run(fields), len(fields) - 1)] += 1
    return counts.most_common(1)[0][0] if counts else 0


def is_line(line: bytes, width: int) -> bool:
    """Whether a line is a word and `width` numbers."""
    fields = line.split()
    return len(fields) > width and _run(fields) >= width


def shown(text: bytes) -> str:
    """Write the beginning of some bytes for a message."""
    return repr(text[:40].decode(errors="backslashreplace"))


def read_lines(
    file: BinaryIO, path: Path, *, width: int, n_promised: int | None
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Read a word and its numbers a line.

    A line's last `width` fields are its numbers, and all that is before them is the word: some
    words of GloVe hold spaces. Spaces and tabs separate fields, and nothing else does (a no-break
    space is part of a word). Only a line feed ends a line.

    Parameters
    ----------
    file : binary file
        At its first byte.
    path : Path
        Named in complaints.
    width : int
        Numbers in a line.
    n_promised : int or None
        The words that the header in the first line promises; None where there is no header.

    Returns
    -------
    words : list of str
        In the order of the file.
    X : ndarray of shape (n, width), float32
        Finite.

    Raises
    ------
    InputError
        If a line is not of this form, or their number is not the promised one. The message names
        the line.

    Notes
    -----
    Beside the result, memory holds one block of text and its numbers.
    """
    form = _Form(
        path, width, by="in most of the first lines" if n_promised is None else "the header says"
    )
    words: list[str] = []
    values = bytearray()  # grows in place, unlike an array; parts would be there twice in the end
    blank = 0
    for first, lines in _numbered(file, has_header=n_promised is not None):
        n_lines = len(lines)
        while lines and not lines[-1]:
            lines.pop()
        if blank and lines:
            raise form.wrong(blank, "it is empty")
        if len(lines) < n_lines:
            blank = blank or first + len(lines)
        if lines:
            block_words, block = form.parse(lines, first)
            words += block_words
            values += block.tobytes()
    if n_promised is not None and n_promised != len(words):
        raise InputError(
            f"{path}, line 1: the header promises {n_promised} words, the file holds {len(words)}; "
            "the file is cut short, or its header is wrong: write it again"
        )
    return words, np.frombuffer(values, dtype=np.float32).reshape(-1, width)


@dataclass(frozen=True)
class _Form:
    """What a line has to be."""

    path: Path
    width: int
    by: str

    def wrong(self, number: int, what: str) -> InputError:
        return InputError(
            f"{self.path}, line {number}: {what}; expected a word and {self.width} finite numbers "
            f"with spaces between them, as {self.by}"
        )

    def parse(self, lines: list[bytes], first: int) -> tuple[list[str], npt.NDArray[np.float32]]:
        """Read lines that are stripped; those that are as usual together."""
        words: list[bytes] = []
        numbers: list[bytes] = []
        for number, line in enumerate(lines, first):
            if line.count(b" ") == self.width:
                word, _, rest = line.partition(b" ")
                if not word:
                    raise self.wrong(number, "it begins with a space, no word")
            else:
                word, rest = self.apart(line, number)
            words.append(word)
            numbers.append(rest)
        block = _parsed(b" ".join(numbers))
        if block is None or len(block) != len(lines) * self.width or not np.isfinite(block).all():
            rows = [self.apart(line, number) for number, line in enumerate(lines, first)]
            block = np.array([float(x) for _, rest in rows for x in rest.split()], np.float32)
        return self.decode(words, first), block

    def apart(self, line: bytes, number: int) -> tuple[bytes, bytes]:
        """Part the word of one line from its numbers, and check each of them."""
        values: list[bytes] = []
        word = line
        for _ in range(self.width):
            word, _, value = word.rstrip(b" ").rpartition(b" ")
            values.append(value)
        values.reverse()
        word = word.strip(b" ")
        fields = [field for field in line.split(b" ") if field]
        if len(fields) <= self.width or (
            len(fields) > self.width + 1 and _NUMBER.fullmatch(word.rpartition(b" ")[2])
        ):
            what = "it is empty"
            if len(fields) > self.width:
                what = f"{_run(fields)} numbers after the word, came {shown(line)}"
            elif fields:
                what = f"{len(fields)} field{'s' * (len(fields) > 1)}, came {shown(line)}"
            raise self.wrong(number, what)
        for column, value in enumerate(values, 1):
            if not _NUMBER.fullmatch(value):
                raise self.wrong(number, f"value {column}, {shown(value)}, is no number")
            with np.errstate(over="ignore"):
                is_finite = np.isfinite(np.float32(float(value)))
            if not is_finite:
                raise self.wrong(number, f"value {column}, {shown(value)}, is no finite float32")
        return word, b" ".join(values)

    def decode(self, words: list[bytes], first: int) -> list[str]:
        joined = b"\n".join(words)
        try:
            return joined.decode().split("\n")
        except UnicodeDecodeError as error:
            row = joined.count(b"\n", 0, error.start)
            raise InputError(
                f"{self.path}, line {first + row}: the word {shown(words[row])} is not UTF-8; "
                "save the file as UTF-8"
            ) from None


def _parsed(numbers: bytes) -> npt.NDArray[np.float32] | None:
    """Parse numbers with single spaces between them; None if they are not all that."""
    if b"\r" in numbers:  # which ends a line to this reader
        return None
    try:
        table = csv.read_csv(
            pa.BufferReader(numbers.replace(b" ", b"\n")),
            read_options=csv.ReadOptions(column_names=["value"]),
            parse_options=csv.ParseOptions(quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types={"value": pa.float32()}, null_values=[]
            ),
        )
    except pa.ArrowInvalid:
        return None
    block: npt.NDArray[np.float32] = table["value"].to_numpy()
    return block


def _numbered(file: BinaryIO, *, has_header: bool) -> Iterator[tuple[int, list[bytes]]]:
    """Give the lines in blocks, stripped at their end, each with its first line's number."""
    number = 1
    if has_header:
        file.readline()
        number = 2
    rest = b""
    while block := file.read(_N_BYTES):
        whole, feed, after = block.rpartition(b"\n")
        if not feed:
            rest += block
            continue
        lines = [x.rstrip(b" \r") for x in (rest + whole).replace(b"\t", b" ").split(b"\n")]
        rest = after
        yield number, lines
        number += len(lines)
    if rest:
        yield number, [rest.replace(b"\t", b" ").rstrip(b" \r")]


def _run(fields: list[bytes]) -> int:
    """Count the numbers that end a line."""
    n = 0
    while n < len(fields) and _NUMBER.fullmatch(fields[-1 - n]):
        n += 1
    return n
