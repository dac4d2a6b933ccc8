"""Word vectors as word2vec writes them in binary: a word, a space and its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from probes.analogy.lines import shown
from probes.errors import InputError

_N_BYTES = 1 << 23  # that are read together
_LONGEST = 1 << 16  # bytes in a word; without a bound, damage would be read to its end as one


def read_binary(
    file: BinaryIO, path: Path, *, n: int, width: int
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Read word2vec's binary format.

    After the header's line, for every word its bytes, a space, and `width` little-endian float32;
    the C program ends each with a line feed, gensim does not.

    Parameters
    ----------
    file : binary file
        After the header.
    path : Path
        Named in complaints.
    n, width : int
        The words and the numbers of each that the header promises.

    Returns
    -------
    words : list of str
        In the order of the file.
    X : ndarray of shape (n, width), float32
        As they came, not checked for nan.

    Raises
    ------
    InputError
        If the file ends early or goes on after its last word, or a word is not UTF-8. The message
        names the word's number.

    Notes
    -----
    Mikolov et al. (2013), arXiv:1301.3781; the format is that of the authors' ``word2vec.c``.
    """
    words: list[str] = []
    values = bytearray()  # grows in place, unlike an array; parts would be there twice in the end
    size = 4 * width
    rest = b""
    while len(words) < n and (block := file.read(max(_N_BYTES, size))):
        rest += block
        rest = _taken(rest, path, n, size, words, values)
        if len(words) < n and len(rest) > _LONGEST + size and b" " not in rest[:_LONGEST]:
            raise InputError(
                f"{path}, word {len(words) + 1} of {n}: no space within {_LONGEST} bytes; expected "
                f"a word, a space and {size} bytes: the file is damaged, or its header is wrong"
            )
    if len(words) < n:
        last = f" (the last whole one is {words[-1]!r})" if words else ""
        raise InputError(
            f"{path} ends within word {len(words) + 1} of the {n} that its header promises{last}; "
            "the file is cut short: fetch or write it again"
        )
    if (rest + file.read(2)).strip(b"\n"):
        raise InputError(
            f"{path} goes on after word {n}, {words[-1]!r}, the last that its header promises; the "
            "header is wrong, or the file is damaged"
            if words
            else f"{path}: the header promises 0 words; expected at least 1"
        )
    X = np.frombuffer(values, dtype="<f4").reshape(-1, width)
    return words, X.astype(np.float32, copy=False)


def _taken(
    data: bytes, path: Path, n: int, size: int, words: list[str], values: bytearray
) -> bytes:
    """Move whole words and their bytes, up to n words, from the data; give what is left."""
    at = 0
    vectors: list[bytes] = []
    while len(words) < n:
        space = data.find(b" ", at)
        end = space + 1 + size
        if space < 0 or end > len(data):
            break
        words.append(_word(data[at:space], path, len(words) + 1))
        vectors.append(data[space + 1 : end])
        at = end
    values += b"".join(vectors)
    return data[at:]


def _word(raw: bytes, path: Path, number: int) -> str:
    raw = raw.lstrip(b"\n")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InputError(
            f"{path}, word {number}: {shown(raw)} is not UTF-8; write the file again with words in "
            "UTF-8 (gensim reads it with unicode_errors='replace', and writes UTF-8)"
        ) from None
