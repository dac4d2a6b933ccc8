"""Tables of a run of `probes roles fit`, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group
from rich.text import Text

from probes.report.tables import grids
from probes.report.words import number
from probes.results import Results, Row
from probes.roles.pages.charts import cells_of

SHOWN = (
    ("tpdn-given", "r2", "R² of the encodings, given fillers"),
    ("tpdn-given", "r2-over-permuted", "R² above that of permuted roles, given fillers"),
    ("tpdn-additive", "r2", "R² of the encodings, a free vector a pair"),
    ("substitution", "agreement", "Substitution: agreement with the output of the sentence"),
    ("substitution", "kl-restored", "Substitution: 1 - KL(scheme) / KL(mean ablation)"),
    ("surgery", "kl-restored", "Surgery: 1 - KL(surgery) / KL(unedited)"),
    ("surgery-other-word", "kl-restored", "Surgery with another word: the same"),
)
"""Method, metric and title of each table."""

BESIDE = {
    ("substitution", "agreement"): ("mean-ablation", "agreement", "mean ablated"),
    ("substitution", "kl-restored"): ("mean-ablation", "kl", "KL, bits"),
    ("surgery", "kl-restored"): ("edited-state", "kl-restored", "edited state"),
}
"""Method, metric and head of a further column of a table, without its intervals."""


def tables(results: Results, width: int) -> Iterator[Group]:
    """Lay out the main numbers, a table each.

    Layers down, schemes across, with the longer arm of their 95 % intervals; at last what training
    lacked of the test sentences.

    Parameters
    ----------
    results : Results
        Of one run.
    width : int
        Of the console.

    Yields
    ------
    rich.console.Group
        A title and its table, of those of which there are any rows.
    """
    for method, metric, title in SHOWN:
        found = cells_of(results, method, metric)
        if not found:
            continue
        layers = list(dict.fromkeys(layer for rows in found.values() for layer in rows))
        heads, more = _heads(list(found))
        laid = [("layer", layers)]
        for head, rows in zip(heads, found.values(), strict=True):
            laid.append((head, [_cell(rows.get(layer)) for layer in layers]))
        if (method, metric) in BESIDE:
            other, measured, head = BESIDE[method, metric]
            rows = cells_of(results, other, measured).get("", {})
            laid.append((head, [_cell(rows.get(layer), arm=False) for layer in layers]))
        chosen = cells_of(results, method, "selected") if metric == "r2" else {}
        yield _titled(f"{title}{more}", laid, width, _selected(chosen))
    shares = [cells_of(results, "tpdn-given", f"unseen-{what}") for what in ("roles", "pairs")]
    heads, more = _heads(list(shares[0]))
    laid = [("scheme", heads)]
    for what, of in zip(("roles", "pairs"), shares, strict=True):
        first = [next(iter(rows.values())) for rows in of.values()]  # the same at every layer
        laid.append((what, [f"{row.value:.2%}" for row in first]))
    yield _titled(f"Unseen in training{more}", laid, width)


def _heads(schemes: Sequence[str]) -> tuple[list[str], str]:
    """Name the schemes by what they add to bow where they all do, which the title says then."""
    if all(name == "bow" or name.startswith("bow+") for name in schemes) and len(schemes) > 1:
        return [name.removeprefix("bow+") for name in schemes], " (each on top of bow)"
    return list(schemes), ""


def _selected(cells: Mapping[str, Mapping[str, Row]]) -> list[Text]:
    """Say which scheme has the fewest roles within one standard error of the best, and where."""
    found = {
        head: [layer for layer, row in rows.items() if row.value]
        for head, rows in zip(_heads(list(cells))[0], cells.values(), strict=True)
    }
    every = list(next(iter(cells.values()), {}))
    said = "; ".join(f"{head} at {_runs(ls, every)}" for head, ls in found.items() if ls)
    return [Text(f"fewest roles within one standard error of the best: {said}")] if said else []


def _runs(some: Sequence[str], every: Sequence[str]) -> str:
    """Name layers, of three and more that follow one another the first and the last alone."""
    runs: list[list[str]] = []
    for layer in some:
        if runs and every.index(layer) == every.index(runs[-1][-1]) + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(f"{r[0]} to {r[-1]}" if len(r) > 2 else ", ".join(r) for r in runs)


def _titled(
    title: str, laid: Sequence[tuple[str, Sequence[str]]], width: int, notes: Sequence[Text] = ()
) -> Group:
    return Group(Text(title, style="bold"), *grids(laid, width, justify="right"), *notes)


def _cell(row: Row | None, *, arm: bool = True) -> str:
    if row is None:
        return ""
    if row.value is None:
        return row.interval.partition(" ")[0]
    if not arm or row.low is None or row.high is None:
        return number(row.value)
    reach = max(row.high - row.value, row.value - row.low)
    return f"{number(row.value)}±{number(reach)}"
