"""Word vectors in the formats of their files, and what they are read to."""

import io
import struct
from pathlib import Path

import numpy as np
import pandas as pd

from probes.analogy.vectors import Vectors

WORDS = (
    "the",
    '"',
    '""',
    "#",
    "'s",
    "nan",
    "null",
    "NA",
    "1",
    "1.5e3",
    ",",
    "\\",
    "new\u00a0york",  # a no-break space
    "a\u2028b",  # a line separator of Unicode
    "a\u0085b",
    "Straße",
    "王",
    "👑",
    "naïve",
)
SPACED = (*WORDS, ". . .", "at name@domain.com")  # as in GloVe 840B
WIDTH = 7


def matrix(n: int, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width)).astype(np.float32)


def text(words, X, *, header=False, end="\n", after="") -> bytes:
    lines = [f"{len(X)} {X.shape[1]}"] if header else []
    lines += [
        f"{word} {' '.join(map(str, row))}{after}" for word, row in zip(words, X, strict=True)
    ]
    return "".join(line + end for line in lines).encode()


def binary(words, X, *, feed=b"\n", n=None) -> bytes:
    head = f"{len(X) if n is None else n} {X.shape[1]}\n".encode()
    return head + b"".join(
        word.encode() + b" " + struct.pack(f"<{len(row)}f", *row) + feed
        for word, row in zip(words, X, strict=True)
    )


def saved(X: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, X)
    return file.getvalue()


def put(folder: Path, content: dict[str, bytes]) -> Path:
    for name, raw in content.items():
        (folder / name).write_bytes(raw)
    return folder / next(iter(content))


def assert_same(vectors: Vectors, words: tuple[str, ...], X: np.ndarray) -> None:
    assert vectors.words == words
    assert vectors.X.dtype == np.float32
    np.testing.assert_array_equal(vectors.X, X)


def parquet(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()
