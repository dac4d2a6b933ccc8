"""Text files of words and sentences: in UTF-8, a line each."""

from __future__ import annotations

import codecs
from pathlib import Path

from probes.errors import InputError

Lines = list[tuple[int, str]]
"""The number (from 1) and the text of each line that is not blank."""


def decoded(path: Path) -> str:
    """Read a text without the mark that some editors put before it.

    Parameters
    ----------
    path : Path
        In UTF-8.

    Returns
    -------
    str
        Line ends as they stand there.

    Raises
    ------
    InputError
        If the file cannot be read or is not UTF-8. The message names line and byte.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check it") from None
    text = data.removeprefix(codecs.BOM_UTF8)
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start + len(data) - len(text)
        line = data.count(b"\n", 0, start) + 1
        raise InputError(
            f"{path}, line {line}: byte {start} (0x{data[start]:02x}) is not UTF-8; "
            "save the file as UTF-8"
        ) from None


def lines_of(path: Path, holds: str = "analogy questions or pairs of words") -> Lines:
    """Read the lines of a text that are not blank.

    Parameters
    ----------
    path : Path
        In UTF-8.
    holds : str
        What to give where there are none.

    Returns
    -------
    list of (int, str)
        The number (from 1) and the text of each.

    Raises
    ------
    InputError
        If there are none, or the file cannot be read or is not UTF-8.
    """
    lines = decoded(path).split("\n")
    found = [(number, row.rstrip("\r")) for number, row in enumerate(lines, 1) if row.strip()]
    if not found:
        raise InputError(f"{path} is empty; give {holds}")
    return found
