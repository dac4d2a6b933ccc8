"""What a store is for, and how it is cut into shards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from probes.choices import StoreDtype

SHARD_BYTES = 256 * 2**20
SHARD_UNITS = 1024, 16384
SHARD_TEXTS = 1024


@dataclass(frozen=True)
class Layout:
    """What a store is for, and how it is cut.

    Parameters
    ----------
    key : mapping of str to str
        What decides the vectors: the encoder's fingerprint, texts, units, pooling, ….
    n_units : int
        Number of vectors of each layer.
    widths : mapping of str to int
        Width of each layer that the model has, stored or not.
    shards : tuple of (int, int)
        First and end (exclusive) unit of each shard.
    dtype : {"float32", "float16"}
        Of the files.
    budget : int
        Rows × tokens of the batches that fill it; a resumed run keeps to it.
    names : mapping of str to str
        Model, corpus and so on by name, for people; they decide nothing.
    """

    key: Mapping[str, str]
    n_units: int
    widths: Mapping[str, int]
    shards: tuple[tuple[int, int], ...]
    dtype: StoreDtype
    budget: int
    names: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Digest of the key, 16 hexadecimal digits."""
        return xxhash.xxh3_64(json.dumps(dict(self.key), sort_keys=True).encode()).hexdigest()


def cut_shards(
    text_index: npt.NDArray[np.int64], bytes_per_unit: int
) -> tuple[tuple[int, int], ...]:
    """Cut a corpus into shards, between texts.

    Parameters
    ----------
    text_index : ndarray of shape (n_units,), int64
        The text of each unit, not decreasing.
    bytes_per_unit : int
        Of all the model's layers together.

    Returns
    -------
    tuple of (int, int)
        First and end (exclusive) unit of each. A function of the arguments alone, hence the same
        for any number of processes and any choice of layers.
    """
    low, high = SHARD_UNITS
    most = min(max(SHARD_BYTES // max(bytes_per_unit, 1), low), high)
    edges = np.flatnonzero(np.diff(text_index, prepend=-1, append=text_index[-1] + 1))
    shards, start, n_texts = [], 0, 0
    for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if n_texts and (end - start > most or n_texts == SHARD_TEXTS):
            shards.append((start, begin))
            start, n_texts = begin, 0
        n_texts += 1
    shards.append((start, int(edges[-1])))
    return tuple(shards)


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Name the parts in which two keys differ, with what they were and are."""
    parts = sorted(set(old) | set(new))
    return [
        f"{part} ({old.get(part, 'none')} there, {new.get(part, 'none')} here)"
        for part in parts
        if old.get(part) != new.get(part)
    ]
