"""The page of a run of `probes roles fit`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from probes.report.plates import Grid, Plate
from probes.report.series import Cells, series_chart
from probes.report.shell import Chart, typeset
from probes.report.words import GAP, bracket
from probes.results import Results, Row
from probes.roles.pages.charts import cells_of, scheme_of
from probes.roles.pages.parts import example_grid, example_tree, page
from probes.roles.pages.words import (
    METHODS,
    METRICS,
    caution,
    findings,
    head_words,
    pooling_words,
    unread,
)


def text_page(results: Results, run: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Make the text of the page.

    Parameters
    ----------
    results : Results
        Rows of the run.
    run : mapping
        ``run.json``.
    config : mapping
        ``config.yaml``.

    Returns
    -------
    str
        HTML.
    """
    layers = list(run["layers"])
    schemes = list(dict.fromkeys(scheme_of(row) for row in results.where(method="tpdn-given")))
    charts: dict[str, Chart] = {}
    return page(
        "text.html",
        charts,
        run=run,
        facts=_facts(results, run, config),
        name=Path(run["model"]).name,
        findings=[typeset(text) for text in findings(results, schemes, layers)],
        caution=typeset(caution(results)),
        fit=_fit_plates(results, schemes, layers, charts),
        bound=_bound_plate(results, schemes, layers, charts),
        substitution=_substitution_plates(results, schemes, layers, charts),
        surgery=_surgery_plates(results, schemes, layers, charts),
        unseen=_unseen(results, schemes, layers),
        example=example_grid(run.get("example")),
        tree=example_tree(run.get("example")),
        parts=_grids(results, layers),
        intervals=sorted({row.interval for row in results if row.low is not None}),
    )


def _facts(
    results: Results, run: Mapping[str, Any], config: Mapping[str, Any]
) -> list[tuple[str, str]]:
    sizes = ", ".join(f"{n:,} {split}" for split, n in run["n"].items())
    asked = {row.method: row.n for row in results if row.method in ("substitution", "surgery")}
    found = [
        ("model", f"{run['model']}, {run['n_layers']} blocks"),
        ("data", f"{run['title']}; {config['shortest']} to {config['longest']} words a sentence"),
        ("sentences", sizes),
        ("decomposed", f"of each sentence {pooling_words(run['pooling'])}, at every layer shown"),
        ("fillers", f"words, given by {config['components']} components of the model's embeddings"),
        ("read by", head_words(dict(run["head"]))),
        *((method, f"{n:,} test sentences") for method, n in asked.items()),
        ("seed", f"{config['seed']}, of permuted roles, random targets, draws and resamples"),
    ]
    found += [
        ("tied", f"{name} divides the words like {', '.join(others)}")
        for name, others in run.get("tied", {}).items()
    ]
    return [*found, *(("note", note) for note in run.get("notes", []))]


def _plate(
    charts: dict[str, Chart], anchor: str, chart: Chart, words: str, caption: str = ""
) -> Plate:
    charts[anchor] = chart
    return Plate(anchor, words, caption)


def _fit_plates(
    results: Results, schemes: Sequence[str], layers: Sequence[str], charts: dict[str, Chart]
) -> list[Plate]:
    own = cells_of(results, "tpdn-given", "r2")
    over = cells_of(results, "tpdn-given", "r2-over-permuted")
    control = {
        scheme: {
            layer: (row.value or 0.0) - (over[scheme][layer].value or 0.0)
            for layer, row in found.items()
            if layer in over[scheme]
        }
        for scheme, found in own.items()
        if scheme in over
    }
    plates = [
        _plate(
            charts,
            "r2",
            series_chart(own, schemes, layers, "R² (test)", faint=control),
            _words("R² of the encodings by layer", own),
            "R² of the test encodings by layer. Dotted, in the same colour: the same scheme with "
            "its roles permuted within each sentence (its R² less the difference in the table).",
        )
    ]
    if over:
        plates.append(
            _plate(
                charts,
                "over-permuted",
                series_chart(over, schemes, layers, "R² above permuted roles (test)"),
                _words("R² above permuted roles by layer", over),
                "What knowing who has which role is worth: R² above that of permuted roles, on "
                "the same resamples.",
            )
        )
    return plates


def _bound_plate(
    results: Results, schemes: Sequence[str], layers: Sequence[str], charts: dict[str, Chart]
) -> Plate | None:
    cells = cells_of(results, "tpdn-additive", "r2")
    if not cells:
        return None
    return _plate(
        charts,
        "additive",
        series_chart(cells, schemes, layers, "R², a free vector a pair (test)"),
        _words("R² with a free vector a pair by layer", cells),
        "No low rank and no given fillers bind these vectors: a scheme with more pairs has more to "
        "learn by heart. Pairs that training lacks add nothing, so that on test it may lie below "
        "the decomposition with given fillers.",
    )


def _substitution_plates(
    results: Results, schemes: Sequence[str], layers: Sequence[str], charts: dict[str, Chart]
) -> list[Plate]:
    agree = cells_of(results, "substitution", "agreement")
    if not agree:
        return []
    restored = cells_of(results, "substitution", "kl-restored")
    mean = cells_of(results, "mean-ablation", "agreement").get("", {})
    return [
        _plate(
            charts,
            "agreement",
            series_chart(agree, schemes, layers, "agreement", beside={"mean ablation": mean}),
            _words("Agreement by layer", agree),
            "Share of sentences to which the model's likeliest answer stays what it was. Mean "
            "ablation: every encoding is replaced by the mean of training.",
        ),
        _plate(
            charts,
            "restored",
            series_chart(restored, schemes, layers, "1 − KL ratio"),
            _words("1 − KL ratio by layer", restored),
            "1 − KL(decomposition) / KL(mean encoding): 1 is the model's own output, 0 no better "
            f"than the mean. {unread(results, 'substitution', layers)}",
        ),
    ]


def _surgery_plates(
    results: Results, schemes: Sequence[str], layers: Sequence[str], charts: dict[str, Chart]
) -> list[Plate]:
    own = cells_of(results, "surgery", "kl-restored")
    if not own:
        return []
    other = cells_of(results, "surgery-other-word", "kl-restored")
    control = {
        scheme: {layer: row.value for layer, row in found.items() if row.value is not None}
        for scheme, found in other.items()
    }
    most = cells_of(results, "edited-state", "kl-restored").get("", {})
    return [
        _plate(
            charts,
            "surgery",
            series_chart(
                own,
                schemes,
                layers,
                "1 − KL ratio",
                faint=control,
                beside={"edited state": most},
            ),
            _words("Surgery: 1 − KL ratio by layer", own),
            "1 − KL(surgery) / KL(unedited): 1 is the output of the edited sentence, 0 that of the "
            "unedited. Dotted, in the same colour: a third word is bound in place of the new one. "
            "Edited state: the edited sentence's own vector, the most that this layer can give. "
            f"{unread(results, 'surgery', layers)}",
        )
    ]


def _words(title: str, cells: Cells) -> str:
    """Say a chart to those who do not see it: each scheme's largest value."""
    parts = []
    for scheme, found in cells.items():
        rows = [row for row in found.values() if row.value is not None]
        if rows:
            best = max(rows, key=lambda row: row.value or 0.0)
            parts.append(f"{scheme} at most {bracket(best)}, at layer {best.layer}")
    return typeset(f"{title}; {'; '.join(parts)}.")


def _unseen(results: Results, schemes: Sequence[str], layers: Sequence[str]) -> Grid:
    """Lay out what training lacked, which is the same at every layer."""
    names = ("fillers", "roles", "pairs")
    cells = {name: cells_of(results, "tpdn-given", f"unseen-{name}") for name in names}
    rows = []
    for scheme in schemes:
        shares = [cells[name][scheme][layers[0]].value for name in names]
        rows.append([scheme, *(f"{100 * (share or 0.0):.2f} %" for share in shares)])
    return Grid(
        "Of the words of test sentences: shares whose filler, role, or pair of both training lacks",
        ["scheme", *names],
        rows,
    )


def _grids(results: Results, layers: Sequence[str]) -> list[tuple[str, list[Grid]]]:
    """Lay out every row: a part a method, a table a number, layers down, schemes across."""
    parts = []
    for method in dict.fromkeys(row.method for row in results):
        metrics = dict.fromkeys(row.metric for row in results.where(method=method))
        grids = [
            _grid(cells_of(results, method, metric), METRICS.get(metric, metric), layers)
            for metric in metrics
        ]
        parts.append((METHODS.get(method, method), grids))
    return parts


def _grid(cells: Cells, caption: str, layers: Sequence[str]) -> Grid:
    wanted = [layer for layer in ("", *layers) if any(layer in found for found in cells.values())]
    rows = [
        [layer or "none", *(_cell(found.get(layer)) for found in cells.values())]
        for layer in wanted
    ]
    return Grid(caption, ["layer", *(scheme or "value" for scheme in cells)], rows)


def _cell(row: Row | None) -> str:
    if row is None:
        return GAP
    return typeset(bracket(row)) if row.value is not None else row.interval.partition(" ")[0]
