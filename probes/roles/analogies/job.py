"""The job `probes roles analogies`: which role scheme vector arithmetic obeys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from safetensors.torch import load_file

from probes import configs
from probes.choices import Pooling
from probes.diagnostic.folder import claimed, store_folder
from probes.diagnostic.run import Progress, Silent, fill
from probes.encoders import TextEncoder, parse_layers
from probes.errors import InputError, require_effect, unknown
from probes.files import unsealed
from probes.results import Results, Row
from probes.roles.analogies.answers import METHODS
from probes.roles.analogies.draw import Analogy, Kind, digit_analogies, sentence_analogies
from probes.roles.analogies.finished import TASKS
from probes.roles.analogies.rows import rows_of
from probes.roles.analogies.solve import evaluate
from probes.roles.digits.networks import Network, load_published
from probes.roles.rows import RowMaker
from probes.roles.sequences import Fillers
from probes.task import sentence_task

KINDS = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class AnalogiesConfig:
    """Solve role-diagnostic analogies, A - B = C - D, by vector arithmetic."""

    out: str
    """Folder of the run: results, settings."""
    network: str | None = None
    """Folder of a digit network: one that `probes roles digits` taught, or the published weights.
    Its decoder says what C - A + B is."""
    model: str | None = None
    """Folder of a Hugging Face model, or its name on the hub, in place of a network: its sentence
    vectors, at every layer."""
    kinds: tuple[str, ...] = KINDS
    """Analogies that hold under ltr alone, under rtl alone, under all of ltr, rtl and bi, or that
    ltr and rtl answer differently."""
    methods: tuple[str, ...] = METHODS[:1]
    """How D is looked for among all sequences of its kind of analogies: 3CosAdd, 3CosMul and
    PairDirection as `probes analogy` does, between directions; nearest, by the distance from
    C - A + B."""
    n: int = 500
    """How many of each kind."""
    layers: str = "all"
    """Of a model, which layers."""
    pooling: Pooling | None = None
    """Of a model, from sub-tokens to a sentence's vector; by default the mean, of causal models
    the last."""
    store: str | None = None
    """Folder of activation stores; by default `store` beside the run's folder."""
    seed: int = 0
    """Of the analogies, ties and resamples."""

    def __post_init__(self) -> None:
        if (self.network is None) == (self.model is None):
            raise InputError("give a --network or a --model, one of both")
        if self.network is not None:
            why = "it is of a model; leave it out, or give --model in place of --network"
            require_effect(self, ("layers", "pooling", "store"), why)
        for what, named, known in (
            ("kind", self.kinds, KINDS),
            ("method", self.methods, METHODS),
        ):
            for name in named:
                if name not in known:
                    raise unknown(f"{what} of analogies", name, known)
            if not named or len(set(named)) < len(named):
                raise InputError(f"{what}s {', '.join(named) or 'none'}; give at least one, once")
        if self.n < 1 or not 0 <= self.seed < 2**32:
            raise InputError(f"n {self.n}, seed {self.seed}: expected n of 1 or more, a seed of 0+")


def run_analogies(config: AnalogiesConfig, progress: Progress | None = None) -> Results:
    """Draw the analogies, solve them, and write a run's folder.

    Parameters
    ----------
    config : AnalogiesConfig
        Every setting.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.

    Returns
    -------
    Results
        Of each layer, kind and method, as `rows_of` names them, with intervals by analogy.

    Raises
    ------
    InputError
        If the network or model cannot be read, or there are not so many analogies.
    """
    progress = progress or Silent()
    with claimed(Path(config.out), config):
        rows = list(_of_network(config) if config.network else _of_model(config, progress))
        results = Results(rows)
        results.save(Path(config.out) / "results.jsonl")
        results.save(Path(config.out) / "results.parquet")
    return results


def _of_network(config: AnalogiesConfig) -> Iterator[Row]:
    network, name = _network(Path(str(config.network)))
    drawn = [
        analogy
        for kind in config.kinds
        for analogy in digit_analogies(kind, config.n, seed=config.seed)  # type: ignore[arg-type]
    ]
    decode = None if network.decoder.needs_tree else network.decode
    make = _maker(config, name, TASKS[0], 0)
    for outcome in evaluate(
        network.encode, decode, drawn, methods=config.methods, seed=config.seed
    ):
        yield from rows_of(make, outcome, "")


def _network(folder: Path) -> tuple[Network, str]:
    if not (folder / "network.json").is_file():
        return load_published(folder), "published"
    about = unsealed(folder / "network.json")
    names = tuple(str(about[part]) for part in ("encoder", "decoder", "task"))
    network = Network(*names)
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return network, "/".join(names)


def _of_model(config: AnalogiesConfig, progress: Progress) -> Iterator[Row]:
    drawn = [
        analogy
        for kind in config.kinds
        for analogy in sentence_analogies(kind, config.n, seed=config.seed)  # type: ignore[arg-type]
    ]
    texts = list(dict.fromkeys(_text(s) for analogy in drawn for s in _sequences(analogy)))
    places = {text: k for k, text in enumerate(texts)}
    task = sentence_task(
        texts,
        ["sentence"] * len(texts),
        splits=["test"] * len(texts),
        name="analogies",
        labelling="sentence",
        title="role-diagnostic analogies",
    )
    encoder = TextEncoder.from_pretrained(str(config.model))
    root = store_folder(config.out, config.store)
    layers = parse_layers(config.layers, encoder.layers)
    store = fill(task, encoder, root, progress, layers=layers, pooling=config.pooling)
    make = _maker(config, str(config.model), TASKS[1], encoder.n_layers)
    for layer in layers:
        X = store.X(layer)

        def encode(sequences: Sequence[Fillers], X: Any = X) -> npt.NDArray[np.floating]:
            rows: npt.NDArray[np.floating] = X[[places[_text(s)] for s in sequences]]
            return rows

        for outcome in evaluate(encode, None, drawn, methods=config.methods, seed=config.seed):
            yield from rows_of(make, outcome, layer)


def _sequences(analogy: Analogy) -> list[Fillers]:
    rival = [] if analogy.rival is None else [analogy.rival]
    return [analogy.a, analogy.b, analogy.c, analogy.d, *rival]


def _text(sequence: Fillers) -> str:
    return " ".join(str(item) for item in sequence)


def _maker(config: AnalogiesConfig, model: str, task: str, n_layers: int) -> RowMaker:
    fixed = {
        "run": Path(config.out).name,
        "task": task,
        "task_version": "1",
        "model": model,
        "revision": "",
        "n_layers": n_layers,
        "store": "",
        "config": configs.digest(config),
    }
    return RowMaker(fixed, config.seed, "analogy")
