"""The job `probes roles fit` on text: decompositions of every layer, substitution, surgery."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from probes import configs
from probes.choices import Pooling
from probes.diagnostic.folder import claimed, store_folder, write_run
from probes.diagnostic.run import Progress, Silent, fill
from probes.encoders import TextEncoder, parse_layers
from probes.encoders.head import load_with_head
from probes.results import Results, Row
from probes.roles.digits.example import sentence_example
from probes.roles.naming import parse_scheme
from probes.roles.rows import RowMaker
from probes.roles.schemes import RoleScheme
from probes.roles.sequences import Sentence
from probes.roles.text.fits import Kind, SchemeFit, fit_scheme
from probes.roles.text.interventions import Group, Model, substitution_rows, surgery_rows
from probes.roles.text.readers import LinearHead, Read, fit_head
from probes.roles.text.rows import fit_rows
from probes.roles.text.settings import RolesTextConfig
from probes.roles.text.substitute import n_steps
from probes.roles.text.surgery import Edit, draw_edits
from probes.roles.text.texts import Corpus, load_corpus
from probes.roles.text.words import word_components
from probes.roles.tpdn.compare import ties
from probes.states import ActivationStore
from probes.states.extract import default_pooling
from probes.task import SPLITS


def run_text(config: RolesTextConfig, progress: Progress | None = None) -> Path:
    """Decompose the sentence encodings of every layer, and write a run's folder.

    Parameters
    ----------
    config : RolesTextConfig
        Every setting; ``config.task`` is a task's options.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.

    Returns
    -------
    Path
        Of the run's folder: ``results.jsonl``, ``results.parquet``, ``run.json``, ``config.yaml``.

    Raises
    ------
    InputError
        If a setting or the data cannot be used.
    EnvironmentFailure
        If the disk has no room.
    """
    out = Path(config.out)
    with claimed(out, config):
        _run(config, progress or Silent())
    return out


@dataclass
class _Clock:
    """Seconds of each part of a run."""

    last: float
    seconds: dict[str, float]

    def stop(self, part: str) -> None:
        now = time.perf_counter()
        self.seconds[part] = round(now - self.last, 2)
        self.last = now


def _run(config: RolesTextConfig, progress: Progress) -> None:
    clock = _Clock(time.perf_counter(), {})
    root = store_folder(config.out, config.store)
    schemes = [parse_scheme(name) for name in config.with_bow]
    encoder, head = load_with_head(
        config.model,
        revision=config.revision,
        dtype=config.dtype,
        trust_remote_code=config.trust_remote_code,
    )
    pooling = config.pooling or default_pooling(encoder)
    own = head if pooling == "last" else None
    corpus = load_corpus(
        schemes,
        config.task.load(),
        shortest=config.shortest,
        longest=config.longest,
        pipeline=config.pipeline,
        answers=None if own is not None else config.answers,
    )
    edits = _edits(config, corpus)
    layers = parse_layers(config.layers, encoder.layers)
    clock.stop("load")
    read = {*layers, *([] if own is not None else encoder.layers[-1:])}
    wanted = tuple(name for name in encoder.layers if name in read)
    store = fill(corpus.task, encoder, root, progress, layers=wanted, pooling=pooling)
    reader: Read = own if own is not None else _fitted_head(corpus, encoder, store)
    clock.stop("encode")
    make = RowMaker(_fixed(config, corpus, encoder, store), config.seed)
    rows, groups = _fit(config, schemes, corpus, encoder, store, layers, make, progress)
    clock.stop("fit")
    model = Model(encoder, reader, pooling)
    rows += _intervene(config, corpus, edits, model, groups, make, progress)
    clock.stop("substitution and surgery")
    tied = ties(schemes, corpus.sentences("train"))
    for names in dict.fromkeys(
        tuple(sorted((s.name, *t))) for s, t in zip(schemes, tied, strict=True) if t
    ):
        progress.say(f"tied, dividing the words alike: {', '.join(names)}")
    about = _about(config, corpus, encoder, store, pooling, reader) | {
        "layers": list(layers),
        "tied": {s.name: list(t) for s, t in zip(schemes, tied, strict=True) if t},
        "example": sentence_example(corpus.sentences("test"), schemes),
        "seconds": clock.seconds,
    }
    del encoder, model
    gc.collect()  # hooks tie a model to its reader in a circle
    write_run(Path(config.out), Results(rows), about)


def _fit(
    config: RolesTextConfig,
    schemes: Sequence[RoleScheme],
    corpus: Corpus,
    encoder: TextEncoder,
    store: ActivationStore,
    layers: Sequence[str],
    make: RowMaker,
    progress: Progress,
) -> tuple[list[Row], list[Group]]:
    """Fit every scheme, layers of equal width together."""
    words = sorted({word for sentence in corpus.texts.sentences for word in sentence.words})
    embeddings = word_components(encoder, words, config.components)
    sentences: dict[str, list[Sentence]] = {split: corpus.sentences(split) for split in SPLITS}
    kinds: tuple[Kind, ...] = ("given", "additive") if config.additive else ("given",)
    rows: list[Row] = []
    over = make.over(corpus.task, corpus.rows["test"])
    groups: list[Group] = []
    widths = {layer: store.layout.widths[layer] for layer in layers}
    n_fits = len(kinds) * len(schemes) * len(set(widths.values()))
    with progress.stage("fit schemes", n_fits) as advance:
        for width in dict.fromkeys(widths.values()):
            here = tuple(layer for layer in layers if widths[layer] == width)
            Z = _encodings(store, here, corpus)
            for kind in kinds:
                fits: list[SchemeFit] = []
                for scheme in schemes:
                    fits.append(
                        fit_scheme(
                            scheme,
                            kind,
                            sentences,
                            Z,
                            embeddings,
                            permute=kind == "given",
                            seed=config.seed,
                        )
                    )
                    advance(1)
                rows += fit_rows(over, fits, here, Z["test"])
                if kind == "given":
                    mean = Z["train"].mean(axis=1, dtype=np.float64)
                    groups.append(Group(here, mean, tuple(fits)))
    return rows, groups


def _encodings(
    store: ActivationStore, layers: Sequence[str], corpus: Corpus
) -> dict[str, npt.NDArray[np.float32]]:
    return {
        split: np.stack([store.X(layer, rows) for layer in layers])
        for split, rows in corpus.rows.items()
    }


def _fitted_head(corpus: Corpus, encoder: TextEncoder, store: ActivationStore) -> LinearHead:
    top, labels = encoder.layers[-1], corpus.task.labels
    return fit_head(
        {split: store.X(top, rows) for split, rows in corpus.rows.items()},
        {split: labels[rows].tolist() for split, rows in corpus.rows.items()},
    )


def _edits(config: RolesTextConfig, corpus: Corpus) -> list[Edit]:
    if not config.edits:
        return []
    return draw_edits(
        corpus.sentences("test"),
        corpus.sentences("train"),
        config.edits,
        annotation=config.alike,
        seed=config.seed,
    )


def _intervene(
    config: RolesTextConfig,
    corpus: Corpus,
    edits: Sequence[Edit],
    model: Model,
    groups: Sequence[Group],
    make: RowMaker,
    progress: Progress,
) -> list[Row]:
    rows: list[Row] = []
    numbers = corpus.rows["test"]
    test = corpus.texts.take(numbers)
    n_layers = sum(len(group.layers) for group in groups)
    random = np.random.default_rng([config.seed, 2])
    if n := min(config.substitutions, len(test)):
        chosen = np.sort(random.permutation(len(test))[:n])
        over = make.over(corpus.task, numbers[chosen])
        with progress.stage("substitute · layers", n_steps(n, n_layers)) as advance:
            rows += substitution_rows(over, model, groups, test.take(chosen), advance)
    if edits:
        over = make.over(corpus.task, numbers[[edit.sentence for edit in edits]])
        with progress.stage("surgery · layers", n_steps(len(edits), n_layers)) as advance:
            rows += surgery_rows(over, model, groups, test, edits, advance)
    return rows


def _fixed(
    config: RolesTextConfig, corpus: Corpus, encoder: TextEncoder, store: ActivationStore
) -> dict[str, Any]:
    return {
        "run": Path(config.out).name,
        "task": f"{corpus.task.name}/sentences",
        "task_version": corpus.task.version,
        "model": config.model,
        "revision": encoder.revision,
        "n_layers": encoder.n_layers,
        "store": store.layout.digest,
        "config": configs.digest(config),
    }


def _about(
    config: RolesTextConfig,
    corpus: Corpus,
    encoder: TextEncoder,
    store: ActivationStore,
    pooling: Pooling,
    reader: Read,
) -> dict[str, Any]:
    head: dict[str, Any] = {"kind": "language model"}
    if isinstance(reader, LinearHead):
        head = {
            "kind": "linear, fitted to the last layer",
            "answers": corpus.task.labelling,
            "classes": list(reader.classes),
            "accuracy": reader.accuracy,
            "majority": reader.majority,
        }
    task = corpus.task
    return {
        "run": Path(config.out).name,
        "model": config.model,
        "revision": encoder.revision,
        "n_layers": encoder.n_layers,
        "fingerprint": encoder.fingerprint,
        "pooling": pooling,
        "is_causal": encoder.is_causal,
        "head": head,
        "n": {split: len(rows) for split, rows in corpus.rows.items()},
        "counts": dict(task.counts),
        "notes": list(task.notes),
        "title": task.title,
        "source": task.source,
        "licence": task.licence,
        "citation": task.citation,
        "store": str(store.folder),
    }
