"""The task `analogies`: pairs of words, and which relation holds between the two."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from probes.errors import InputError, unknown
from probes.task import SPLITS, Split, Task, label_column

SHARES: dict[Split, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}
NOT_DISTINCT = "targets that several sources share: "


@dataclass(frozen=True)
class Analogies:
    """Pairs of English words, each labelled by its relation: king and queen, france and paris.

    The same pairs are a set of analogy questions; `probes.analogy.questions.set_of_task` reads
    them back. All words are lower-case, names too.
    """

    categories: tuple[str, ...] = ()
    """Which relations to keep: inflection, derivation, lexical, encyclopaedic. All by default."""
    seed: int = 0
    """Another seed divides the pairs otherwise: of each relation about 80 % train, 10 % dev,
    10 % test. Pairs with one source stay together."""

    def load(self) -> tuple[Task]:
        """Read the pairs, and give each its split.

        Returns
        -------
        tuple of Task
            One: a text is the two words of a pair, and is labelled ``category/relation``, such as
            ``"inflection/verb-past"``. The group is the source word. Its notes name the relations
            in which several sources share a target.

        Raises
        ------
        InputError
            If a category is unknown or given twice, or the seed below 0.
        """
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}; give 0 or more")
        rows = _chosen(read_pairs(), self.categories)
        labels = [f"{category}/{relation}" for category, relation, _, _ in rows]
        sources = [source for _, _, source, _ in rows]
        first = [len(source) for source in sources]
        last = [len(target) for _, _, _, target in rows]
        task = Task(
            name="analogies",
            labelling="relation",
            unit="pair",
            kind="class",
            texts=tuple(f"{source} {target}" for _, _, source, target in rows),
            text_index=np.arange(len(rows), dtype=np.int64),
            spans=np.asarray(
                [(0, n, n + 1, n + 1 + m) for n, m in zip(first, last, strict=True)], dtype=np.int64
            ),
            labels=label_column(labels, "class"),
            splits=np.asarray(split_pairs(labels, sources, self.seed), dtype=np.str_),
            groups=np.asarray(sources, dtype=np.str_),
            group_kind="source word",
            title="Analogies",
            source=f"comes with layerprobes; split by seed {self.seed}",
            licence="MIT",
            citation="layerprobes, task analogies, version 1",
            notes=_notes(rows),
        )
        return (task,)


def read_pairs() -> list[tuple[str, str, str, str]]:
    """Read the pairs that come with the package.

    Returns
    -------
    list of (str, str, str, str)
        Category, relation, source and target of each pair, relation by relation.
    """
    text = files("probes_tasks").joinpath("analogies.tsv").read_text(encoding="utf-8")
    rows = []
    for line in text.splitlines()[1:]:
        category, relation, source, target = line.split("\t")
        rows.append((category, relation, source, target))
    return rows


def split_pairs(relations: Sequence[str], sources: Sequence[str], seed: int) -> list[Split]:
    """Divide the pairs, so that of each relation every split has its share.

    Parameters
    ----------
    relations, sources : sequence of str
        Of each pair.
    seed : int
        Decides between sources that would serve alike.

    Returns
    -------
    list of {"train", "dev", "test"}
        Of each pair; pairs with one source are in one split.

    Notes
    -----
    Sources of the most pairs first, each goes to the split that lacks most of its relations: as
    Sechidis, Tsoumakas, Vlahavas (2011) divide items with several labels, "On the Stratification
    of Multi-label Data".
    """
    held: dict[str, list[str]] = {}
    for relation, source in zip(relations, sources, strict=True):
        held.setdefault(source, []).append(relation)
    order = list(held)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda source: -len(held[source]))
    sizes = Counter(relations)
    lacking = {
        split: {relation: SHARES[split] * n for relation, n in sizes.items()} for split in SPLITS
    }
    chosen: dict[str, Split] = {}
    for source in order:
        wanted = {
            split: sum(lacking[split][relation] / SHARES[split] for relation in held[source])
            for split in SPLITS
        }
        split = max(SPLITS, key=wanted.__getitem__)
        chosen[source] = split
        for relation in held[source]:
            lacking[split][relation] -= 1
    return [chosen[source] for source in sources]


def _chosen(
    rows: list[tuple[str, str, str, str]], categories: Sequence[str]
) -> list[tuple[str, str, str, str]]:
    known = dict.fromkeys(row[0] for row in rows)
    for category, n in Counter(categories).items():
        if category not in known:
            raise unknown("category of analogies", category, known)
        if n > 1:
            raise InputError(f"category {category!r} is given {n} times; give it once")
    return [row for row in rows if not categories or row[0] in categories]


def _notes(rows: list[tuple[str, str, str, str]]) -> tuple[str, ...]:
    notes = []
    per_relation = Counter((relation, target) for _, relation, _, target in rows)
    shared = Counter(relation for (relation, _), n in per_relation.items() if n > 1)
    if shared:
        named = ", ".join(f"{relation} ({n})" for relation, n in sorted(shared.items()))
        notes.append(NOT_DISTINCT + named)
    alike = Counter((source, target) for _, _, source, target in rows)
    n_alike = sum(n > 1 for n in alike.values())
    if n_alike:
        notes.append(f"{n_alike} pairs of words stand in two relations")
    return tuple(notes)
