"""The page of a run of `probes analogy`, to be opened anywhere, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from probes.analogy.captions import MEAN, anisotropy_of, asked_of, notes_of, plural
from probes.analogy.finished import load, load_config, load_pictures
from probes.analogy.offsets import OFFSETS
from probes.analogy.pages.charts import concentration_chart, method_chart, pairs_chart
from probes.analogy.pages.fans import fan_of, fans_drawing
from probes.analogy.pages.findings import LEFT_OUT, findings
from probes.analogy.pages.tables import grids
from probes.analogy.way import Way, is_direction, ways
from probes.errors import InputError
from probes.files import write_whole
from probes.report.plates import Grid, Plate
from probes.report.series import series_chart
from probes.report.shell import Chart, page_place, render_page, typeset
from probes.report.words import number
from probes.results import Results

HOW = {
    "bare": "words alone",
    "template": "words in a template",
    "contexts": "means over contexts of a corpus",
    "": "word vectors",
}
SPACES = {"as-is": "as they are"}


@dataclass(frozen=True)
class _Section:
    """What the template shows of one way of getting vectors."""

    anchor: str
    title: str
    size: str
    notes: list[str]
    findings: list[str]
    plates: list[Plate]
    fans: str
    fans_words: str
    pairs: Plate | None
    grids: list[Grid]


def write_page(out: str | Path, page_at: str | Path | None = None) -> Path:
    """Write the page of a run, whole or not at all.

    Parameters
    ----------
    out : str or Path
        Folder that ``probes analogy`` wrote.
    page_at : str or Path, optional
        Where; ``report.html`` in that folder by default.

    Returns
    -------
    Path
        The page: everything that it shows is in it, and it loads nothing.

    Raises
    ------
    InputError
        If the folder lacks a file, or holds another kind of run; or there is no place for the page.
    """
    out = Path(out)
    found = load(out)
    if found is None:
        raise InputError(f"{out} holds no finished run of `probes analogy`; name the folder of one")
    place = page_place(out, page_at)
    write_whole(place, render(*found, load_pictures(out), load_config(out)).encode())
    return place


def render(
    results: Results, run: Mapping[str, Any], pictures: pd.DataFrame, configuration: str
) -> str:
    """Make the text of the page.

    Parameters
    ----------
    results : Results
        Of one run.
    run : mapping
        Its ``run.json``.
    pictures : pandas.DataFrame
        Its ``pictures.parquet``.
    configuration : str
        Its ``config.yaml``.

    Returns
    -------
    str
        HTML, the same for the same run.
    """
    charts: dict[str, Chart] = {}
    found = ways(results, run)
    say_space = len({way.space for way in found}) > 1
    sections = []
    for k, way in enumerate(found):
        mine = pictures[(pictures["how"] == way.how) & (pictures["space"] == way.space)]
        at_best = mine[mine["layer"] == way.best]
        sections.append(_section(way, run, at_best, f"way-{k}", charts, say_space))
    about = {**run, "configuration": configuration, "seconds": {"in all": run["seconds"]}}
    return render_page(
        "analogy.html",
        charts,
        package="probes.analogy.pages",
        name=run["model"],
        facts=_facts(run),
        sections=sections,
        run=about,
    )


def _facts(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    questions = f"{plural(run['questions'], 'question')} of {plural(run['relations'], 'relation')}"
    words = sorted({one["words"] for one in run["spaces"]})
    return [
        ("vectors", str(run["model"])),
        ("set", f"{run['set']}: {questions}"),
        ("may be answers", f"{' or '.join(f'{n:,}' for n in words)} words"),
    ]


def _section(
    way: Way,
    run: Mapping[str, Any],
    pictures: pd.DataFrame,
    anchor: str,
    charts: dict[str, Chart],
    say_space: bool,
) -> _Section:
    title = HOW[way.how]
    by_relation = {name: pictures[pictures["relation"] == name] for name in way.measured}
    words = _fans_words(way, pictures)
    return _Section(
        anchor=anchor,
        title=f"{title}, {SPACES.get(way.space, way.space)}" if say_space else title,
        size=typeset(f"{asked_of(way, run)} · {anisotropy_of(way)}"),
        notes=notes_of(way),
        findings=[typeset(text) for text in findings(way)],
        plates=_plates(way, anchor, charts),
        fans=_fans(way, by_relation, words) if by_relation else "",
        fans_words=words,
        pairs=_pairs(by_relation, anchor, charts),
        grids=grids(way),
    )


def _fans(way: Way, pictures: Mapping[str, pd.DataFrame], words: str) -> str:
    found, fans = way.relations(way.best), []
    for name, pairs in pictures.items():
        scores = [number(found[name][OFFSETS, metric].value) for metric in ("ocs", "ocs-shuffled")]
        said = typeset(f"OCS {scores[0]} (shuffled {scores[1]})")
        fans.append(fan_of(name, said, pairs, is_direction(found[name])))
    return fans_drawing(fans, words)


def _pairs(
    pictures: Mapping[str, pd.DataFrame], anchor: str, charts: dict[str, Chart]
) -> Plate | None:
    if not pictures:
        return None
    charts[f"{anchor}-pairs"] = pairs_chart(pictures)
    return Plate(
        f"{anchor}-pairs",
        f"Words of {next(iter(pictures))} in a plane, arrows from source to target.",
        "The words of a relation in the plane that holds most of their variance: an arrow from "
        "each source to its target. The menu chooses the relation; a point shows its pair.",
    )


def _plates(way: Way, anchor: str, charts: dict[str, Chart]) -> list[Plate]:
    """Make the figures of accuracy, and over layers of how alike offsets are."""
    filtered, honest = way.cells("accuracy-macro"), way.cells("accuracy-honest-macro")
    if len(way.layers) == 1:
        charts[f"{anchor}-accuracy"] = method_chart(
            {name: filtered[name][way.best] for name in way.methods},
            {name: honest[name][way.best] for name in way.methods},
        )
        caption = (
            f"Accuracy by method, {LEFT_OUT} and honest; {MEAN}, each of which counts once, since "
            "some methods answer once a question and others once a pair. Bars are 95 % intervals."
        )
        return [Plate(f"{anchor}-accuracy", caption, typeset(caption))]
    faint = {
        name: {layer: row.value for layer, row in honest[name].items() if row.value is not None}
        for name in way.asked
    }
    charts[f"{anchor}-accuracy"] = series_chart(
        filtered, ["", *way.methods], way.layers, f"accuracy, {MEAN}", faint=faint
    )
    caption = (
        f"Accuracy by layer, {MEAN}, {LEFT_OUT}, with 95 % intervals. Dotted, in the same colour: "
        "honest, where any word may be the answer."
    )
    plates = [Plate(f"{anchor}-accuracy", caption, typeset(caption))]
    means = way.concentration()
    if means:
        charts[f"{anchor}-ocs"] = concentration_chart(
            means["ocs"], means["ocs-shuffled"], way.layers
        )
        caption = (
            "Offset concentration by layer: the mean cosine of two offsets of a relation, mean "
            "over relations. Dotted: where sources have the targets of others."
        )
        plates.append(Plate(f"{anchor}-ocs", caption, caption))
    return plates


def _fans_words(way: Way, pictures: pd.DataFrame) -> str:
    at = f" at layer {way.best}, which answers most" if len(way.layers) > 1 else ""
    held = 100 * pictures["offsets_share"]
    ends = list(dict.fromkeys(f"{share:.0f}" for share in (held.min(), held.max())))
    return (
        f"Each relation's offsets, target − source, from one origin{at}: blue where they are a "
        "direction, orange where the tests do not say so; grey, the same sources with others' "
        "targets, whose mean offset is the same. Those first that are most above shuffled ones, "
        f"each at its own scale; the planes hold {' to '.join(ends)} % of what they show."
    )
