"""One HTML page from any set of runs, to be opened anywhere, without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes.errors import InputError
from probes.files import write_whole
from probes.report.answers import Answers, answers
from probes.report.charts import MOST_NUMBERED, confusion_chart, layer_chart, value_chart
from probes.report.shell import Chart, page_place, render_page, typeset
from probes.report.summary import METRIC_NAMES, Summary, summarise
from probes.report.words import (
    bracket,
    columns,
    constancy,
    findings,
    footing,
    heading,
    number,
    spread,
)


@dataclass(frozen=True)
class _Section:
    """What the template shows of one task."""

    anchor: str
    heading: Sequence[str]
    summary: Summary
    metric: str
    best: str
    constant: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    footing: Sequence[str]
    findings: Sequence[str]
    curve: str
    control: str
    answers: Answers | None
    answered: str


def write_page(folders: Iterable[str | Path], out_path: str | Path) -> Path:
    """Write one offline HTML page about all tasks of some runs, whole or not at all.

    Parameters
    ----------
    folders : iterable of str or Path
        Folders that ``probes probe`` wrote.
    out_path : str or Path
        The page.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If a folder or a file of it is not there, or is not what a run writes; or if the folder of
        the page is not there.
    """
    out_path = page_place("", out_path)
    write_whole(out_path, render(summarise(folders)).encode())
    return out_path


def render(summaries: Sequence[Summary]) -> str:
    """Make the text of the page.

    Parameters
    ----------
    summaries : sequence of Summary
        The tasks.

    Returns
    -------
    str
        HTML with plotly.js and every figure in it; the same for the same runs.
    """
    charts: dict[str, Chart] = {}
    sections = [_section(summary, place, charts) for place, summary in enumerate(summaries)]
    return render_page("page.html", charts, sections=sections, runs=_runs(summaries))


def _section(summary: Summary, place: int, charts: dict[str, Chart]) -> _Section:
    anchor = f"task-{place}"
    constant = constancy(summary)
    found = None if constant else answers(summary)
    if not constant:
        charts[f"{anchor}-curve"] = layer_chart(summary)
    if found is not None:
        chart = value_chart if len(found.gold) else confusion_chart
        charts[f"{anchor}-answers"] = chart(found)
    laid = columns(summary, wide=True)
    return _Section(
        anchor=anchor,
        heading=heading(summary),
        summary=summary,
        metric=METRIC_NAMES.get(summary.metric, summary.metric),
        best=typeset(bracket(summary.best.score)) if summary.best else "",
        constant=constant,
        heads=[typeset(head) for head, _ in laid],
        rows=[[typeset(cell) for cell in row] for row in zip(*(c for _, c in laid), strict=True)],
        footing=footing(summary, wide=True),
        findings=findings(summary),
        curve=_curve_words(summary),
        control=_control_name(summary),
        answers=found,
        answered=_answers_words(summary, found),
    )


def _control_name(summary: Summary) -> str:
    if not any(line.control for line in summary.lines):
        return ""
    return "permuted labels" if summary.permuted else "control task"


def _curve_words(summary: Summary) -> str:
    metric = METRIC_NAMES.get(summary.metric, summary.metric)
    text = f"{metric} on test, by layer"
    ends = [line for line in summary.lines if line.score and line.score.value is not None]
    if ends:
        text += "; " + ", ".join(
            f"layer {line.layer}: {number(line.score.value)}" for line in ends if line.score
        )
    best = summary.best
    if best is not None and best.control is not None:
        text += f"; {_control_name(summary)} at layer {best.layer}: {spread(best.control)}"
    beside = [f"{name} {number(row.value)}" for name, row in summary.baselines.items()]
    return text + (f"; baselines: {', '.join(beside)}." if beside else ".")


def _answers_words(summary: Summary, found: Answers | None) -> str:
    if found is None:
        return ""
    if len(found.gold):
        return f"Predicted against gold values of {len(found.gold):,} test {summary.unit}."
    text = "Share of each gold class (row) that was answered by each class (column)"
    if found.n_classes > len(found.classes):
        text += f"; the {len(found.classes)} most frequent of {found.n_classes} classes"
    return text + ("; numbers are per cent." if len(found.classes) <= MOST_NUMBERED else ".")


def _runs(summaries: Sequence[Summary]) -> list[tuple[str, Mapping[str, Any], str]]:
    """Each run once: an anchor, ``run.json``, and the configuration as text."""
    found: dict[Path, Mapping[str, Any]] = {}
    for summary in summaries:
        found.setdefault(summary.folder, summary.run)
    return [
        (f"run-{place}", run, _config(folder)) for place, (folder, run) in enumerate(found.items())
    ]


def _config(folder: Path) -> str:
    path = folder / "config.yaml"
    if not path.is_file():
        raise InputError(f"no {path}: the run is not finished; run `probes probe` again")
    return path.read_text(encoding="utf-8")
