"""Rows of a run of `probes analogy`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from probes.analogy.ask import Asked, Flags, Ints
from probes.analogy.methods import ONLY_B, Answered
from probes.analogy.offsets import FEWEST, OFFSETS, Concentration, are_directions, concentration
from probes.analogy.questions import ALL, SINGLE
from probes.analogy.shares import Floats, Resamples, mean_over, percentiles, ratio
from probes.analogy.solve import Space
from probes.analogy.vectors import Vectors
from probes.diagnostic.rows import IntervalRows
from probes.results import Row
from probes.stats import Interval


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


@dataclass(frozen=True, eq=False)
class ByRelation:
    """Shares of right answers, relation by relation; nan where there is none.

    Parameters
    ----------
    values : ndarray of shape (n_relations,)
        The shares.
    drawn : ndarray of shape (n_relations, n_resamples)
        Those of each resample.
    """

    values: Floats
    drawn: Floats

    def less(self, other: ByRelation) -> ByRelation:
        """Subtract those of another method, on the same resamples."""
        return ByRelation(self.values - other.values, self.drawn - other.drawn)


@dataclass(frozen=True)
class AnalogyRows(IntervalRows):
    """Makes the rows of one source, in one space.

    Parameters
    ----------
    fixed, seed, by
        As of `IntervalRows`.
    asked : Asked
        The questions.
    drawn : Resamples
        Of the set's pairs: the same for all methods, layers and spaces.
    layer : str
        Of the source.
    about : dict of str to object
        Settings of all rows: how words got their vectors, the space, how many words there are.
    """

    asked: Asked = field(kw_only=True)
    drawn: Resamples = field(kw_only=True)
    layer: str = field(kw_only=True)
    about: dict[str, Any] = field(kw_only=True)

    def answers(self, found: Sequence[Answered], single: Flags | None) -> Iterator[Row]:
        """Make the rows of what some methods answer to the same questions.

        Parameters
        ----------
        found : sequence of Answered
            One a method; differences are those to ONLY-B, where it is one of them.
        single : ndarray of shape (n_words,), bool, optional
            Which words are single sub-tokens.

        Yields
        ------
        Row
            Of each relation and category, of all, and of single sub-tokens.
        """
        only = next((one for one in found if one.method == ONLY_B), None)
        beside = None if only is None else self._by_relation(only, only.right)
        for one in found:
            yield from self._shares(one, single)
            yield from self._means(one, beside)
            yield from self._on(one)

    def _shares(self, found: Answered, single: Flags | None) -> Iterator[Row]:
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
                    yield self._share(found, metric, (right, of), sums, mine, named)

    def _means(self, found: Answered, beside: ByRelation | None) -> Iterator[Row]:
        """Make the rows of means over relations, and of how far they are above ONLY-B."""
        of_question = self.asked.relation[found.ends[-1]]
        own = self._by_relation(found, found.right)
        kept = [("accuracy-macro", own, True)]
        kept.append(("accuracy-honest-macro", self._by_relation(found, found.honest), True))
        if beside is not None and found.method != ONLY_B:
            kept.append(("accuracy-over-only-b", own.less(beside), False))
        for named, mine in self._groups():
            if named["relation"] != ALL:
                continue
            here = mine[np.isin(mine, self.asked.relation[self.asked.ends[:, 1]])]
            of = np.isin(of_question, here)
            n_pairs = self._n_pairs(found, of)
            for metric, shares, is_share in kept:
                mean = float(mean_over(shares.values[here]))
                interval = percentiles(
                    mean if np.isfinite(mean) else None,
                    mean_over(shares.drawn[here]),
                    n=int(of.sum()),
                    n_pairs=n_pairs,
                    is_share=is_share,
                )
                n_asked = self._n_asked(found, mine)
                yield self._named(found.method, metric, interval, n_asked, named)

    def _on(self, found: Answered) -> Iterator[Row]:
        """Make the rows of how often the honest answer is a word of the question."""
        every = np.ones(len(found.right), bool)
        bottom = self._sums(found, every).sum(axis=0)
        for word, on in found.on.items():
            sums = self._sums(found, on).sum(axis=0), bottom
            named = {"relation": ALL, "category": ALL}
            yield self._share(found, f"answers-{word}", (on, every), sums, self._everything, named)

    def offsets(self, directions: Space) -> Iterator[Row]:
        """Make the rows of how alike the offsets of each relation are."""
        whole = self.asked.whole
        measured: dict[int, Concentration] = {}
        for number, _ in enumerate(self.asked.of.relations):
            mine = whole[self.asked.relation[whole] == number]
            if len(mine) >= FEWEST:
                sources, targets = (directions.exact(end) for end in self.asked.pairs[mine].T)
                if one := concentration(sources, targets, self.seed):
                    measured[number] = one
        are = are_directions(list(measured.values()))
        for (number, one), is_direction in zip(measured.items(), are, strict=True):
            relation = self.asked.of.relations[number]
            named = {"relation": relation.name, "category": relation.category}
            values = {
                "ocs": one.ocs,
                "ocs-shuffled": one.shuffled,
                "pcs": one.pcs,
                "p": one.p,
                "p-pairing": one.p_pairing,
                "p-flipped": one.p_flipped,
                "direction": float(is_direction),
            }
            for metric, value in values.items():
                found = Interval(value, None, None, "", one.n, one.n)
                row = self._named(OFFSETS, metric, found, len(relation.pairs), named)
                yield _with_zero(row, one.n_zero) if one.n_zero else row

    @property
    def _everything(self) -> Ints:
        return np.arange(len(self.asked.of.relations))

    def _by_relation(self, found: Answered, right: Flags) -> ByRelation:
        n = len(self.asked.of.relations)
        of = self.asked.relation[found.ends[-1]]
        values = ratio(np.bincount(of, right, n), np.bincount(of, minlength=n))
        every = self._sums(found, np.ones(len(right), bool))
        return ByRelation(values, ratio(self._sums(found, right), every))

    def _n_pairs(self, found: Answered, of: Flags) -> int:
        return len(np.unique(np.concatenate([end[of] for end in found.ends])))

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

    def _share(
        self,
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
        n_pairs = self._n_pairs(found, of)
        interval = percentiles(value, ratio(*sums), n=n, n_pairs=n_pairs)
        n_asked = n if named["category"] == SINGLE else self._n_asked(found, relations)
        return self._named(found.method, metric, interval, n_asked, named)

    def _n_asked(self, found: Answered, relations: Ints) -> int:
        if len(found.ends) == 1:
            return int(np.isin(self.asked.relation, relations).sum())
        return int(np.isin(self.asked.of.questions[:, 0], relations).sum())

    def _named(
        self, method: str, metric: str, found: Interval, n_asked: int, named: dict[str, str]
    ) -> Row:
        of = {**self.about, **named}
        why = "without a vector"
        return self.row(self.layer, method, metric, found, n_asked=n_asked, why_lost=why, **of)


def _with_zero(row: Row, n_zero: int) -> Row:
    """Say of the lost pairs how many have a source and a target of one vector."""
    why = {"without a vector": row.n_lost - n_zero, "without an offset": n_zero}
    return replace(row, why_lost=json.dumps({reason: n for reason, n in why.items() if n}))
