"""The job `probes analogy`: vector arithmetic on word vectors, by relation and method."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from probes import configs
from probes.analogy.ask import Asked, ask
from probes.analogy.candidates import N_CANDIDATES, candidates
from probes.analogy.finished import COMMAND, PICTURES
from probes.analogy.formats import read_set
from probes.analogy.layers import How, LayerVectors
from probes.analogy.methods import BASELINES, METHODS, answer
from probes.analogy.pages.page import write_page
from probes.analogy.pictures import COLUMNS, drawn
from probes.analogy.questions import AnalogySet, set_of_task
from probes.analogy.read import read_vectors
from probes.analogy.rows import AnalogyRows, Source
from probes.analogy.shares import Resamples
from probes.analogy.solve import Space
from probes.analogy.space import SPACES, anisotropy
from probes.analogy.states import TEMPLATE, model_vectors
from probes.analogy.vectors import Vectors
from probes.diagnostic.folder import claimed, store_folder
from probes.diagnostic.run import Progress, Silent
from probes.encoders import TextEncoder
from probes.errors import InputError, require_effect, unknown
from probes.files import write_whole
from probes.registry import load_task
from probes.results import Results, Row

MOST_STATIC = 300_000
OF_A_MODEL = ("how", "template", "corpus", "contexts", "layers", "candidates", "store")
"""Settings that static vectors have no use for."""
OF_MODELS = ("3CosAdd", "3CosMul", "3CosAvg")


@dataclass(frozen=True, kw_only=True)
class AnalogyConfig:
    """Solve analogies, a : a* = b : ?, by arithmetic on static word vectors or a model's layers."""

    out: str
    """Folder of the run: results, settings, pictures, report."""
    vectors: str | None = None
    """File of word vectors: word2vec text or binary, GloVe, a `.npy` matrix with an index of words
    beside it; or a spaCy pipeline with vectors, a folder or an installed name."""
    words: str | None = None
    """The index of a `.npy` matrix, where it is not found beside it."""
    model: str | None = None
    """Folder of a Hugging Face model, or its name on the hub, in place of vectors."""
    how: tuple[How, ...] = ("bare", "template")
    """Of a model, how a word gets its vectors, side by side: alone, in a template, as the mean over
    contexts of a corpus."""
    template: str = TEMPLATE
    """A sentence with {} for the word."""
    corpus: str | None = None
    """Sentences for contexts, one a line."""
    contexts: int = 10
    """The most contexts of a word."""
    layers: str = "all"
    """Of a model, which layers."""
    candidates: str | None = None
    """Of a model, the words that may be answers beside those of the set, one a line; by default the
    most frequent of English by the library wordfreq."""
    store: str | None = None
    """Folder of activation stores; by default `store` beside the run's folder."""
    set: str | None = None
    """Questions: a file in Google's format, a folder of BATS, or a table of relation, source and
    target; by default the set that comes with probes."""
    most_words: int | None = None
    """How many words, from the first on, may be answers: by default 300,000 of static vectors,
    20,000 of a model."""
    methods: tuple[str, ...] | None = None
    """How questions are answered, beside the baselines: by default all; of a model, where each is
    paid for at every layer, 3CosAdd, 3CosMul and 3CosAvg."""
    spaces: tuple[str, ...] = ("as-is",)
    """What is done to the vectors first, side by side: as-is, centred, all-but-the-top,
    whitened."""
    seed: int = 0
    """Of resamples, and of the random words of LRCos."""

    def __post_init__(self) -> None:
        if (self.vectors is None) == (self.model is None):
            raise InputError("give --vectors or a --model, one of both")
        chosen = {
            "method": (self.methods or (), METHODS, self.methods is None),
            "space": (self.spaces, tuple(SPACES), False),
            "how": (self.how, get_args(How), False),
        }
        for kind, (names, known, may_be_empty) in chosen.items():
            for name in names:
                if name not in known:
                    raise unknown(kind, name, known)
            if not (names or may_be_empty) or len(set(names)) < len(names):
                raise InputError(f"{kind}: {', '.join(names) or 'none'}; give one or more, once")
        most = 1 if self.most_words is None else self.most_words
        if min(most, self.contexts) < 1 or not 0 <= self.seed < 2**32:
            raise InputError(
                f"most_words {self.most_words}, contexts {self.contexts}, seed {self.seed}: "
                "expected 1 or more, and a seed of 0 or more"
            )
        self._require_effect()
        if self.model and "contexts" in self.how and self.corpus is None:
            raise InputError("contexts are drawn from a --corpus; give one, or another --how")

    def _require_effect(self) -> None:
        """Refuse what does nothing of static vectors, or of a model, or of none of its ways."""
        if self.vectors is not None:
            why = "it is of a model; leave it out, or give --model in place of --vectors"
            require_effect(self, OF_A_MODEL, why)
            return
        require_effect(self, ("words",), "it is the index of static vectors; leave it out")
        of_how = {"template": ("template",), "contexts": ("corpus", "contexts")}
        for how, settings in of_how.items():
            if how not in self.how:
                why = f"no word is encoded so (--how {' '.join(self.how)}); leave it out, or add "
                require_effect(self, settings, f"{why}{how}")


def run_analogy(config: AnalogyConfig, progress: Progress | None = None) -> Results:
    """Read vectors or encode words, answer a set's questions, and write a run's folder.

    Parameters
    ----------
    config : AnalogyConfig
        Every setting.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.

    Returns
    -------
    Results
        Of each layer (``static`` of vectors), way of getting vectors, space and method, and of
        each relation, category and all together: ``accuracy`` (the words of the question left out
        of the answers) and ``accuracy-honest`` (not left out), with intervals that resample pairs.
        Of categories and all together also the mean over relations, in which each counts once
        (``accuracy-macro``, ``accuracy-honest-macro``), by which methods are compared: some count
        questions, others pairs; and how far it is above that of the nearest words to b alone, on
        the same resamples (``accuracy-over-only-b``). Of
        all together the shares of honest answers that are a, a* or b. Of a model also of the
        questions whose words are single sub-tokens. Of each relation's offsets, under the method
        ``offsets``: ``ocs``, ``ocs-shuffled``, ``pcs``, ``p-pairing``, ``p-flipped``, ``p`` (the
        larger of these two) and ``direction`` (1 where p is small beside those of all relations).

    Raises
    ------
    InputError
        If a file or model cannot be read, or no question can be asked.
    """
    started, out = time.monotonic(), Path(config.out)
    progress = progress or Silent()
    with claimed(out, config):
        of = read_set(config.set) if config.set else own_set()
        sources = _of_model(config, of, progress) if config.model else _static(config)
        methods = [name for name in METHODS if name in (*_methods(config), *BASELINES)]
        relation = np.repeat(np.arange(len(of.relations)), [len(r.pairs) for r in of.relations])
        resamples = Resamples.of(relation, config.seed)
        rows: list[Row] = []
        pictures: list[dict[str, object]] = []
        about: list[dict[str, Any]] = []
        with progress.stage("solve · layers", len(sources)) as advance:
            for source in sources:
                rows += _solved(config, of, source, methods, resamples, about, pictures)
                advance(1)
        results = Results(rows)
        results.save(out / "results.jsonl")
        results.save(out / "results.parquet")
        table = pd.DataFrame(pictures, columns=list(COLUMNS)).to_parquet(index=False)
        write_whole(out / PICTURES, table)
        run = {
            "run": out.name,
            "command": COMMAND,
            "model": sources[0].model,
            "set": of.name,
            "source": of.source,
            "licence": of.licence,
            "citation": of.citation,
            "relations": len(of.relations),
            "questions": of.n_questions,
            "spaces": about,
            "seconds": time.monotonic() - started,
        }
        text = json.dumps(run, indent=2, ensure_ascii=False) + "\n"
        write_whole(out / "run.json", text.encode())
        write_page(out)
    return results


def _solved(
    config: AnalogyConfig,
    of: AnalogySet,
    source: Source,
    methods: Sequence[str],
    resamples: Resamples,
    about: list[dict[str, Any]],
    pictures: list[dict[str, object]],
) -> list[Row]:
    """Answer a set's questions by one source; gather what its vectors are like, and pictures."""
    vectors = source.read()
    asked = ask(of, vectors)
    single = source.pieces(vectors)
    how = {"how": source.how} if source.how else {}
    rows: list[Row] = []
    for space in config.spaces:
        X = SPACES[space](vectors.X)
        directions = Space(X)
        make = AnalogyRows(
            _fixed(config, of, source),
            config.seed,
            "pair",
            asked=asked,
            drawn=resamples,
            layer=source.layer,
            about={**how, "space": space, "words": len(vectors)},
        )
        rows += make.answers(answer(directions, asked, methods, config.seed), single)
        rows += make.offsets(directions)
        named = {"layer": source.layer, "how": source.how, "space": space}
        pictures += drawn(directions, asked, config.seed, **named)
        what = {"anisotropy": anisotropy(X), **_what(vectors, asked)}
        about.append({**named, **what, "notes": list(source.notes)})
    return rows


def _fixed(config: AnalogyConfig, of: AnalogySet, source: Source) -> dict[str, Any]:
    """Give the columns that all rows of a source share."""
    return {
        "run": Path(config.out).name,
        "task": f"analogies/{of.name}",
        "task_version": "1",
        "model": source.model,
        "revision": "",
        "n_layers": source.n_layers,
        "store": source.store,
        "config": configs.digest(config),
    }


def _what(vectors: Vectors, asked: Asked) -> dict[str, int]:
    """Count the words of a vocabulary, and what can be asked of it."""
    return {
        "words": len(vectors),
        "words_folded": vectors.n_folded,
        "words_without_direction": vectors.n_zero,
        "questions_asked": len(asked.words),
        "questions_given_away": int(asked.given_away().sum()),
    }


def _methods(config: AnalogyConfig) -> Sequence[str]:
    if config.methods is not None:
        return config.methods
    return OF_MODELS if config.model else METHODS


def _static(config: AnalogyConfig) -> list[Source]:
    def read() -> Vectors:
        most = MOST_STATIC if config.most_words is None else config.most_words
        return read_vectors(str(config.vectors), words=config.words).take(most).fold()

    return [Source(model=Path(str(config.vectors)).name, layer="static", read=read)]


def _of_model(config: AnalogyConfig, of: AnalogySet, progress: Progress) -> list[Source]:
    """Encode the candidate words in each way; layers are read when they are solved."""
    most = N_CANDIDATES if config.most_words is None else config.most_words
    words = candidates(most, config.candidates, also=of.words)
    encoder = TextEncoder.from_pretrained(str(config.model))
    root = store_folder(config.out, config.store)
    sources = []
    for how in config.how:
        found = model_vectors(
            encoder,
            words,
            how,
            root=root,
            layers=config.layers,
            template=config.template,
            corpus=config.corpus,
            n_contexts=config.contexts,
            seed=config.seed,
            progress=progress,
        )
        single = {
            word for word, is_single in zip(found.words, found.single, strict=True) if is_single
        }
        for layer in found.layers:

            def read(found: LayerVectors = found, layer: str = layer) -> Vectors:
                return found.vectors(layer).fold()

            sources.append(
                Source(
                    model=encoder.name,
                    layer=layer,
                    read=read,
                    n_layers=encoder.n_layers,
                    how=how,
                    store=found.fingerprint,
                    single=frozenset(single),
                    notes=found.notes,
                )
            )
    return sources


def own_set() -> AnalogySet:
    """Load the set that comes with probes."""
    return set_of_task(load_task("analogies"))
