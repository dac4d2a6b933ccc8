"""Tables of a run of `probes roles fit`, for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator

from rich.table import Table

from probes.report.words import number
from probes.results import Results, Row

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
    ("substitution", "agreement"): (("mean-ablation", "agreement", "mean ablation"),),
    ("substitution", "kl-restored"): (("mean-ablation", "kl", "KL, bits"),),
    ("surgery", "kl-restored"): (("edited-state", "kl-restored", "edited state"),),
}
"""Further columns of a table."""


def tables(results: Results) -> Iterator[Table]:
    """Lay out the main numbers, a table each: layers down, schemes across, with the longer
    arm of their 95 % intervals.

    Parameters
    ----------
    results : Results
        Of one run.

    Yields
    ------
    rich.table.Table
        Those of which there are any rows.
    """
    for method, metric, title in SHOWN:
        rows = results.where(method=method, metric=metric)
        if not len(rows):
            continue
        schemes = list(dict.fromkeys(_scheme(row) for row in rows))
        beside = BESIDE.get((method, metric), ())
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        table.add_column("layer", justify="right")
        for name in (*schemes, *(name for *_, name in beside)):
            table.add_column(name, justify="right", overflow="fold")
        cells = {(row.layer, _scheme(row)): _cell(row) for row in rows}
        for other, measured, name in beside:
            for row in results.where(method=other, metric=measured):
                cells[row.layer, name] = _cell(row)
        names = [*schemes, *(name for *_, name in beside)]
        for layer in dict.fromkeys(row.layer for row in rows):
            table.add_row(layer, *(cells.get((layer, name), "") for name in names))
        yield table


def unseen_table(results: Results) -> Table:
    """Lay out what training lacked of the test sentences, by scheme."""
    table = Table(title="Unseen in training", title_justify="left", box=None, pad_edge=False)
    for name in ("scheme", "roles", "pairs"):
        table.add_column(name, justify="right")
    found: dict[str, dict[str, str]] = {}
    for row in results.where(method="tpdn-given"):
        if row.metric.startswith("unseen-"):
            found.setdefault(_scheme(row), {})[row.metric] = f"{row.value:.2%}"
    for scheme, shares in found.items():
        table.add_row(scheme, shares["unseen-roles"], shares["unseen-pairs"])
    return table


def _scheme(row: Row) -> str:
    return str(json.loads(row.setting).get("scheme", "")) if row.setting else ""


def _cell(row: Row) -> str:
    if row.value is None:
        return row.interval.partition(" ")[0]
    if row.low is None or row.high is None:
        return number(row.value)
    reach = max(row.high - row.value, row.value - row.low)
    return f"{number(row.value)} ±{number(reach)}"
