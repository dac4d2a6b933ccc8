"""Word vectors from files, in the formats in which they are published."""

from __future__ import annotations

import gzip
import re
import zlib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import BinaryIO, cast

from probes.analogy.binary import read_binary
from probes.analogy.lines import is_line, read_lines, shown, width_of
from probes.analogy.loaded import from_keyed_vectors, from_spacy, load_spacy
from probes.analogy.matrix import index_beside, read_index, read_matrix
from probes.analogy.vectors import Vectors, checked
from probes.errors import InputError

__all__ = ["from_keyed_vectors", "from_spacy", "read_vectors"]

_N_BYTES = 1 << 20  # of a file's start, by which its format is known
_HEADER = re.compile(rb"[ \t]*(\d{1,18})[ \t]+(\d{1,9})[ \t\r]*")
_NUMPY = b"\x93NUMPY"
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_REFUSED = {
    b"\x80": "is a pickle, as gensim's save writes it, and to read one is to run the code that it "
    "holds; in gensim, KeyedVectors.load(...).save_word2vec_format('vectors.bin', binary=True) "
    "writes what can be read here, or give the loaded object to from_keyed_vectors",
    b"PK\x03\x04": "is a zip archive; unpack it, and name the file of vectors within",
    b"\xba\x16\x4f\x2f": "is fastText's own model; name the file .vec that comes with it",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
}


def read_vectors(path: str | Path, *, words: str | Path | None = None) -> Vectors:
    """Read word vectors, in whichever of the usual formats they are.

    Parameters
    ----------
    path : str or Path
        Of one of these, told apart by what they hold rather than by their names:

        - word2vec's text (a header ``n width``, then a word and its numbers a line; also
          fastText's .vec) or binary format, and GloVe's text (no header), each perhaps in gzip;
        - a matrix in numpy's format (.npy), with an index of its words in another file;
        - the folder of a spaCy pipeline with word vectors, or the name of an installed one.
    words : str or Path, optional
        The index of a matrix: a parquet file, a table (.csv, .tsv) or a text with a word a line.
        If None, it is looked for beside the matrix.

    Returns
    -------
    Vectors
        In the order of the file, under the name of the file. A matrix whose
        rows are float32 is a memory map.

    Raises
    ------
    InputError
        If there is no such file, or it is none of these, cut short, or malformed: a line with
        another number of values or a value that is no finite number, a word that is there twice
        or is not UTF-8, a header that promises another number of words, words and vectors that
        are not as many. The message names the file and the line, word or row.

    Notes
    -----
    Pickles are refused, since reading one runs code. Vectors that are zero are kept, and counted
    in `Vectors.n_zero`.
    """
    file = Path(path)
    if file.is_dir() or (not file.exists() and _is_installed(str(path))):
        vectors = load_spacy(path)
    elif not file.is_file():
        raise InputError(
            f"no file {path} of word vectors, nor an installed spaCy pipeline of that name; check "
            "the path"
        )
    else:
        start = _start(file)
        if start.startswith(_NUMPY):
            return _with_index(file, words)
        vectors = _unpacked(file) if start.startswith(_GZIP) else _plain(file)
    if words is not None:
        raise InputError(f"{path} holds its own words; leave words={str(words)!r} out")
    return vectors


def _with_index(path: Path, words: str | Path | None) -> Vectors:
    X = read_matrix(path)
    index = index_beside(path) if words is None else Path(words)
    names = read_index(index, len(X))
    if len(names) != len(X):
        raise InputError(
            f"{index} holds {len(names)} words, and {path} {len(X)} vectors; expected one word a "
            "vector, in the same order"
        )
    return checked(names, X, name=path.name, where=str(index))


def _plain(path: Path) -> Vectors:
    with open(path, "rb") as file:
        return _of_file(file, path)


def _unpacked(path: Path) -> Vectors:
    try:
        with gzip.open(path, "rb") as file:
            return _of_file(cast(BinaryIO, file), path)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"{path} cannot be unpacked ({error}); it is cut short or damaged: fetch it again"
        ) from None


def _of_file(file: BinaryIO, path: Path) -> Vectors:
    start = file.read(_N_BYTES)
    if not start.strip():
        raise InputError(f"{path} is empty; expected a word and its vector a line")
    for magic, reason in _REFUSED.items():
        if start.startswith(magic):
            raise InputError(f"{path} {reason}")
    if start.startswith((_NUMPY, _GZIP)):
        raise InputError(f"{path} is packed around what cannot be read so; unpack it")
    file.seek(len(_BOM) if start.startswith(_BOM) else 0)
    first, feed, after = start.removeprefix(_BOM).partition(b"\n")
    header = _HEADER.fullmatch(first)
    if header is None:
        # The last line of the start may be cut.
        lines = [first, *after.split(b"\n")]
        is_cut = len(lines) > 1 and len(start) == _N_BYTES
        return _without_header(file, path, lines[:-1][:100] if is_cut else lines)
    n, width = int(header[1]), int(header[2])
    if not n or not width:
        raise InputError(
            f"{path}, line 1: the header promises {n} words of {width} numbers; expected at least "
            "1 of each"
        )
    line = after.partition(b"\n")[0].rstrip(b" \r")
    if not is_line(line, width) and (_is_bin(path) or not _looks_like_text(after)):
        file.seek(len(first + feed))
        words, X = read_binary(file, path, n=n, width=width)
        return checked(words, X, name=path.name, where=str(path), unit="word")
    words, X = read_lines(file, path, width=width, n_promised=n)
    return checked(words, X, name=path.name, where=str(path), unit="line", first=2)


def _without_header(file: BinaryIO, path: Path, lines: list[bytes]) -> Vectors:
    """Read text whose width its first lines tell."""
    if _is_bin(path) and not _looks_like_text(lines[0]):
        raise InputError(
            f"{path} begins with {shown(lines[0])}; expected the header of word2vec's binary "
            "format: the number of words, a space, the width"
        )
    width = width_of(lines)
    if not width:
        raise InputError(
            f"{path}, line 1: {shown(lines[0])}; expected a word and finite numbers with spaces "
            "between them (GloVe, word2vec), or a header 'words width'"
        )
    words, X = read_lines(file, path, width=width, n_promised=None)
    return checked(words, X, name=path.name, where=str(path), unit="line")


def _is_bin(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(".bin")


def _start(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(len(_NUMPY))


def _looks_like_text(start: bytes) -> bool:
    return not start.translate(None, bytes(x for x in range(256) if x >= 32 or x in b"\t\n\r"))


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except (PackageNotFoundError, ValueError):
        return False
    return True
