"""The activation store: vectors of a corpus under a model, one file a shard and layer."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import EnvironmentFailure, InputError, unknown
from probes.files import digest_of, sealed, unsealed, write_whole
from probes.states.layout import Layout, difference

FORMAT = "1"
HEADER_BYTES = 128
"""Of numpy's format, before the array."""


class ActivationStore:
    """Vectors on disk, read layer by layer.

    Use `ActivationStore.prepare` to make or continue one, `ActivationStore.open` to read one.

    Parameters
    ----------
    folder : Path
        With ``manifest.json``, ``layer-*/`` and ``shards/``.
    layout : Layout
        As the manifest holds it.

    Notes
    -----
    A shard is done when ``shards/NNNNN.json`` names its files with their digests; that record is
    written last. Every file is written beside its place, synchronised, and renamed.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self.layout = layout
        self._checked: set[tuple[int, str]] = set()

    @classmethod
    def prepare(cls, root: str | Path, layout: Layout) -> ActivationStore:
        """Make the store of this key under `root`, or find what is there of it.

        Parameters
        ----------
        root : str or Path
            Holds one folder a key.
        layout : Layout
            Where the folder exists already, its own budget and shards are kept.

        Returns
        -------
        ActivationStore
            Perhaps incomplete.

        Raises
        ------
        InputError
            If the folder of this key was made for another key, or is no store.
        """
        folder = place(root, layout)
        if (folder / "manifest.json").exists():
            store = cls.open(folder)
            for part in difference(store.layout.key, layout.key):
                raise InputError(f"the store {folder} was made for another {part}; remove it")
            return store
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        write_whole(folder / "manifest.json", sealed(_manifest(layout)))
        return cls(folder, layout)

    @classmethod
    def open(cls, folder: str | Path) -> ActivationStore:
        """Open a store.

        Parameters
        ----------
        folder : str or Path
            With a ``manifest.json``.

        Returns
        -------
        ActivationStore
            To read.

        Raises
        ------
        InputError
            If it is no store, or its manifest is damaged.
        """
        folder = Path(folder)
        state = unsealed(folder / "manifest.json")
        if state.get("format") != FORMAT:
            raise InputError(f"{folder}: format {state.get('format')!r}, expected {FORMAT!r}")
        layout = Layout(
            key=state["key"],
            n_units=state["n_units"],
            widths=state["widths"],
            shards=tuple((a, b) for a, b in state["shards"]),
            dtype=state["dtype"],
            budget=state["budget"],
            names=state["names"],
        )
        return cls(folder, layout)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of which every shard is stored."""
        done = [set(self.record(shard)["files"]) for shard in range(len(self.layout.shards))]
        return tuple(name for name in self.layout.widths if all(name in files for files in done))

    @property
    def lost(self) -> npt.NDArray[np.int64]:
        """Units that no sub-token covers; their vectors are NaN."""
        return self._gather("lost")

    @property
    def cut(self) -> npt.NDArray[np.int64]:
        """Units of which truncation took some or all sub-tokens."""
        return self._gather("cut")

    def count(self, what: str) -> int:
        """Sum a count (``"n_truncated"``, ``"n_windowed"``, ``"n_mended"``) over the shards."""
        return sum(self.record(shard)["counts"][what] for shard in range(len(self.layout.shards)))

    def _gather(self, what: str) -> npt.NDArray[np.int64]:
        shards = range(len(self.layout.shards))
        return np.asarray([u for s in shards for u in self.record(s)[what]], dtype=np.int64)

    def record(self, shard: int) -> dict[str, Any]:
        """Read what is known of a shard; ``{"files": {}}`` where it is not done."""
        path = self._record_path(shard)
        return unsealed(path) if path.exists() else {"files": {}, "lost": [], "cut": []}

    def missing(self, shard: int, layers: Sequence[str]) -> list[str]:
        """List the layers of a shard that are not stored yet, or not at their whole length."""
        files = self.record(shard)["files"]
        return [layer for layer in layers if layer not in files or not self._whole(shard, layer)]

    def n_bytes_missing(self, layers: Sequence[str]) -> int:
        """Bytes that what is not stored of these layers will take."""
        shards = range(len(self.layout.shards))
        return sum(self._n_bytes(k, layer) for k in shards for layer in self.missing(k, layers))

    def _n_bytes(self, shard: int, layer: str) -> int:
        start, end = self.layout.shards[shard]
        size = np.dtype(self.layout.dtype).itemsize
        return (end - start) * self.layout.widths[layer] * size + HEADER_BYTES

    def _whole(self, shard: int, layer: str) -> bool:
        path = self._path(shard, layer)
        return path.exists() and path.stat().st_size == self._n_bytes(shard, layer)

    def write(
        self,
        shard: int,
        vectors: Mapping[str, npt.NDArray[Any]],
        *,
        lost: Sequence[int],
        cut: Sequence[int],
        counts: Mapping[str, int],
    ) -> None:
        """Store layers of a shard.

        Parameters
        ----------
        shard : int
            Its number.
        vectors : mapping of str to ndarray of shape (n_units_of_the_shard, width)
            In the store's dtype.
        lost, cut : sequence of int
            Units, numbered in the corpus.
        counts : mapping of str to int
            Of texts.

        Raises
        ------
        EnvironmentFailure
            If the disk is full.
        """
        record = self.record(shard)
        for layer, array in vectors.items():
            path = self._path(shard, layer)
            path.parent.mkdir(exist_ok=True)
            record["files"][layer] = write_whole(path, array)
        record.update(
            lost=list(map(int, lost)), cut=list(map(int, cut)), counts=dict(sorted(counts.items()))
        )
        record["files"] = {
            k: record["files"][k] for k in self.layout.widths if k in record["files"]
        }
        write_whole(self._record_path(shard), sealed(record))

    def X(
        self, layer: str | int, rows: npt.NDArray[np.int64] | None = None
    ) -> npt.NDArray[np.float32]:
        """Read one layer.

        Parameters
        ----------
        layer : str or int
            One of `layers`.
        rows : ndarray of int64, optional
            Units in increasing order; all by default.

        Returns
        -------
        ndarray of shape (n_rows, width), float32
            A copy in memory; only this layer's files are touched.

        Raises
        ------
        InputError
            If the layer is not stored, or a file of it is damaged.
        """
        layer = str(layer)
        if layer not in self.layers:
            raise unknown("layer of the store", layer, self.layers)
        if rows is None:
            rows = np.arange(self.layout.n_units, dtype=np.int64)
        X = np.empty((len(rows), self.layout.widths[layer]), dtype=np.float32)
        for shard, (start, end) in enumerate(self.layout.shards):
            low, high = np.searchsorted(rows, [start, end])
            if low < high:
                self._check(shard, layer)
                part = np.load(self._path(shard, layer), mmap_mode="r")
                wanted = rows[low:high] - start
                whole = len(wanted) == end - start
                X[low:high] = part if whole else part[wanted]
        return X

    def _check(self, shard: int, layer: str) -> None:
        """Compare a file with its digest, the first time that it is read."""
        if (shard, layer) not in self._checked:
            path = self._path(shard, layer)
            if digest_of(path) != self.record(shard)["files"][layer]:
                raise InputError(f"{path} is damaged; remove it and run again")
            self._checked.add((shard, layer))

    def verify(self) -> list[str]:
        """Read every byte and compare it with what was written.

        Returns
        -------
        list of str
            What is wrong or missing; empty where nothing is.
        """
        problems = []
        try:
            ActivationStore.open(self.folder)
        except InputError as error:
            problems.append(str(error))
        for shard in range(len(self.layout.shards)):
            try:
                files = self.record(shard)["files"]
            except InputError as error:
                problems.append(str(error))
                continue
            if not files:
                problems.append(f"shard {shard} of {self.folder} is missing; run again")
            for layer, digest in files.items():
                path = self._path(shard, layer)
                if not path.exists():
                    problems.append(f"{path} is missing")
                elif digest_of(path) != digest:
                    problems.append(f"{path} is damaged; remove it and run again")
        return problems

    def clean(self) -> None:
        """Remove what a killed run left half-written."""
        for part in self.folder.rglob("*.part"):
            part.unlink(missing_ok=True)

    def _path(self, shard: int, layer: str) -> Path:
        return self.folder / f"layer-{layer.zfill(2)}" / f"{shard:05d}.npy"

    def _record_path(self, shard: int) -> Path:
        return self.folder / "shards" / f"{shard:05d}.json"


def place(root: str | Path, layout: Layout) -> Path:
    """Name the folder of a key under `root`: the one that is there, or one that says what it is."""
    for manifest in sorted(Path(root).glob(f"*-{layout.digest}/manifest.json")):
        return manifest.parent
    slug = "-".join(_slug(name) for name in layout.names.values() if name)
    return Path(root) / f"{slug}-{layout.digest}"


def nearest(root: str | Path, layout: Layout) -> list[str]:
    """Say in what the most similar other store of the same corpus under `root` differs.

    Parameters
    ----------
    root : str or Path
        Holds stores.
    layout : Layout
        Of the one that is wanted.

    Returns
    -------
    list of str
        The parts of the key, as `difference` names them; empty where the store itself is there, or
        no other.
    """
    if (place(root, layout) / "manifest.json").exists():
        return []
    parts: list[list[str]] = []
    for manifest in sorted(Path(root).glob("*/manifest.json")):
        try:
            key = ActivationStore.open(manifest.parent).layout.key
        except InputError:
            continue
        if all(key.get(part) == layout.key.get(part) for part in ("texts", "images", "units")):
            parts.append(difference(key, layout.key))
    return min(filter(None, parts), key=len, default=[])


def require_space(root: str | Path, n_bytes: int) -> None:
    """Refuse a pass for which the disk has no room.

    Parameters
    ----------
    root : str or Path
        Where the store will be; made if it is not there.
    n_bytes : int
        What it will take.

    Raises
    ------
    EnvironmentFailure
        If less is free. The message says how much is needed and what to do.
    """
    Path(root).mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if n_bytes > free:
        raise EnvironmentFailure(
            f"the store needs {n_bytes / 1e9:.1f} GB under {root}, {free / 1e9:.1f} GB are free; "
            "choose another disk (--store), fewer layers (--layers), or --store-dtype float16"
        )


def _manifest(layout: Layout) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "key": dict(layout.key),
        "n_units": layout.n_units,
        "widths": dict(layout.widths),
        "shards": [list(shard) for shard in layout.shards],
        "dtype": layout.dtype,
        "budget": layout.budget,
        "names": dict(layout.names),
    }


def _slug(name: str) -> str:
    last = name.rstrip("/").split("/")[-1]
    return "".join(c if c.isalnum() or c in "._" else "-" for c in last)[:40] or "x"
