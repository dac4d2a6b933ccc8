"""The job `probes analogy`: vector arithmetic on word vectors, by relation and method."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from probes import configs
from probes.analogy.ask import Asked, Flags, Ints, ask
from probes.analogy.formats import read_set
from probes.analogy.methods import BASELINES, METHODS, Answered, answer
from probes.analogy.offsets import FEWEST, are_directions, concentration
from probes.analogy.questions import AnalogySet, set_of_task
from probes.analogy.read import read_vectors
from probes.analogy.shares import Resamples
from probes.analogy.solve import Space
from probes.analogy.space import SPACES, anisotropy
from probes.analogy.vectors import Vectors
from probes.diagnostic.folder import claimed
from probes.errors import InputError, unknown
from probes.files import write_whole
from probes.registry import load_task
from probes.results import Results, Row
from probes.stats import Interval

ALL = "all"
"""The name of all relations together."""


@dataclass(frozen=True, kw_only=True)
class AnalogyConfig:
    """Solve analogies, a : a* = b : ?, by arithmetic on word vectors."""

    vectors: str
    """File of word vectors: word2vec text or binary, GloVe, a `.npy` matrix with an index of words
    beside it; or a spaCy pipeline with vectors, a folder or an installed name."""
    out: str
    """Folder of the run: results, settings."""
    words: str | None = None
    """The index of a `.npy` matrix, where it is not found beside it."""
    set: str | None = None
    """Questions: a file in Google's format, a folder of BATS, or a table of relation, source and
    target; by default the set that comes with probes."""
    most_words: int = 300_000
    """How many words, from the first on, may be answers."""
    methods: tuple[str, ...] = METHODS
    """How questions are answered; the baselines are always there."""
    spaces: tuple[str, ...] = ("as-is",)
    """What is done to the vectors first, side by side: as-is, centred, all-but-the-top,
    whitened."""
    seed: int = 0
    """Of resamples, and of the random words of LRCos."""

    def __post_init__(self) -> None:
        for kind, chosen, known in (
            ("method", self.methods, METHODS),
            ("space", self.spaces, tuple(SPACES)),
        ):
            for name in chosen:
                if name not in known:
                    raise unknown(kind, name, known)
            if not chosen or len(set(chosen)) < len(chosen):
                raise InputError(f"{kind}s {', '.join(chosen) or 'none'}; give one or more, once")
        if self.most_words < 1 or not 0 <= self.seed < 2**32:
            raise InputError(
                f"most_words {self.most_words}, seed {self.seed}: expected 1 or more, and a seed "
                "of 0 or more"
            )


def run_analogy(config: AnalogyConfig) -> Results:
    """Read vectors and questions, answer them, and write a run's folder.

    Parameters
    ----------
    config : AnalogyConfig
        Every setting.

    Returns
    -------
    Results
        Of each space, method, and relation, category and all together: ``accuracy`` (the words of
        the question left out of the answers), ``accuracy-honest`` (not left out), and of all
        together the shares of honest answers that are a, a* or b. Intervals resample pairs. Of
        each relation's offsets, under the method ``offsets``: ``ocs``, ``ocs-shuffled``, ``pcs``,
        ``p`` and ``direction`` (1 where p is small beside those of all relations).

    Raises
    ------
    InputError
        If a file cannot be read, or no question can be asked.
    """
    started = time.monotonic()
    with claimed(Path(config.out), config):
        vectors = read_vectors(config.vectors, words=config.words).take(config.most_words).fold()
        asked = ask(read_set(config.set) if config.set else own_set(), vectors)
        methods = [name for name in METHODS if name in (*config.methods, *BASELINES)]
        drawn = Resamples.of(asked.relation, config.seed)
        rows: list[Row] = []
        spaces = {}
        for space in config.spaces:
            X = SPACES[space](vectors.X)
            spaces[space] = {"anisotropy": anisotropy(X)}
            make = _Maker(config, asked, vectors, drawn, space)
            directions = Space(X)
            for found in answer(directions, asked, methods):
                rows += make.rows(found)
            rows += make.offset_rows(directions)
        results = Results(rows)
        results.save(Path(config.out) / "results.jsonl")
        results.save(Path(config.out) / "results.parquet")
        about = _about(config, asked, vectors, spaces) | {"seconds": time.monotonic() - started}
        text = json.dumps(about, indent=2, ensure_ascii=False) + "\n"
        write_whole(Path(config.out) / "run.json", text.encode())
    return results


def own_set() -> AnalogySet:
    """Load the set that comes with probes."""
    return set_of_task(load_task("analogies"))


def _about(
    config: AnalogyConfig, asked: Asked, vectors: Vectors, spaces: dict[str, Any]
) -> dict[str, Any]:
    return {
        "run": Path(config.out).name,
        "command": "probes analogy",
        "set": asked.of.name,
        "source": asked.of.source,
        "licence": asked.of.licence,
        "citation": asked.of.citation,
        "relations": len(asked.of.relations),
        "questions": asked.of.n_questions,
        "questions_asked": len(asked.words),
        "questions_given_away": int(asked.given_away().sum()),
        "vectors": vectors.name,
        "words": len(vectors),
        "width": vectors.width,
        "words_folded": vectors.n_folded,
        "words_without_direction": vectors.n_zero,
        "spaces": spaces,
    }


@dataclass(frozen=True)
class _Maker:
    """Makes the rows of one space."""

    config: AnalogyConfig
    asked: Asked
    vectors: Vectors
    drawn: Resamples
    space: str

    def rows(self, found: Answered) -> Iterator[Row]:
        """Make a method's rows, of each relation, category and of all."""
        relations = self.asked.of.relations
        of = self.asked.relation[found.ends[-1]]
        categories = np.array([relation.category for relation in relations])
        groups: list[tuple[dict[str, str], Flags, Ints]] = []
        for number, relation in enumerate(relations):
            one = np.array([number])
            named = {"relation": relation.name, "category": relation.category}
            groups.append((named, of == number, one))
        for category in dict.fromkeys(c for c in categories.tolist() if c):
            mine = np.flatnonzero(categories == category)
            groups.append(({"relation": ALL, "category": category}, np.isin(of, mine), mine))
        everything = np.arange(len(relations))
        groups.append(({"relation": ALL, "category": ALL}, np.ones(len(of), bool), everything))
        for named, keep, mine in groups:
            yield self._row(found, "accuracy", found.right, keep, mine, named)
            yield self._row(found, "accuracy-honest", found.honest, keep, mine, named)
        for word, on in found.on.items():
            yield self._row(found, f"answers-{word}", on, groups[-1][1], everything, groups[-1][0])

    def offset_rows(self, space: Space) -> Iterator[Row]:
        """Make the rows of how alike the offsets of each relation are."""
        whole, measured = self.asked.whole, {}
        for number, _ in enumerate(self.asked.of.relations):
            mine = whole[self.asked.relation[whole] == number]
            if len(mine) >= FEWEST:
                sources, targets = (space.exact(column) for column in self.asked.pairs[mine].T)
                measured[number] = concentration(sources, targets, self.config.seed)
        are = are_directions(list(measured.values()))
        for (number, one), is_direction in zip(measured.items(), are, strict=True):
            relation = self.asked.of.relations[number]
            named = {"relation": relation.name, "category": relation.category}
            values = {
                "ocs": one.ocs,
                "ocs-shuffled": one.shuffled,
                "pcs": one.pcs,
                "p": one.p,
                "direction": float(is_direction),
            }
            for metric, value in values.items():
                found = Interval(value, None, None, "", one.n, one.n)
                yield self._made("offsets", metric, found, len(relation.pairs), named)

    def _row(
        self,
        found: Answered,
        metric: str,
        right: Flags,
        keep: Flags,
        relations: Ints,
        named: dict[str, str],
    ) -> Row:
        interval = self.drawn.share(right[keep], [end[keep] for end in found.ends])
        return self._made(found.method, metric, interval, self._n_asked(found, relations), named)

    def _made(
        self, method: str, metric: str, found: Interval, n_asked: int, named: dict[str, str]
    ) -> Row:
        n_lost = n_asked - found.n
        of = {"space": self.space, "words": len(self.vectors), **named}
        return Row(
            run=Path(self.config.out).name,
            task=f"analogies/{self.asked.of.name}",
            task_version="1",
            model=self.vectors.name,
            revision="",
            layer="static",
            n_layers=0,
            method=method,
            setting=json.dumps(of, ensure_ascii=False),
            split="test",
            metric=metric,
            value=found.value,
            low=found.low,
            high=found.high,
            interval=found.method,
            n=found.n,
            n_groups=found.n_groups,
            n_asked=n_asked,
            n_lost=n_lost,
            why_lost=json.dumps({"out of vocabulary": n_lost}) if n_lost else "",
            seed=self.config.seed,
            control_of="",
            store="",
            config=configs.digest(self.config),
        )

    def _n_asked(self, found: Answered, relations: Ints) -> int:
        if len(found.ends) == 1:
            return int(np.isin(self.asked.relation, relations).sum())
        return int(np.isin(self.asked.of.questions[:, 0], relations).sum())
