"""The table of a task: for the terminal, and as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from probes.report.summary import Summary, summarise
from probes.report.words import columns, constancy, footing, heading
from probes.results import Row

SEPARATOR = " · "


@dataclass(frozen=True)
class LayerTable:
    """The table of one task, for a rich console.

    Title line, one line a layer (the best in bold), footer, warnings. Where the console is narrow
    the heads break in two, and then the gaps between the columns shrink.

    Parameters
    ----------
    summary : Summary
        The task.
    """

    summary: Summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        summary, width = self.summary, options.max_width
        yield Text(_between(heading(summary), width), style="bold")
        if constant := constancy(summary):
            yield Text(constant, style="bold")
        else:
            best = next((k for k, line in enumerate(summary.lines) if line.best), None)
            yield from grids(columns(summary, wide=False), width, bold=best)
        yield Text(_between(footing(summary), width), style="dim")
        for warning in summary.info.get("warnings") or ():
            yield Text(f"! {warning}", style="yellow")


def grids(
    laid: Sequence[tuple[str, Sequence[str]]],
    width: int,
    *,
    keys: int = 1,
    justify: JustifyMethod = "left",
    bold: int | None = None,
) -> Iterator[Table]:
    """Lay out a table for a console, so that no cell wraps.

    Where the console is narrow the heads break in two; then the gaps between the columns shrink;
    then what has no room stands in a further table, beside the key columns again.

    Parameters
    ----------
    laid : sequence of (str, sequence of str)
        Head and cells of each column.
    width : int
        Of the console.
    keys : int
        How many of the first columns tell the rows apart.
    justify : str
        Of the other columns.
    bold : int, optional
        A row.

    Yields
    ------
    rich.table.Table
        One, if there is room.
    """
    if _width(laid, 2) > width:
        laid = [(head.replace(" ", "\n", 1), cells) for head, cells in laid]
    gap = 2 if _width(laid, 2) <= width else 1
    blocks = [list(laid[:keys])]
    for column in laid[keys:]:
        if len(blocks[-1]) > keys and _width([*blocks[-1], column], gap) > width:
            blocks.append(list(laid[:keys]))
        blocks[-1].append(column)
    for block in blocks:
        grid = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="dim")
        for place, (head, _) in enumerate(block):
            grid.add_column(head, vertical="bottom", justify="left" if place < keys else justify)
        for number, cells in enumerate(zip(*(cells for _, cells in block), strict=True)):
            grid.add_row(*map(Text, cells), style="bold" if number == bold else None)
        yield grid


def print_tables(summaries: Iterable[Summary], console: Console | None = None) -> None:
    """Print tables one after another, without colour where the output is no terminal.

    Parameters
    ----------
    summaries : iterable of Summary
        The tasks.
    console : rich Console, optional
        Where to; standard output by default.
    """
    console = Console(highlight=False) if console is None else console
    for part in _apart(summaries):
        console.print(part)


def print_run(page: Path) -> None:
    """Print the tables of a run that is done, and where its store and its page lie."""
    summaries = summarise([page.parent])
    print_tables(summaries)
    print(f"store: {summaries[0].run['store']}")
    print(f"report: {page}")


def to_text(summaries: Iterable[Summary], width: int = 80) -> str:
    """Write the terminal tables as plain text; as `as_text`."""
    return as_text(_apart(summaries), width)


def as_text(shown: Iterable[RenderableType], width: int = 80) -> str:
    """Write what a console would show as plain text.

    Parameters
    ----------
    shown : iterable of rich renderables
        One below the other.
    width : int
        Number of columns.

    Returns
    -------
    str
        Without trailing blanks.
    """
    out = io.StringIO()
    console = Console(
        file=out, width=width, color_system=None, highlight=False, legacy_windows=False
    )
    for part in shown:
        console.print(part)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _apart(summaries: Iterable[Summary]) -> Iterator[RenderableType]:
    for number, summary in enumerate(summaries):
        if number:
            yield ""
        yield LayerTable(summary)


def to_markdown(summaries: Iterable[Summary]) -> str:
    """Write wide tables, every number with its interval, as Markdown."""
    return "\n".join(_markdown(summary) for summary in summaries)


def to_csv(summaries: Iterable[Summary]) -> str:
    """Write all layers of all tasks as one CSV table, in full precision, one layer a line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    intervals = ("value", "second", "random_model", "over_random", "selectivity", "seen", "unseen")
    writer.writerow(
        ["run", "model", "task", "title", "layer", "best", "metric", "second_metric"]
        + [f"{name}{end}" for name in intervals for end in ("", "_low", "_high")]
        + ["control_mean", "control_sd", "control_draws", "n", "n_groups"]
    )
    for summary in summaries:
        run, info = summary.run, summary.info
        named = [run.get("run"), run.get("model"), summary.task, info.get("title")]
        for line in summary.lines:
            rows = (line.score, line.second, line.random, line.over_random, line.selectivity)
            control = line.control
            writer.writerow(
                [*named, line.layer, int(line.best), summary.metric, summary.second]
                + [cell for row in (*rows, line.seen, line.unseen) for cell in _triple(row)]
                + ([control.mean, control.sd, control.n] if control else [None] * 3)
                + ([line.score.n, line.score.n_groups] if line.score else [None] * 2)
            )
    return out.getvalue()


def to_latex(summaries: Iterable[Summary]) -> str:
    """Write wide tables for LaTeX with the package booktabs; every name is escaped."""
    return "\n".join(_latex(summary) for summary in summaries)


def _width(laid: Sequence[tuple[str, Sequence[str]]], gap: int) -> int:
    """Columns that a table takes; the last gap is nobody's."""
    cells = [max(map(cell_len, [*head.split("\n"), *cells])) for head, cells in laid]
    return sum(cells) + gap * (len(laid) - 1)


def _between(parts: Sequence[str], width: int) -> str:
    """Break a line of phrases between them and, where it can be helped, nowhere else."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}{SEPARATOR}{part}" if lines[-1] else part
        if lines[-1] and cell_len(longer) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _triple(row: Row | None) -> tuple[float | None, float | None, float | None]:
    return (row.value, row.low, row.high) if row else (None, None, None)


def _markdown(summary: Summary) -> str:
    laid = columns(summary, wide=True)
    rows = [[head for head, _ in laid], ["---"] * len(laid)]
    for line, cells in zip(summary.lines, zip(*(c for _, c in laid), strict=True), strict=True):
        rows.append([f"**{cell}**" if line.best else cell for cell in map(_escape_markdown, cells)])
    text = [f"**{_escape_markdown(SEPARATOR.join(heading(summary)))}**", ""]
    text += [f"| {' | '.join(row)} |" for row in rows]
    text += ["", _escape_markdown(SEPARATOR.join(footing(summary, wide=True))), ""]
    return "\n".join(text)


def _latex(summary: Summary) -> str:
    laid = columns(summary, wide=True)
    text = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{_escape_latex(SEPARATOR.join(heading(summary)))}}}",
        rf"\begin{{tabular}}{{{'l' * len(laid)}}}",
        r"\toprule",
        " & ".join(_escape_latex(head) for head, _ in laid) + r" \\",
        r"\midrule",
    ]
    for line, cells in zip(summary.lines, zip(*(c for _, c in laid), strict=True), strict=True):
        escaped = [_escape_latex(cell) for cell in cells]
        if line.best:
            escaped = [rf"\textbf{{{cell}}}" for cell in escaped]
        text.append(" & ".join(escaped) + r" \\")
    text += [
        r"\bottomrule",
        r"\end{tabular}",
        "",
        rf"\smallskip\footnotesize {_escape_latex(SEPARATOR.join(footing(summary, wide=True)))}",
        r"\end{table}",
        "",
    ]
    return "\n".join(text)


def _escape_markdown(text: str) -> str:
    """Escape what Markdown or HTML would read as markup; a bracket before a number stays."""
    escaped = re.sub(r"([\\`*_<>|#&~]|\[(?![-+.\d]))", r"\\\1", text)
    return escaped.replace("\n", " ")


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "·": r"$\cdot$",
    "²": r"$^2$",
    "–": "--",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{c: rf"\{c}" for c in "&%$#_{}"},
}


def _escape_latex(text: str) -> str:
    escaped = "".join(_LATEX.get(c, c) for c in text)
    return re.sub(r"(?<!\w)-(?=[.\d])", r"$-$", escaped)
