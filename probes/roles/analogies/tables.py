"""Tables of a run of `probes roles analogies`, for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from probes.report.tables import grids
from probes.report.words import bracket, number
from probes.results import Results, Row
from probes.roles.analogies.rows import DECODER, OFFSETS

HEADS = {
    "accuracy": "accuracy",
    "accuracy-honest": "honest",
    "answers-a": "A",
    "answers-a*": "B",
    "answers-b": "C",
    "tied": "tied",
    "rival": "rival",
    "rival-honest": "rival, honest",
    "cosine": "cosine",
    "cosine-rival": "of rival",
    "apart": "apart",
    "exact": "decoded",
    "exact-rival": "rival decoded",
}
WITH_INTERVAL = ("accuracy", "exact")
NOTE = (
    "accuracy: D is answered, A, B and C left out; honest: any sequence may be the answer, and how "
    "often it is A, B or C. rival: the answer of right-to-left roles. tied: another vector is as "
    "good, and chance decides. cosine: of the two offsets; apart: how far D is from its rival, by "
    "the distance of two sequences. A bag of words obeys ltr and rtl alike, and has apart 0."
)


def tables(results: Results, width: int) -> Iterator[RenderableType]:
    """Lay out shares by layer and kind, a table a method, then offsets and what is decoded.

    Parameters
    ----------
    results : Results
        Of one run.
    width : int
        Of the console.

    Yields
    ------
    rich.console.RenderableType
        Titles, their tables, and what the columns mean.
    """
    rows = list(results)
    for method in dict.fromkeys(row.method for row in rows):
        if method not in (OFFSETS, DECODER):
            yield from _table(method, [row for row in rows if row.method == method], width)
    others = [row for row in rows if row.method in (OFFSETS, DECODER)]
    title = "Offsets and decoder" if any(row.method == DECODER for row in others) else "Offsets"
    yield from _table(title, others, width)
    alike = [_alike(row) for row in rows]
    yield from (Text(f"! {line}") for line in dict.fromkeys(line for line in alike if line))
    yield Text(NOTE, style="dim")


def _table(title: str, rows: Sequence[Row], width: int) -> Iterator[RenderableType]:
    lines: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        kind = str(json.loads(row.setting)["kind"])
        lines.setdefault((row.layer, kind), {})[row.metric] = row
    laid = [("kind", [kind for _, kind in lines])]
    if any(layer for layer, _ in lines):
        laid.insert(0, ("layer", [layer for layer, _ in lines]))
    keys = len(laid)
    found_of = {row.metric for row in rows}
    for metric, head in HEADS.items():
        if metric in found_of:
            laid.append((head, [_cell(found.get(metric)) for found in lines.values()]))
    yield Text(title, style="bold")
    yield from grids(laid, width, keys=keys, justify="right")


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    return bracket(row) if row.metric in WITH_INTERVAL else number(row.value)


def _alike(row: Row) -> str:
    """Say where sequences share their vectors, so that an answer is one of several."""
    of = json.loads(row.setting)
    if of["vectors"] == of["sequences"]:
        return ""
    where = f"layer {row.layer}, " if row.layer else ""
    return (
        f"{where}{of['kind']}: {of['sequences']:,} sequences have {of['vectors']:,} different "
        "vectors; an answer is a vector"
    )
