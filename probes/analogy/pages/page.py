"""The page of a run of `probes analogy`, to be opened anywhere, without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from probes.analogy.methods import BASELINES
from probes.analogy.pages.charts import concentration_chart, method_chart, pairs_chart
from probes.analogy.pages.fans import fan_of, fans_drawing
from probes.analogy.pages.findings import findings
from probes.analogy.pages.tables import grids
from probes.analogy.pages.way import OFFSETS, Way, is_direction, ways
from probes.analogy.pictures import COLUMNS
from probes.analogy.tables import load
from probes.errors import InputError
from probes.files import write_whole
from probes.report.plates import Grid, Plate
from probes.report.series import series_chart
from probes.report.shell import Chart, render_page, typeset
from probes.report.words import number
from probes.results import Results

NAME = "report.html"
PICTURES = "pictures.parquet"
HOW = {
    "bare": "words alone",
    "template": "words in a template",
    "contexts": "means over contexts of a corpus",
    "": "word vectors",
}


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
    place = out / NAME if page_at is None else Path(page_at)
    if place.is_dir():
        raise InputError(f"{place} is a folder; name a file for the page, such as {NAME}")
    if not place.parent.is_dir():
        raise InputError(f"no folder {place.parent} for the page; make it, or name another")
    write_whole(place, render(*found, _pictures(out / PICTURES), _config(out)).encode())
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
    found = ways(results, run, pictures)
    sections = [
        _section(way, run, f"way-{k}", charts, len({w.space for w in found}) > 1)
        for k, way in enumerate(found)
    ]
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
    questions = f"{run['questions']:,} questions of {run['relations']} relations"
    words = sorted({one["words"] for one in run["spaces"]})
    return [
        ("vectors", str(run["model"])),
        ("set", f"{run['set']}: {questions}"),
        ("may be answers", f"{' or '.join(f'{n:,}' for n in words)} words"),
    ]


def _section(
    way: Way, run: Mapping[str, Any], anchor: str, charts: dict[str, Chart], say_space: bool
) -> _Section:
    of = way.spaces[0]
    title = HOW[way.how]
    plates = _plates(way, anchor, charts)
    found = way.relations(way.best)
    fans, shown = [], {}
    for name in way.measured:
        pairs = way.pictures[
            (way.pictures["layer"] == way.best) & (way.pictures["relation"] == name)
        ]
        scores = [number(found[name][OFFSETS, metric].value) for metric in ("ocs", "ocs-shuffled")]
        said = f"OCS {scores[0]} (shuffled {scores[1]})"
        fans.append(fan_of(name, typeset(said), pairs, is_direction(found[name])))
        shown[name] = pairs
    pairs_plate = None
    if shown:
        charts[f"{anchor}-pairs"] = pairs_chart(shown)
        pairs_plate = Plate(
            f"{anchor}-pairs",
            f"Words of {next(iter(shown))} in a plane, arrows from source to target.",
            "The words of a relation in the plane that holds most of their variance: an arrow from "
            "each source to its target. The menu chooses the relation; a point shows its pair.",
        )
    return _Section(
        anchor=anchor,
        title=f"{title}, {way.space} vectors" if say_space else title,
        size=_size(way, of, run),
        notes=list(dict.fromkeys(note for one in way.spaces for note in one["notes"])),
        findings=[typeset(text) for text in findings(way)],
        plates=plates,
        fans=fans_drawing(fans) if fans else "",
        fans_words=_fans_words(way),
        pairs=pairs_plate,
        grids=grids(way),
    )


def _size(way: Way, of: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    asked, n = of["questions_asked"], run["questions"]
    said = [f"{asked:,} of {n:,} questions asked"]
    if asked < n:
        said.append(f"{n - asked:,} lost: a word without a vector")
    if given := of["questions_given_away"]:
        said.append(f"{given:,} have no answer but a, a* or b")
    ends = [number(one["anisotropy"]) for one in (way.spaces[0], way.spaces[-1])]
    between = (
        ends[0] if len(way.spaces) == 1 else f"{ends[0]} at the first layer, {ends[1]} at the last"
    )
    return typeset(" · ".join([*said, f"anisotropy {between}"]))


def _plates(way: Way, anchor: str, charts: dict[str, Chart]) -> list[Plate]:
    filtered, honest = way.cells("accuracy"), way.cells("accuracy-honest")
    if len(way.layers) == 1:
        layer = way.best
        charts[f"{anchor}-accuracy"] = method_chart(
            {name: filtered[name][layer] for name in way.methods},
            {name: honest[name][layer] for name in way.methods},
        )
        caption = (
            "Accuracy by method, with a, a* and b left out of the answers and honest; bars are "
            "95 % intervals."
        )
        return [Plate(f"{anchor}-accuracy", caption, typeset(caption))]
    asked = [name for name in way.methods if name not in BASELINES]
    names = [*asked, *(name for name in BASELINES if name in way.methods)]
    faint = {
        name: {layer: row.value for layer, row in honest[name].items() if row.value is not None}
        for name in asked
    }
    charts[f"{anchor}-accuracy"] = series_chart(
        filtered, ["", *names], way.layers, "accuracy", faint=faint
    )
    caption = (
        "Accuracy by layer, a, a* and b left out of the answers, with 95 % intervals. Dotted, in "
        "the same colour: honest, where any word may be the answer."
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


def _fans_words(way: Way) -> str:
    at = f" at layer {way.best}, which answers most" if len(way.layers) > 1 else ""
    held = way.pictures[way.pictures["layer"] == way.best]["offsets_share"]
    share = f"{100 * held.min():.0f} to {100 * held.max():.0f} %" if len(held) else ""
    return (
        f"Each relation's offsets, target − source, from one origin{at}: blue where they are a "
        "direction, orange where the test says no such thing; grey, the same sources with "
        "others' targets, whose mean offset is the same. Most alike first, each at its own scale; "
        f"the planes hold {share} of what they show."
    )


def _pictures(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"no {path}; run `probes analogy` again, which draws the pictures")
    frame = pd.read_parquet(path)
    if lacking := [name for name in COLUMNS if name not in frame.columns]:
        raise InputError(f"{path} lacks {', '.join(lacking)}; run `probes analogy` again")
    return frame


def _config(out: Path) -> str:
    path = out / "config.yaml"
    if not path.is_file():
        raise InputError(f"no {path}: the run is not finished; run it again")
    return path.read_text(encoding="utf-8")
