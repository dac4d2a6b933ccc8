"""Tables of a run of `probes analogy`, for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from probes.report.tables import grids
from probes.report.words import number
from probes.results import Results, Row

SHOWN = (
    ("accuracy", "Accuracy, a, a* and b left out of the answers"),
    ("accuracy-honest", "Accuracy, honest: any word may be the answer"),
)
ON = ("a", "a*", "b")
COMMAND = "probes analogy"
ONCE = "3CosAvg, LRCos, linear and Procrustes answer once a pair; n counts questions."
MOST_RELATIONS = 20
"""More relations than this stand in the results alone; their offsets are laid out all the same."""


def load(out: str | Path) -> tuple[Results, dict[str, Any]] | None:
    """Load the results and the description of a finished run; None of another kind of run."""
    path = Path(out) / "run.json"
    if not path.is_file():
        return None
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(run, dict) or run.get("command") != COMMAND:
        return None
    return Results.load(Path(out) / "results.jsonl"), run


def tables(results: Results, run: dict[str, Any], width: int) -> Iterator[RenderableType]:
    """Lay out accuracies, a table a space and mode.

    Of static vectors relations (where they are few) and categories down, methods across, with the
    longer arm of their 95 % intervals; then on which words of the question honest answers fall. Of
    a model layers down.

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
    settings = [json.loads(row.setting) for row in results]
    ways = list(dict.fromkeys((of.get("how", ""), of["space"]) for of in settings))
    for how, space in ways:
        rows = [
            row
            for row, of in zip(results, settings, strict=True)
            if (of.get("how", ""), of["space"]) == (how, space)
        ]
        methods = list(dict.fromkeys(row.method for row in rows if row.method != "offsets"))
        yield _head(run, how, space)
        said = [how] if how else []
        said += [f"{space} vectors"] if len({space for _, space in ways}) > 1 else []
        more = f" ({', '.join(said)})" if said else ""
        if how:
            yield from _by_layer(rows, methods, more, width)
            continue
        for metric, title in SHOWN:
            yield _table(rows, methods, metric, f"{title}{more}", width)
        yield Text(ONCE)
        yield _fallen(rows, methods, f"Honest answers that are a word of the question{more}", width)
        yield _offsets(rows, f"How alike the offsets of a relation are{more}", width)


def _head(run: dict[str, Any], how: str, space: str) -> Text:
    """Say what was asked of which words, what was lost, and what a reader must know."""
    of = [one for one in run["spaces"] if (one["how"], one["space"]) == (how, space)]
    asked, n = of[0]["questions_asked"], run["questions"]
    anisotropy = [number(one["anisotropy"]) for one in of]
    between = anisotropy[0] if len(of) == 1 else f"{anisotropy[0]} to {anisotropy[-1]}"
    lines = [
        f"{run['set']} · {run['model']} · {of[0]['words']:,} words may be answers · anisotropy "
        f"{between}",
        f"{asked:,} of {n:,} questions asked"
        + (f" · {n - asked:,} lost: a word without a vector" if asked < n else ""),
    ]
    if given := of[0]["questions_given_away"]:
        lines[-1] += f" · {given:,} have no answer but a, a* or b"
    lines += [f"! {note}" for note in dict.fromkeys(note for one in of for note in one["notes"])]
    return Text("\n".join(lines))


def _by_layer(
    rows: Sequence[Row], methods: Sequence[str], more: str, width: int
) -> Iterator[Group]:
    """Lay out layers down: methods across over all questions, then categories under the first."""
    layers = list(dict.fromkeys(row.layer for row in rows))
    found: dict[tuple[str, str], dict[tuple[str, str], Row]] = {}
    n_directions = dict.fromkeys(layers, 0)
    for row in rows:
        of = json.loads(row.setting)
        if of["relation"] == "all":
            found.setdefault((row.metric, of["category"]), {})[row.layer, row.method] = row
        if row.metric == "direction":
            n_directions[row.layer] += int(row.value or 0)
    shown = [(metric, "all", title) for metric, title in SHOWN]
    shown.append(("answers-b", "all", "Honest answers that are b"))
    shown.append(
        (
            "accuracy",
            "single sub-tokens",
            "Accuracy, filtered likewise, of questions of single sub-tokens",
        )
    )
    for metric, category, title in shown:
        cells = found.get((metric, category), {})
        counts = {row.n for row in cells.values() if row.n}
        n = f", {max(counts):,}" if counts and category != "all" else ""
        laid = [("layer", layers)]
        laid += [(m, [_cell(cells.get((layer, m))) for layer in layers]) for m in methods]
        yield _titled(f"{title}{n}{more}", laid, width, keys=1)
    categories = [c for _, c in dict.fromkeys(found) if c not in ("all", "single sub-tokens")]
    laid = [("layer", layers)]
    for category in dict.fromkeys(categories):
        cells = found["accuracy", category]
        laid.append((category, [_cell(cells.get((layer, methods[0]))) for layer in layers]))
    laid.append(("directions", [str(n_directions[layer]) for layer in layers]))
    yield _titled(
        f"{methods[0]} by category, and relations whose offsets agree{more}", laid, width, 1
    )


def _table(
    rows: Sequence[Row], methods: Sequence[str], metric: str, title: str, width: int
) -> Group:
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.metric == metric:
            found.setdefault(_name(json.loads(row.setting)), {})[row.method] = row
    if sum(not name.startswith("all") for name in found) > MOST_RELATIONS:
        found = {name: of for name, of in found.items() if name.startswith("all")}
    names = list(found)
    n = [next(iter(of.values())) for of in found.values()]
    laid = [("relation", names), ("n", [f"{row.n:,}" for row in n])]
    for method in methods:
        laid.append((method, [_cell(of.get(method)) for of in found.values()]))
    return _titled(title, laid, width, keys=1)


def _fallen(rows: Sequence[Row], methods: Sequence[str], title: str, width: int) -> Group:
    by_metric = {(row.metric, row.method): row for row in rows}
    laid = [("word", list(ON))]
    for method in methods:
        cells = [by_metric.get((f"answers-{word}", method)) for word in ON]
        laid.append((method, [number(row.value) if row else "" for row in cells]))
    return _titled(title, laid, width, keys=1)


def _offsets(rows: Sequence[Row], title: str, width: int) -> Group:
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.method == "offsets":
            found.setdefault(json.loads(row.setting)["relation"], {})[row.metric] = row
    laid = [("relation", list(found)), ("pairs", [f"{of['ocs'].n:,}" for of in found.values()])]
    for metric, head in (("ocs", "OCS"), ("ocs-shuffled", "shuffled"), ("pcs", "PCS"), ("p", "p")):
        laid.append((head, [number(of[metric].value) for of in found.values()]))
    said = ["yes" if of["direction"].value else "no" for of in found.values()]
    return _titled(title, [*laid, ("direction", said)], width, keys=1)


def _name(setting: dict[str, Any]) -> str:
    """Name a relation, or a category or all relations together."""
    if setting["relation"] != "all":
        return str(setting["relation"])
    return "all" if setting["category"] == "all" else f"all {setting['category']}"


def _titled(title: str, laid: Sequence[tuple[str, Sequence[str]]], width: int, keys: int) -> Group:
    return Group(Text(title, style="bold"), *grids(laid, width, keys=keys, justify="right"))


def _cell(row: Row | None) -> str:
    if row is None or row.value is None:
        return ""
    if row.low is None or row.high is None:
        return number(row.value)
    return f"{number(row.value)}±{number(max(row.high - row.value, row.value - row.low))}"
