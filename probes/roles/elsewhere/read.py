"""Encodings that were made elsewhere: a sequence and its vector a line."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from probes.errors import InputError


def read_encodings(
    path: str | Path,
) -> tuple[list[tuple[Hashable, ...]], npt.NDArray[np.float32]]:
    """Read sequences and their encodings from text.

    Parameters
    ----------
    path : str or Path
        A line a sequence: its items with spaces between them, a tab, and its numbers with spaces
        between them, as the scripts of McCoy et al. (2019) write them. Items that are all whole
        numbers become int.

    Returns
    -------
    sequences : list of tuple
        The items.
    Z : ndarray of shape (n, width), float32
        The encodings.

    Raises
    ------
    InputError
        If the file is not there, holds nothing, or a line is not of this form. The message names
        the line.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no file {path} of encodings; check the path")
    sequences: list[tuple[Hashable, ...]] = []
    rows: list[npt.NDArray[np.float32]] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    for number, line in enumerate(lines, 1):
        items, tab, numbers = line.partition("\t")
        try:
            row = np.array(numbers.split(), dtype=np.float32)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
        if not tab or not items.split() or not len(row) or not np.isfinite(row).all():
            raise InputError(
                f"{path}, line {number}: expected items, a tab and finite numbers, came "
                f"{line[:60]!r}"
            )
        if rows and len(row) != len(rows[0]):
            raise InputError(
                f"{path}, line {number}: {len(row)} numbers, the first line has {len(rows[0])}"
            )
        sequences.append(tuple(items.split()))
        rows.append(row)
    if not rows:
        raise InputError(f"{path} is empty; expected a line a sequence")
    return _as_numbers(sequences), np.stack(rows)


def _as_numbers(sequences: list[tuple[Hashable, ...]]) -> list[tuple[Hashable, ...]]:
    try:
        return [tuple(int(str(item)) for item in sequence) for sequence in sequences]
    except ValueError:
        return sequences
