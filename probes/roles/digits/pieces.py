"""The pieces of the digit networks' job, each done in one process and kept: to teach a network, and
to decompose its encodings by one scheme.
"""

from __future__ import annotations

import functools
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from probes import __version__
from probes.files import digest_of, sealed, unsealed, write_whole
from probes.registry import load_task
from probes.roles.digits.kept import Order, taught
from probes.roles.digits.networks import Network, renumbered_accuracy, substitution_accuracy
from probes.roles.naming import parse_scheme
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.decomposition import Decomposition
from probes.roles.tpdn.gradient import GradientTPDN
from probes.task import SPLITS

Sequences = list[tuple[int, ...]]
VERSION = 1
"""Of what a fit does; one of another version is done anew."""


@dataclass(frozen=True)
class Data:
    """Which sequences.

    Parameters
    ----------
    n, longest, seed : int
        Of the task `digits`.
    """

    n: int
    longest: int
    seed: int

    def split(self, name: str) -> Sequences:
        """Give the sequences of a split."""
        return _drawn(self)[name]


@functools.lru_cache(maxsize=2)
def _drawn(data: Data) -> dict[str, Sequences]:
    task = load_task("digits", **asdict(data))
    firsts = np.unique(task.text_index, return_index=True)[1]
    found: dict[str, Sequences] = {split: [] for split in SPLITS}
    for text, split in zip(task.texts, task.splits[firsts].tolist(), strict=True):
        found[split].append(tuple(map(int, text.split())))
    return found


@dataclass(frozen=True)
class Fit:
    """Which decompositions of a network's encodings are wanted.

    Parameters
    ----------
    scheme : str
        Name of the role scheme.
    filler_dim, role_dim : int
        Of those by gradient.
    seeds : int
        How many of those there are, from random states 0, 1, ….
    """

    scheme: str
    filler_dim: int
    role_dim: int
    seeds: int


def teach_one(order: Order, data: Data, store: Path) -> tuple[Path, dict[str, Any]]:
    """Teach a network, or find it taught.

    Parameters
    ----------
    order, store
        As of `taught`.
    data : Data
        What it is taught on.

    Returns
    -------
    folder : Path
        Of the network.
    about : dict
        What is known of it: ``accuracy`` on test, ``epochs``, ``seconds``, ``weights``.
    """
    network, folder = taught(order, data.split("train"), data.split("dev"), store)
    test = data.split("test")
    record = unsealed(folder / "network.json")
    about = {name: record[name] for name in ("epochs", "seconds", "weights", "left_out")}
    return folder, {**about, "accuracy": network.accuracy(test), "n": len(test)}


def fit_one(order: Order, data: Data, store: Path, fit: Fit) -> list[dict[str, Any]]:
    """Decompose a network's encodings by one scheme, in every way; what was done is read.

    Parameters
    ----------
    order, data, store
        As of `teach_one`.
    fit : Fit
        The scheme and the dimensions.

    Returns
    -------
    list of dict
        One a decomposition: ``method``, ``setting``, ``seed``, the scores on test
        (``substitution-accuracy``, ``mse``, ``r2``, of a tree decoder also
        ``renumbered-accuracy``), and ``seconds``.
    """
    network, folder = taught(order, data.split("train"), data.split("dev"), store)
    lazy = _Encodings(network, data)
    scheme = parse_scheme(fit.scheme)
    dims = {"filler_dim": fit.filler_dim, "role_dim": fit.role_dim}
    wanted: list[tuple[str, dict[str, Any], int | None, Decomposition]] = [
        (
            "tpdn-gradient",
            dims,
            seed,
            GradientTPDN(scheme, fit.filler_dim, fit.role_dim, random_state=seed),
        )
        for seed in range(fit.seeds)
    ]
    wanted.append(("tpdn-additive", {}, None, AdditiveTPDN(scheme)))
    return [
        _kept(folder, (method, {"scheme": fit.scheme, **more}, seed), data, tpdn, lazy)
        for method, more, seed, tpdn in wanted
    ]


class _Encodings:
    """A network's encodings, made when they are first asked for."""

    def __init__(self, network: Network, data: Data) -> None:
        self.network, self.data = network, data

    @functools.cached_property
    def of(self) -> dict[str, tuple[Sequences, npt.NDArray[np.float32]]]:
        """Sequences and encodings, by split."""
        splits = {split: self.data.split(split) for split in SPLITS}
        return {split: (rows, self.network.encode(rows)) for split, rows in splits.items()}


def _kept(
    folder: Path,
    what: tuple[str, dict[str, Any], int | None],
    data: Data,
    tpdn: Decomposition,
    encodings: _Encodings,
) -> dict[str, Any]:
    """Read the scores of a decomposition, or fit it and keep them."""
    method, setting, seed = what
    weights = digest_of(folder / "weights.safetensors")
    decides: list[Any] = [VERSION, __version__, *what, asdict(data), weights]
    has_tree = encodings.network.decoder.needs_tree
    if has_tree:
        decides.append("renumbered")
    digest = xxhash.xxh3_64_hexdigest(json.dumps(decides, sort_keys=True).encode())
    path = folder / f"{method}-{setting['scheme'].replace('/', '_')}-{digest}.json"
    if path.is_file():
        return unsealed(path)
    start = time.perf_counter()
    tpdn.fit(*encodings.of["train"], dev=encodings.of["dev"])
    seconds = time.perf_counter() - start
    test, Z = encodings.of["test"]
    found = {
        "method": method,
        "setting": setting,
        "seed": seed,
        "substitution-accuracy": substitution_accuracy(encodings.network, tpdn, test),
        "mse": float(tpdn.mse(test, Z)),
        "r2": float(tpdn.score(test, Z)),
        "seconds": round(seconds, 2),
    }
    if has_tree:
        found["renumbered-accuracy"] = renumbered_accuracy(encodings.network, tpdn, test)
    write_whole(path, sealed(found))
    return found
