"""What is shown together: the rows of one way of getting vectors, in one space."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from probes.analogy.methods import BASELINES
from probes.analogy.offsets import OFFSETS
from probes.analogy.questions import ALL, SINGLE
from probes.report.series import Cells
from probes.results import Results, Row

Found = Mapping[tuple[str, str], Row]
"""Rows of a relation at a layer, by method and metric."""


@dataclass(frozen=True, eq=False)
class Way:
    """One way of getting vectors (bare words, in a template, …), in one space.

    Parameters
    ----------
    how : str
        Empty of static vectors.
    space : str
        What was done to the vectors.
    rows : tuple of (Row, dict)
        Results with their settings.
    spaces : tuple of dict
        Of each layer, what ``run.json`` says of it.
    """

    how: str
    space: str
    rows: tuple[tuple[Row, Mapping[str, Any]], ...]
    spaces: tuple[Mapping[str, Any], ...]

    @cached_property
    def layers(self) -> list[str]:
        """Those that were asked."""
        return list(dict.fromkeys(row.layer for row, _ in self.rows))

    @cached_property
    def methods(self) -> list[str]:
        """Those that answered, baselines last."""
        named = dict.fromkeys(row.method for row, _ in self.rows if row.method != OFFSETS)
        return sorted(named, key=lambda name: name in BASELINES)

    @property
    def asked(self) -> list[str]:
        """The methods that are no baselines."""
        return [name for name in self.methods if name not in BASELINES]

    @property
    def first(self) -> str:
        """The method by which layers and relations are compared: the first that is no baseline."""
        return self.methods[0]

    def cells(self, metric: str, category: str = ALL) -> Cells:
        """Gather a number over all relations by method and layer."""
        cells: Cells = {}
        for row, of in self.rows:
            if row.metric == metric and of["relation"] == ALL and of["category"] == category:
                cells.setdefault(row.method, {})[row.layer] = row
        return cells

    def categories(self) -> list[str]:
        """Name the categories of relations, in the set's order."""
        named = dict.fromkeys(
            str(of["category"])
            for row, of in self.rows
            if row.metric == "accuracy" and of["relation"] == ALL
        )
        return [name for name in named if name not in (ALL, SINGLE)]

    @cached_property
    def best(self) -> str:
        """The layer at which the first method answers most; the lowest of several."""
        found = self.cells("accuracy-macro")[self.first]
        return max(self.layers, key=lambda layer: found[layer].value or 0.0)

    def relations(self, layer: str) -> dict[str, Found]:
        """Gather each relation's rows at a layer by method and metric."""
        found: dict[str, dict[tuple[str, str], Row]] = {}
        for row, of in self.rows:
            if row.layer == layer and of["relation"] != ALL:
                found.setdefault(str(of["relation"]), {})[row.method, row.metric] = row
        return dict(found)

    @cached_property
    def measured(self) -> list[str]:
        """Relations whose offsets were measured: at `best`, those first that beat shuffled most."""
        found = self.relations(self.best)
        have = [name for name, of in found.items() if (OFFSETS, "ocs") in of]
        return sorted(have, key=lambda name: -_excess(found[name]))

    @cached_property
    def unmeasured(self) -> list[str]:
        """The other relations, which have too few offsets."""
        return [name for name in self.relations(self.best) if name not in set(self.measured)]

    def directions(self, layer: str) -> int:
        """Count the relations that were found to be directions."""
        return sum(is_direction(of) for of in self.relations(layer).values())

    def concentration(self) -> dict[str, dict[str, dict[str, float]]]:
        """Average ``ocs`` and ``ocs-shuffled`` over relations: by metric, category and layer."""
        values: dict[tuple[str, str, str], list[float]] = {}
        for row, of in self.rows:
            if row.metric in ("ocs", "ocs-shuffled") and row.value is not None:
                key = (row.metric, str(of["category"]) or "relations", row.layer)
                values.setdefault(key, []).append(row.value)
        means: dict[str, dict[str, dict[str, float]]] = {}
        for (metric, category, layer), all_of in values.items():
            of_metric = means.setdefault(metric, {}).setdefault(category, {})
            of_metric[layer] = float(np.mean(all_of))
        return means


def ways(results: Results, run: Mapping[str, Any]) -> list[Way]:
    """Divide a run by how words got their vectors and what was done to those."""
    rows: dict[tuple[str, str], list[tuple[Row, Mapping[str, Any]]]] = {}
    for row in results:
        of = json.loads(row.setting)
        rows.setdefault((str(of.get("how", "")), str(of["space"])), []).append((row, of))
    return [
        Way(
            how,
            space,
            tuple(found),
            tuple(one for one in run["spaces"] if (one["how"], one["space"]) == (how, space)),
        )
        for (how, space), found in rows.items()
    ]


def is_direction(of: Found) -> bool:
    """Say whether a relation's offsets were found to be one direction."""
    return (OFFSETS, "direction") in of and bool(of[OFFSETS, "direction"].value)


def _excess(of: Found) -> float:
    own, shuffled = (of[OFFSETS, metric].value or 0.0 for metric in ("ocs", "ocs-shuffled"))
    return own - shuffled
