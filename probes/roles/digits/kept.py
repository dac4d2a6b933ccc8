"""Digit networks kept on disk: taught once, by content, and read ever after."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import xxhash
from safetensors.torch import load, save

from probes.errors import InputError
from probes.files import digest_of, sealed, unsealed, write_whole
from probes.roles.digits.batches import Digits
from probes.roles.digits.networks import Network
from probes.roles.digits.training import Recipe, teach

VERSION = 1
"""Of what teaching does; a network of another version is taught anew."""


@dataclass(frozen=True)
class Order:
    """Which network is wanted.

    Parameters
    ----------
    encoder, decoder, task : str
        As of `Network`.
    seed : int
        Of the weights it begins with, and of the order of the batches.
    recipe : Recipe
        How it is taught.
    """

    encoder: str
    decoder: str
    task: str
    seed: int
    recipe: Recipe

    @property
    def name(self) -> str:
        """``encoder/decoder/task``."""
        return f"{self.encoder}/{self.decoder}/{self.task}"


def taught(
    order: Order, train: Sequence[Digits], dev: Sequence[Digits], store: Path
) -> tuple[Network, Path]:
    """Give a network that was taught before, or teach it.

    Parameters
    ----------
    order : Order
        Which.
    train, dev : sequence of sequence of int
        What it is taught on.
    store : Path
        Folder of networks. Each has a folder of its own there, named after all that decides its
        weights; one that was interrupted goes on from its last whole epoch.

    Returns
    -------
    network : Network
        Taught.
    folder : Path
        Its folder: ``weights.safetensors`` and ``network.json``.

    Raises
    ------
    InputError
        If the network cannot be taught on these sequences, or what is kept is damaged.
    """
    network = Network(order.encoder, order.decoder, order.task, seed=order.seed)
    folder = store / _folder(order, train, dev)
    record, weights, state = (
        folder / name for name in ("network.json", "weights.safetensors", "state.safetensors")
    )
    if record.is_file():
        if not weights.is_file() or unsealed(record)["weights"] != digest_of(weights):
            raise InputError(f"{weights} is damaged; remove {folder} and run again")
        network.load_state_dict(load(weights.read_bytes()))
        return network, folder
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    course = teach(network, train, dev, order.recipe, seed=order.seed, state=state)
    about: dict[str, Any] = {
        **asdict(order),
        **asdict(course),
        "seconds": round(time.perf_counter() - start, 1),  # of the last run, where there were more
        "weights": write_whole(weights, save(network.state_dict())),
    }
    write_whole(record, sealed(about))
    state.unlink(missing_ok=True)
    return network, folder


def _folder(order: Order, train: Sequence[Digits], dev: Sequence[Digits]) -> str:
    decides = [VERSION, asdict(order), _plain(train), _plain(dev)]
    digest = xxhash.xxh3_64_hexdigest(json.dumps(decides, sort_keys=True).encode())
    return f"{order.name.replace('/', '-')}-{digest}"


def _plain(sequences: Sequence[Digits]) -> list[list[int]]:
    return [[int(digit) for digit in sequence] for sequence in sequences]
