"""Rows of a run of `probes analogy`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from probes import configs
from probes.analogy.ask import Asked, Flags, Ints
from probes.analogy.methods import Answered
from probes.analogy.offsets import FEWEST, are_directions, concentration
from probes.analogy.shares import Floats, Resamples, share
from probes.analogy.solve import Space
from probes.analogy.vectors import Vectors
from probes.results import Row
from probes.stats import Interval

ALL = "all"
"""The name of all relations, or all categories, together."""

SINGLE = "single sub-tokens"
"""Stands for the category where only such words are asked about."""


@dataclass(frozen=True)
class Source:
    """Where word vectors come from: a file, or a layer of a model.

    Parameters
    ----------
    model : str
        Its name, or the file's.
    layer : str
        ``"static"`` of a file.
    read : callable
        Gives the vectors.
    n_layers : int
        Of the model.
    how : str
        How words got their vectors; empty of a file.
    store : str
        Digest of the activation store.
    single : frozenset of str
        The words that are one sub-token.
    notes : tuple of str
        What a reader must know.
    """

    model: str
    layer: str
    read: Callable[[], Vectors]
    n_layers: int = 0
    how: str = ""
    store: str = ""
    single: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def pieces(self, vectors: Vectors) -> Flags | None:
        """Say which words are one sub-token, shape (n_words,); None of a file."""
        if not self.how:
            return None
        return np.array([word in self.single for word in vectors.words])


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of one source.

    Parameters
    ----------
    config : AnalogyConfig
        Of the run.
    source : Source
        Of the vectors.
    asked : Asked
        The questions.
    n_words : int
        That may be answers.
    """

    config: Any
    source: Source
    asked: Asked
    n_words: int

    @cached_property
    def drawn(self) -> Resamples:
        """How often each pair is drawn: the same draws for all methods and layers."""
        return Resamples.of(self.asked.relation, self.config.seed)

    def rows(self, space: str, found: Answered, single: Flags | None) -> Iterator[Row]:
        """Make a method's rows, of each relation and category, of all, and of single sub-tokens."""
        every = np.ones(len(found.right), bool)
        parts = [(every, [*self._groups()])]
        if single is not None:
            named = {"relation": ALL, "category": SINGLE}
            parts.append((self._single(found, single), [(named, self._everything)]))
        for keep, groups in parts:
            bottom = self._sums(found, keep)
            for metric, right in (("accuracy", found.right), ("accuracy-honest", found.honest)):
                top = self._sums(found, keep & right)
                for named, mine in groups:
                    of = keep & np.isin(self.asked.relation[found.ends[-1]], mine)
                    sums = top[mine].sum(axis=0), bottom[mine].sum(axis=0)
                    yield self._row(space, found, metric, (right, of), sums, mine, named)
        for word, on in found.on.items():
            sums = self._sums(found, on).sum(axis=0), self._sums(found, every).sum(axis=0)
            named = {"relation": ALL, "category": ALL}
            metric = f"answers-{word}"
            yield self._row(space, found, metric, (on, every), sums, self._everything, named)

    @property
    def _everything(self) -> Ints:
        return np.arange(len(self.asked.of.relations))

    def _sums(self, found: Answered, of: Flags) -> Floats:
        return self.drawn.sums(of.astype(np.float64), found.ends, self.asked.relation)

    def _groups(self) -> Iterator[tuple[dict[str, str], Ints]]:
        relations = self.asked.of.relations
        for number, relation in enumerate(relations):
            named = {"relation": relation.name, "category": relation.category}
            yield named, np.array([number])
        categories = np.array([relation.category for relation in relations])
        for category in dict.fromkeys(c for c in categories.tolist() if c):
            yield {"relation": ALL, "category": category}, np.flatnonzero(categories == category)
        yield {"relation": ALL, "category": ALL}, self._everything

    def _single(self, found: Answered, single: Flags) -> Flags:
        """Choose the questions whose words, and an answer, are single sub-tokens."""
        has = np.array([len(words) > 0 and single[words].any() for words in self.asked.accepted])
        if len(found.ends) == 2:
            return np.asarray(single[self.asked.words].all(axis=1) & has[found.ends[1]])
        return np.asarray(single[self.asked.pairs[found.ends[0], 0]] & has[found.ends[0]])

    def _row(
        self,
        space: str,
        found: Answered,
        metric: str,
        right_of: tuple[Flags, Flags],
        sums: tuple[Floats, Floats],
        relations: Ints,
        named: dict[str, str],
    ) -> Row:
        right, of = right_of
        n = int(of.sum())
        value = float(right[of].mean()) if n else None
        n_pairs = len(np.unique(np.concatenate([end[of] for end in found.ends])))
        interval = share(value, *sums, n=n, n_pairs=n_pairs)
        n_asked = n if named["category"] == SINGLE else self._n_asked(found, relations)
        return self._made(space, found.method, metric, interval, n_asked, named)

    def _n_asked(self, found: Answered, relations: Ints) -> int:
        if len(found.ends) == 1:
            return int(np.isin(self.asked.relation, relations).sum())
        return int(np.isin(self.asked.of.questions[:, 0], relations).sum())

    def offset_rows(self, space: str, directions: Space) -> Iterator[Row]:
        """Make the rows of how alike the offsets of each relation are."""
        whole, measured = self.asked.whole, {}
        for number, _ in enumerate(self.asked.of.relations):
            mine = whole[self.asked.relation[whole] == number]
            if len(mine) >= FEWEST:
                sources, targets = (directions.exact(end) for end in self.asked.pairs[mine].T)
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
                yield self._made(space, "offsets", metric, found, len(relation.pairs), named)

    def _made(
        self,
        space: str,
        method: str,
        metric: str,
        found: Interval,
        n_asked: int,
        named: dict[str, str],
    ) -> Row:
        n_lost = n_asked - found.n
        how = {"how": self.source.how} if self.source.how else {}
        of = {**how, "space": space, "words": self.n_words, **named}
        return Row(
            run=Path(self.config.out).name,
            task=f"analogies/{self.asked.of.name}",
            task_version="1",
            model=self.source.model,
            revision="",
            layer=self.source.layer,
            n_layers=self.source.n_layers,
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
            why_lost=json.dumps({"without a vector": n_lost}) if n_lost else "",
            seed=self.config.seed,
            control_of="",
            store=self.source.store,
            config=configs.digest(self.config),
        )
