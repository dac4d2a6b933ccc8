"""What stands out in a run of `probes analogy`, in words, each number beside its control."""

from __future__ import annotations

from collections.abc import Iterator

from probes.analogy.captions import MEAN, listed, plural, unmeasured_of
from probes.analogy.methods import BASELINES, ONLY_B, counted
from probes.analogy.way import Way
from probes.report.series import Cells
from probes.report.words import bracket, number
from probes.results import Row

MOST_NAMED = 3
"""Relations named as the easiest, and as the hardest."""

LEFT_OUT = "with a, a* and b left out of the answers"


def findings(way: Way) -> list[str]:
    """Say what stands out in one way of getting vectors.

    Parameters
    ----------
    way : Way
        Its rows.

    Returns
    -------
    list of str
        Sentences: how much is answered and where, beside the baselines and honestly; on what the
        honest answers fall; which relations are easy, which hard; how many are directions, and
        which are not measured.
    """
    answered = _over_layers(way) if len(way.layers) > 1 else _by_method(way)
    return [*answered, *_fallen(way), *_relations(way), *_directions(way), *unmeasured_of(way)]


def _over_layers(way: Way) -> Iterator[str]:
    filtered, honest = way.cells("accuracy-macro"), way.cells("accuracy-honest-macro")
    first = way.first
    beside = _beside(filtered, way.best, [name for name in BASELINES if name != first])
    yield (
        f"Layer {way.best} answers most by {first}: {bracket(filtered[first][way.best])}, {MEAN}, "
        f"{LEFT_OUT}{beside}; honest, where any word may be the answer, "
        f"{bracket(honest[first][way.best])}. The layer is chosen by the same questions, which "
        "flatters it."
    )
    over = way.cells("accuracy-over-only-b").get(first)
    if over is None:
        return
    above = [layer for layer in way.layers if layer in over and (over[layer].low or 0.0) > 0]
    n = len(way.layers)
    where = {0: f"none of {n} layers", n: "every layer"}.get(
        len(above), f"{len(above)} of {n} layers"
    )
    yield (
        f"{first} lies above what the nearest words to b alone give (ONLY-B) at {where}, by the "
        "95 % interval of the difference."
    )


def _by_method(way: Way) -> Iterator[str]:
    for metric, said in (
        ("accuracy-macro", "With a, a* and b left out of the answers"),
        ("accuracy-honest-macro", "Honest, where any word may be the answer"),
    ):
        cells = way.cells(metric)
        rows = {name: cells[name][way.best] for name in way.methods}
        yield f"{said}, {_ranked(way, rows)}{_beside(cells, way.best, _others(way))}."


def _ranked(way: Way, rows: dict[str, Row]) -> str:
    """Name the methods that are right most, or say that none is above the baselines."""
    values = {name: row.value or 0.0 for name, row in rows.items()}
    if not way.asked:
        return f"the baseline {way.first} is right in {bracket(rows[way.first])}, {MEAN}"
    most = max(values[name] for name in way.asked)
    best = [name for name in way.asked if values[name] == most]
    baseline = max((name for name in rows if name in BASELINES), key=values.__getitem__, default="")
    if baseline and values[baseline] >= most:
        what = f"{way.asked[0]} is not" if len(way.asked) == 1 else "no method is"
        verb = "has" if len(best) == 1 else "have"
        return (
            f"{what} right more often than the baseline {baseline}: {listed(best)} {verb} "
            f"{bracket(rows[best[0]])}, {MEAN}"
        )
    are = "is" if len(best) == 1 else "are"
    most_of = " most" if len(way.asked) > 1 else ""
    return f"{listed(best)} {are} right{most_of}: {bracket(rows[best[0]])}, {MEAN}"


def _others(way: Way) -> list[str]:
    return [name for name in BASELINES if name != way.first]


def _beside(cells: Cells, layer: str, names: list[str]) -> str:
    found = [
        f"{name} {number(cells[name][layer].value)}"
        for name in names
        if name in cells and layer in cells[name]
    ]
    return f" ({', '.join(found)})" if found else ""


def _fallen(way: Way) -> Iterator[str]:
    fallen = way.cells("answers-b").get(way.first, {})
    values = [row.value for row in fallen.values() if row.value is not None]
    if values and way.first != ONLY_B:
        low, high = number(min(values)), number(max(values))
        between = low if low == high else f"{low} to {high}"
        layers = ", by layer" if low != high else ""
        yield (
            f"The honest answer of {way.first} is b itself in {between} of the "
            f"{counted(way.first)}{layers}."
        )


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
    n, n_measured = way.directions(way.best), len(way.measured)
    if not n:
        yield (
            f"No relation, of {n_measured:,} measured, has offsets of one direction{_at(way)}: "
            "they would be more alike than where any target may stand beside any source, and than "
            "where they are turned round at random."
        )
        return
    yield (
        f"In {n:,} of {plural(n_measured, 'relation')} the offsets have one direction{_at(way)}: "
        "more alike than where any target may stand beside any source, and than where they are "
        "turned round at random; of those named, no more than 5 % are expected to be named "
        "wrongly. That says that there is a direction, not that it is followed far: the scores "
        "beside the pictures say how far."
    )


def _at(way: Way) -> str:
    return f", at layer {way.best}" if len(way.layers) > 1 else ""
