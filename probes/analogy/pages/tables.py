"""The tables of a page about analogies: every number that its figures show."""

from __future__ import annotations

from collections.abc import Mapping

from probes.analogy.pages.way import OFFSETS, Way, is_direction
from probes.analogy.rows import ALL, SINGLE
from probes.report.plates import Grid
from probes.report.series import Cells
from probes.report.shell import typeset
from probes.report.words import GAP, bracket, number
from probes.results import Row

FILTERED = "Accuracy, a, a* and b left out of the answers"
HONEST = "Accuracy, honest: any word may be the answer"
ON = {"answers-a": "a", "answers-a*": "a*", "answers-b": "b"}


def grids(way: Way) -> list[Grid]:
    """Lay out a way's numbers: by layer and method, by category, by relation.

    Parameters
    ----------
    way : Way
        Its rows.

    Returns
    -------
    list of Grid
        Brackets are 95 % intervals.
    """
    found = [
        by_method(way, way.cells("accuracy"), FILTERED),
        by_method(way, way.cells("accuracy-honest"), HONEST),
    ]
    if single := way.cells("accuracy", SINGLE):
        n = max((row.n or 0) for of in single.values() for row in of.values())
        title = f"{FILTERED}; the {n:,} questions of which every word is one sub-token"
        found.append(by_method(way, single, title))
    found.append(_fallen(way))
    if way.categories():
        found.append(_categories(way))
    if len(way.layers) > 1 and way.measured:
        found.append(_concentration(way))
    found.append(_relations(way))
    return found


def by_method(way: Way, cells: Cells, caption: str) -> Grid:
    """Lay out layers down and methods across; of one layer, methods down."""
    methods = [name for name in way.methods if name in cells]
    if len(way.layers) == 1:
        rows = [[name, _cell(cells[name].get(way.best))] for name in methods]
        return Grid(caption, ["method", "accuracy"], rows)
    rows = [[layer, *(_cell(cells[name].get(layer)) for name in methods)] for layer in way.layers]
    return Grid(caption, ["layer", *methods], rows)


def _fallen(way: Way) -> Grid:
    found: dict[str, Cells] = {word: way.cells(metric) for metric, word in ON.items()}
    methods = [name for name in way.methods if name in found["b"]]
    caption = "Honest answers that are a word of the question"
    if len(way.layers) == 1:
        rows = [
            [name, *(_value(found[word].get(name, {}).get(way.best)) for word in found)]
            for name in methods
        ]
        return Grid(caption, ["method", *found], rows)
    rows = [
        [layer, *(_value(found["b"][name].get(layer)) for name in methods)] for layer in way.layers
    ]
    return Grid(f"{caption}: that are b", ["layer", *methods], rows)


def _categories(way: Way) -> Grid:
    """Lay out the first method's filtered accuracy by category."""
    names = [name for name in way.categories() if name not in (ALL, SINGLE)]
    cells = {name: way.cells("accuracy", name).get(way.first, {}) for name in names}
    caption = f"{FILTERED}: {way.first} by category"
    rows = [[layer, *(_cell(cells[name].get(layer)) for name in names)] for layer in way.layers]
    return Grid(caption, ["layer", *names], rows)


def _concentration(way: Way) -> Grid:
    means = way.concentration()
    names = list(means["ocs"])
    rows = []
    for layer in way.layers:
        cells = [
            f"{number(means['ocs'][name].get(layer))} "
            f"({number(means['ocs-shuffled'][name].get(layer))})"
            for name in names
        ]
        rows.append([layer, *map(typeset, cells)])
    return Grid(
        "Offset concentration, mean over relations (of shuffled pairs)", ["layer", *names], rows
    )


def _relations(way: Way) -> Grid:
    found = way.relations(way.best)
    names = [*way.measured, *(name for name in found if name not in way.measured)]
    heads = ["relation", "n", f"{way.first} filtered", "honest", "OCS", "shuffled", "PCS", "p"]
    rows = []
    for name in names:
        of = found[name]
        filtered = of.get((way.first, "accuracy"))
        rows.append(
            [
                name,
                f"{filtered.n:,}" if filtered is not None and filtered.n else GAP,
                _cell(filtered),
                _cell(of.get((way.first, "accuracy-honest"))),
                *(
                    _value(of.get((OFFSETS, metric)))
                    for metric in ("ocs", "ocs-shuffled", "pcs", "p")
                ),
                _judged(of),
            ]
        )
    at = f" at layer {way.best}" if len(way.layers) > 1 else ""
    return Grid(f"By relation{at}, the most alike offsets first", [*heads, "direction"], rows)


def _judged(of: Mapping[tuple[str, str], Row]) -> str:
    if (OFFSETS, "direction") not in of:
        return GAP
    return "yes" if is_direction(of) else "no"


def _cell(row: Row | None) -> str:
    return typeset(bracket(row))


def _value(row: Row | None) -> str:
    return GAP if row is None else typeset(number(row.value))
