"""Tables of a run of `probes analogy`, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from probes.analogy.captions import (
    FILTERED,
    MEAN,
    OFFSET_COLUMNS,
    ON,
    SHOWN,
    anisotropy_of,
    asked_of,
    notes_of,
    once,
    size_of,
    unmeasured_of,
)
from probes.analogy.methods import counted
from probes.analogy.offsets import OFFSETS
from probes.analogy.questions import ALL, SINGLE
from probes.analogy.way import Way, is_direction, ways
from probes.report.tables import grids
from probes.report.words import number
from probes.results import Results, Row

MOST_RELATIONS = 20
"""More relations than this stand in the results alone; their offsets are laid out all the same."""

Laid = list[tuple[str, Sequence[str]]]
"""Heads and cells of columns."""


def tables(results: Results, run: dict[str, Any], width: int) -> Iterator[RenderableType]:
    """Lay out accuracies, a table a space and mode.

    Of static vectors relations (where they are few) and categories down, methods across, with the
    longer arm of their 95 % intervals; then on which words of the question honest answers fall, and
    how alike the offsets of each relation are. Of a model layers down: over all relations, by
    category, and how many relations are directions.

    Parameters
    ----------
    results : Results
        Of one run.
    run : dict
        Its description (``run.json``).
    width : int
        Of the console.

    Yields
    ------
    rich.console.RenderableType
        What was asked, then titles and their tables.
    """
    found = ways(results, run)
    say_space = len({way.space for way in found}) > 1
    for way in found:
        yield _head(way, run)
        said = [way.how] if way.how else []
        said += [f"{way.space} vectors"] if say_space else []
        more = f" ({', '.join(said)})" if said else ""
        yield from (_by_layer if way.how else _by_relation)(way, more, width)
        yield from (Text(line) for line in (*once(way.methods), *unmeasured_of(way)))


def _head(way: Way, run: Mapping[str, Any]) -> Text:
    """Say what was asked of which words, what was lost, and what a reader must know."""
    lines = [
        f"{run['set']} · {run['model']} · {way.spaces[0]['words']:,} words may be answers · "
        f"{anisotropy_of(way)}",
        asked_of(way, run),
        *(f"! {note}" for note in notes_of(way)),
    ]
    return Text("\n".join(lines))


def _by_relation(way: Way, more: str, width: int) -> Iterator[Group]:
    for metric, title in SHOWN:
        yield _table(way, metric, f"{title}{more}", width)
    yield _fallen(way, f"Honest answers that are a word of the question{more}", width)
    if way.measured:
        yield _offsets(way, f"How alike the offsets of a relation are{more}", width)


def _by_layer(way: Way, more: str, width: int) -> Iterator[Group]:
    """Lay out layers down: methods across over all relations, then categories under the first."""
    shown = [(f"{metric}-macro", ALL, f"{title}; {MEAN}") for metric, title in SHOWN]
    shown += [(metric, ALL, title) for metric, title in SHOWN]
    shown.append(("answers-b", ALL, "Honest answers that are b"))
    if single := way.cells("accuracy", SINGLE):
        first = {method: next(iter(of.values())) for method, of in single.items()}
        title = f"{FILTERED}; of single sub-tokens alone, {size_of(first)}"
        shown.append(("accuracy", SINGLE, title))
    for metric, category, title in shown:
        cells = way.cells(metric, category)
        laid: Laid = [("layer", way.layers)]
        laid += [(m, [_cell(cells[m].get(layer)) for layer in way.layers]) for m in way.methods]
        yield _titled(f"{title}{more}", laid, width)
    laid = [("layer", way.layers)]
    for category in way.categories():
        found = way.cells("accuracy", category)[way.first]
        laid.append((category, [_cell(found.get(layer)) for layer in way.layers]))
    laid.append(("directions", [f"{way.directions(layer):,}" for layer in way.layers]))
    title = f"{way.first} by category, and how many relations are directions{more}"
    yield _titled(title, laid, width)


def _table(way: Way, metric: str, title: str, width: int) -> Group:
    relations, several = _by_name(way, metric)
    found = several if len(relations) > MOST_RELATIONS else relations | several
    means = way.cells(f"{metric}-macro")
    found[MEAN] = {method: of[way.best] for method, of in means.items()}
    laid: Laid = [("relation", list(found))]
    for what in ("questions", "pairs"):
        if method := next((name for name in way.methods if counted(name) == what), ""):
            laid.append((what, [f"{of[method].n:,}" for of in found.values()]))
    for method in way.methods:
        laid.append((method, [_cell(of.get(method)) for of in found.values()]))
    return _titled(title, laid, width)


def _by_name(way: Way, metric: str) -> tuple[dict[str, dict[str, Row]], ...]:
    """Gather a metric by method: of each relation, and of each category and all together."""
    relations: dict[str, dict[str, Row]] = {}
    several: dict[str, dict[str, Row]] = {}
    for row, of in way.rows:
        if row.metric != metric or of["category"] == SINGLE:
            continue
        if of["relation"] != ALL:
            relations.setdefault(of["relation"], {})[row.method] = row
        else:
            name = ALL if of["category"] == ALL else f"{ALL} {of['category']}"
            several.setdefault(name, {})[row.method] = row
    return relations, several


def _fallen(way: Way, title: str, width: int) -> Group:
    cells = {word: way.cells(metric) for metric, word in ON.items()}
    laid: Laid = [("word", list(cells))]
    for method in way.methods:
        rows = [of.get(method, {}).get(way.best) for of in cells.values()]
        laid.append((method, [number(row.value) if row else "" for row in rows]))
    return _titled(title, laid, width)


def _offsets(way: Way, title: str, width: int) -> Group:
    of_all = way.relations(way.best)
    found = {name: of for name, of in of_all.items() if name in set(way.measured)}
    n = [f"{of[OFFSETS, 'ocs'].n:,}" for of in found.values()]
    laid: Laid = [("relation", list(found)), ("offsets", n)]
    for metric, head in OFFSET_COLUMNS.items():
        laid.append((head, [number(of[OFFSETS, metric].value) for of in found.values()]))
    said = ["yes" if is_direction(of) else "no" for of in found.values()]
    return _titled(title, [*laid, ("direction", said)], width)


def _titled(title: str, laid: Laid, width: int) -> Group:
    return Group(Text(title, style="bold"), *grids(laid, width, keys=1, justify="right"))


def _cell(row: Row | None) -> str:
    if row is None or row.value is None:
        return ""
    if row.low is None or row.high is None:
        return number(row.value)
    return f"{number(row.value)}±{number(max(row.high - row.value, row.value - row.low))}"
