"""The tables of a page about analogies: every number that its figures show, beside its baseline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from probes.analogy.captions import FILTERED, MEAN, OFFSET_COLUMNS, ON, SHOWN, size_of
from probes.analogy.methods import ONLY_B, counted
from probes.analogy.offsets import OFFSETS
from probes.analogy.questions import SINGLE
from probes.analogy.way import Found, Way, is_direction
from probes.report.plates import Grid
from probes.report.series import Cells
from probes.report.shell import typeset
from probes.report.words import GAP, bracket, number
from probes.results import Row

_OFFSETS = {**OFFSET_COLUMNS, "p-pairing": "p of pairing", "p-flipped": "p of flips"}

OVER = "Accuracy above ONLY-B, a, a* and b left out; mean over relations"


def grids(way: Way) -> list[Grid]:
    """Lay out a way's numbers: by layer and method, by category, by relation.

    Parameters
    ----------
    way : Way
        Its rows.

    Returns
    -------
    list of Grid
        Brackets are 95 % intervals. Every accuracy stands beside that of ONLY-B, filtered and
        honest.
    """
    found = [*_by_method(way)] if len(way.layers) == 1 else [*_by_layer(way)]
    if single := way.cells("accuracy", SINGLE):
        first = {method: next(iter(of.values())) for method, of in single.items()}
        title = f"{FILTERED}; of single sub-tokens alone, {size_of(first)}"
        found.append(_layers(way, single, title))
    found.append(_fallen(way))
    if way.categories():
        found += _categories(way)
    if len(way.layers) > 1 and way.measured:
        found.append(_concentration(way))
    return [*found, _relations(way), *_relations_by_method(way)]


def _by_method(way: Way) -> Iterator[Grid]:
    """Lay out methods down: both averages, and how far the mean is above ONLY-B."""
    over = way.cells("accuracy-over-only-b")
    for metric, title in SHOWN:
        means, every = way.cells(f"{metric}-macro"), way.cells(metric)
        heads = ["method", MEAN, "over all", "n"]
        rows = []
        for name in way.methods:
            mean, all_of = means[name][way.best], every[name][way.best]
            n = f"{all_of.n:,} {counted(name)}"
            rows.append([name, _cell(mean), _cell(all_of), n])
            if metric == "accuracy":
                rows[-1].insert(2, _signed(over.get(name, {}).get(way.best)))
        if metric == "accuracy":
            heads.insert(2, "above ONLY-B")
        yield Grid(title, heads, rows)


def _by_layer(way: Way) -> Iterator[Grid]:
    for metric, title in SHOWN:
        yield _layers(way, way.cells(f"{metric}-macro"), f"{title}; {MEAN}")
    over = way.cells("accuracy-over-only-b")
    rows = [[layer, *(_signed(over[name].get(layer)) for name in over)] for layer in way.layers]
    if over:
        yield Grid(OVER, ["layer", *over], rows)
    for metric, title in SHOWN:
        cells = way.cells(metric)
        first = {method: next(iter(of.values())) for method, of in cells.items()}
        yield _layers(way, cells, f"{title}; over all {size_of(first)}")


def _layers(way: Way, cells: Cells, caption: str) -> Grid:
    methods = [name for name in way.methods if name in cells]
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


def _categories(way: Way) -> Iterator[Grid]:
    """Lay out categories across, each under the first method and under ONLY-B."""
    for metric, title in SHOWN:
        columns = []
        for category in way.categories():
            cells = way.cells(f"{metric}-macro", category)
            columns += [(f"{category}, {name}", cells.get(name, {})) for name in _compared(way)]
        rows = [[layer, *(_cell(of.get(layer)) for _, of in columns)] for layer in way.layers]
        heads = ["layer", *(head for head, _ in columns)]
        yield Grid(f"{title}; {MEAN}, by category", heads, rows)


def _compared(way: Way) -> Sequence[str]:
    return [way.first, *(name for name in way.methods if name == ONLY_B != way.first)]


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
    found, compared = way.relations(way.best), _compared(way)
    heads = ["relation", counted(way.first), *(f"{name} filtered" for name in compared)]
    heads += [*(f"{name} honest" for name in compared), "offsets", *_OFFSETS.values()]
    rows = []
    for name in [*way.measured, *way.unmeasured]:
        of = found[name]
        filtered, ocs = of.get((way.first, "accuracy")), of.get((OFFSETS, "ocs"))
        rows.append(
            [
                name,
                f"{filtered.n:,}" if filtered is not None and filtered.n else GAP,
                *(_cell(of.get((by, "accuracy"))) for by in compared),
                *(_cell(of.get((by, "accuracy-honest"))) for by in compared),
                f"{ocs.n:,}" if ocs is not None else GAP,
                *(_value(of.get((OFFSETS, metric))) for metric in _OFFSETS),
                _judged(of),
            ]
        )
    caption = f"By relation{_at(way)}, those first whose offsets are most above shuffled ones"
    return Grid(caption, [*heads, "direction"], rows)


def _relations_by_method(way: Way) -> Iterator[Grid]:
    found = way.relations(way.best)
    for metric, title in SHOWN:
        rows = [
            [name, *(_value(found[name].get((by, metric))) for by in way.methods)]
            for name in [*way.measured, *way.unmeasured]
        ]
        yield Grid(f"{title}: by relation and method{_at(way)}", ["relation", *way.methods], rows)


def _at(way: Way) -> str:
    return f" at layer {way.best}" if len(way.layers) > 1 else ""


def _judged(of: Found) -> str:
    if (OFFSETS, "direction") not in of:
        return GAP
    return "yes" if is_direction(of) else "no"


def _cell(row: Row | None) -> str:
    return typeset(bracket(row))


def _signed(row: Row | None) -> str:
    return typeset(bracket(row, sign=True))


def _value(row: Row | None) -> str:
    return GAP if row is None else typeset(number(row.value))
