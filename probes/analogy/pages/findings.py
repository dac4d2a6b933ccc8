"""What stands out in a run of `probes analogy`, in words, each number beside its control."""

from __future__ import annotations

from collections.abc import Iterator

from probes.analogy.methods import BASELINES
from probes.analogy.pages.way import Way, is_direction, shares
from probes.report.words import bracket, number
from probes.results import Row

MOST_NAMED = 3
"""Relations named as the easiest, and as the hardest."""


def findings(way: Way) -> list[str]:
    """Say what stands out in one way of getting vectors.

    Parameters
    ----------
    way : Way
        Its rows.

    Returns
    -------
    list of str
        Sentences: how much is answered and where, beside the baseline and honestly; on what the
        honest answers fall; which relations are easy, which hard; how many are directions.
    """
    return [*_answered(way), *_fallen(way), *_relations(way), *_directions(way)]


def _answered(way: Way) -> Iterator[str]:
    filtered, honest = way.cells("accuracy"), way.cells("accuracy-honest")
    if len(way.layers) > 1:
        row = filtered[way.first][way.best]
        yield (
            f"Layer {way.best} answers most by {way.first}: {bracket(row)}, with a, a* and b left "
            f"out of the answers{_beside(filtered, way.best)}; honest, where any word may be the "
            f"answer, {bracket(honest[way.first][way.best])}."
        )
        yield from _over_layers(way)
        return
    asked = [name for name in way.methods if name not in BASELINES]
    for cells, said in (
        (filtered, "With a, a* and b left out of the answers"),
        (honest, "Honest, where any word may be the answer"),
    ):
        if asked:
            best = max(asked, key=lambda name: cells[name][way.best].value or 0.0)
            row = cells[best][way.best]
            yield f"{said}, {best} is right most: {bracket(row)}{_beside(cells, way.best)}."


def _beside(cells: dict[str, dict[str, Row]], layer: str) -> str:
    found = [
        f"{name} {number(cells[name][layer].value)}"
        for name in BASELINES
        if name in cells and layer in cells[name]
    ]
    return f" ({', '.join(found)})" if found else ""


def _over_layers(way: Way) -> Iterator[str]:
    """Say at how many layers the first method is above ONLY-B, the nearest words to b alone."""
    filtered = way.cells("accuracy")
    only = filtered.get("ONLY-B", {})
    above = [
        layer
        for layer in way.layers
        if layer in only and _low(filtered[way.first][layer]) > (only[layer].value or 0.0)
    ]
    if only:
        where = (
            "every layer" if above == way.layers else f"{len(above)} of {len(way.layers)} layers"
        )
        yield f"{way.first} lies above what the nearest words to b alone give (ONLY-B) at {where}."


def _low(row: Row) -> float:
    return row.low if row.low is not None else (row.value or 0.0)


def _fallen(way: Way) -> Iterator[str]:
    fallen = way.cells("answers-b").get(way.first, {})
    values = shares([fallen.get(layer) for layer in way.layers])
    if values:
        low, high = number(min(values)), number(max(values))
        between = low if low == high else f"{low} to {high}"
        yield f"The honest answer of {way.first} is b itself in {between} of the questions."


def _relations(way: Way) -> Iterator[str]:
    rows = {
        name: of[way.first, "accuracy"]
        for name, of in way.relations(way.best).items()
        if (way.first, "accuracy") in of and of[way.first, "accuracy"].value is not None
    }
    if len(rows) < 2 * MOST_NAMED:
        return
    order = sorted(rows, key=lambda name: -(rows[name].value or 0.0))
    easy, hard = (
        ", ".join(f"{name} {number(rows[name].value)}" for name in names)
        for names in (order[:MOST_NAMED], order[::-1][:MOST_NAMED])
    )
    yield f"{way.first} answers most of {easy}; least of {hard}{_at(way)}."


def _directions(way: Way) -> Iterator[str]:
    if not way.measured:
        return
    found = way.relations(way.best)
    n = sum(is_direction(found[name]) for name in way.measured)
    yield (
        f"The offsets of {n} of {len(way.measured)} relations are more alike than those of "
        f"shuffled pairs{_at(way)}, where no more than 5 % of those named are expected to be "
        "named wrongly. That says that there is a direction, not that it is followed far: the "
        "scores beside the pictures say how far."
    )


def _at(way: Way) -> str:
    return f", at layer {way.best}" if len(way.layers) > 1 else ""
