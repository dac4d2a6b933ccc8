"""The job `probes roles analogies`: which role scheme vector arithmetic obeys."""

from __future__ import annotations

import json
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
from probes.errors import InputError, unknown
from probes.files import unsealed
from probes.report.words import bracket, number
from probes.results import Results, Row
from probes.roles.analogies.draw import Analogy, Kind, digit_analogies, sentence_analogies
from probes.roles.analogies.solve import Outcome, evaluate
from probes.roles.digits.networks import Network, load_published
from probes.roles.rows import RowMaker
from probes.roles.sequences import Fillers
from probes.roles.tpdn.ratios import mean_of
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
    """Folder of a Hugging Face model, or its name on the hub, in place of a network: D is ranked
    among all sentences by its distance from C - A + B, at every layer."""
    kinds: tuple[str, ...] = KINDS
    """Analogies that hold under ltr alone, under rtl alone, under all of ltr, rtl and bi, or that
    ltr and rtl answer differently."""
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
    """Of the analogies and resamples."""

    def __post_init__(self) -> None:
        if (self.network is None) == (self.model is None):
            raise InputError("give a --network or a --model, one of both")
        for kind in self.kinds:
            if kind not in KINDS:
                raise unknown("kind of analogies", kind, KINDS)
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise InputError(f"kinds {', '.join(self.kinds) or 'none'}; give at least one, once")
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
        Of each layer and kind: ``exact`` (a network's decoder gives D), ``rival`` (it gives the
        other scheme's answer), ``cosine`` of the two offsets, ``first`` (D is the nearest of all
        sequences), ``first-of-others`` (A, B and C left out) and ``rival-first`` (of ambiguous
        ones, the other scheme's answer is the nearest), with intervals by analogy.

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
    make = _maker(config, name, "digits", 0)
    for outcome in evaluate(network.encode, decode, drawn):
        yield from _rows(make, outcome, "")


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
    make = _maker(config, str(config.model), "sentences", encoder.n_layers)
    for layer in layers:
        X = store.X(layer)

        def encode(sequences: Sequence[Fillers], X: Any = X) -> npt.NDArray[np.floating]:
            rows: npt.NDArray[np.floating] = X[[places[_text(s)] for s in sequences]]
            return rows

        for outcome in evaluate(encode, None, drawn):
            yield from _rows(make, outcome, layer)


def _sequences(analogy: Analogy) -> list[Fillers]:
    rival = [] if analogy.rival is None else [analogy.rival]
    return [analogy.a, analogy.b, analogy.c, analogy.d, *rival]


def _text(sequence: Fillers) -> str:
    return " ".join(str(item) for item in sequence)


def _maker(config: AnalogiesConfig, model: str, of: str, n_layers: int) -> RowMaker:
    fixed = {
        "run": Path(config.out).name,
        "task": f"analogies/{of}",
        "task_version": "1",
        "model": model,
        "revision": "",
        "n_layers": n_layers,
        "store": "",
        "config": configs.digest(config),
    }
    return RowMaker(fixed, config.seed, "analogy")


def _rows(make: RowMaker, outcome: Outcome, layer: str) -> Iterator[Row]:
    columns: dict[str, npt.NDArray[Any] | None] = {
        "exact": outcome.exact,
        "rival": outcome.rival,
        "cosine": outcome.cosine,
        "first": outcome.rank == 1,
        "first-of-others": outcome.rank_of_others == 1,
        "rival-first": None if outcome.rank_of_rival is None else outcome.rank_of_rival == 1,
    }
    for metric, column in columns.items():
        if column is not None:
            is_share = column.dtype == np.bool_
            found = make.share(column) if is_share else make.estimate((1.0, mean_of(column)))
            yield make.row(layer, "role-analogy", metric, found, kind=outcome.kind)


WITH_INTERVAL = ("exact", "first")


def analogy_table(results: Results) -> Any:
    """Lay out the shares by layer and kind, for a terminal."""
    from rich.table import Table

    metrics = list(dict.fromkeys(row.metric for row in results))
    note = (
        "first: D is the nearest of all sequences; of-others: with A, B and C left out; rival: the "
        "answer of right-to-left roles; a bag of words obeys ltr and rtl alike"
    )
    table = Table(caption=note, caption_justify="left", box=None, pad_edge=False)
    for name in ("layer", "kind", *metrics):
        table.add_column(name, justify="right", no_wrap=True)
    lines: dict[tuple[str, str], dict[str, Row]] = {}
    for row in results:
        lines.setdefault((row.layer, json.loads(row.setting)["kind"]), {})[row.metric] = row

    def cell(row: Row | None) -> str:
        if row is None:
            return ""
        return bracket(row) if row.metric in WITH_INTERVAL else number(row.value)

    for (layer, kind), found in lines.items():
        table.add_row(layer, kind, *(cell(found.get(metric)) for metric in metrics))
    return table
