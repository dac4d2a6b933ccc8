"""The table of substitution accuracies, ours beside the published one."""

from __future__ import annotations

import io
import json
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from probes.results import Results
from probes.roles.digits.config import AS_PUBLISHED
from probes.roles.digits.published import Name, agreement, as_published, claims, published, short

WIDTH = 120
"""Of the table as text: six schemes, three columns each."""


def cells_of(
    results: Results, method: str, metric: str = "substitution-accuracy"
) -> dict[Name, dict[str, float]]:
    """Take the mean accuracies over seeds.

    Parameters
    ----------
    results : Results
        Of `run_digits`.
    method : str
        ``tpdn-gradient`` or ``tpdn-additive``.
    metric : str
        ``substitution-accuracy``, or of tree decoders ``renumbered-accuracy``.

    Returns
    -------
    dict
        By network (encoder, decoder, task) and scheme, in the order of the results.
    """
    values: dict[Name, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in results.where(method=method, metric=metric):
        assert row.value is not None
        encoder, decoder = row.model.split("/")
        name = (encoder, decoder, row.task.removeprefix("digits/"))
        values[name][json.loads(row.setting)["scheme"]].append(row.value)
    return {name: {s: float(np.mean(v)) for s, v in row.items()} for name, row in values.items()}


@dataclass(frozen=True)
class DigitTable:
    """The table, for a rich console, with the number of cells that agree, and the paper's claims.

    Parameters
    ----------
    results : Results
        Of `run_digits`.
    """

    results: Results

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        ours = cells_of(self.results, "tpdn-gradient")
        yield Text("Substitution accuracy of digit networks (test)", style="bold")
        yield self._grid()
        seeds = {row.seed for row in self.results.where(method="tpdn-gradient")}
        of = "one seed" if len(seeds) == 1 else f"mean of {len(seeds)} seeds"
        yield Text(
            f"ours: tensor product decomposition by gradient, {of}; paper: "
            "McCoy et al. (2019); exact: least squares, one free vector a filler and role",
            style="dim",
        )
        yield Text(f"{agreement(ours)} of the paper's, of those it prints as neither 0 nor 1")
        renumbered = cells_of(self.results, "tpdn-gradient", "renumbered-accuracy")
        if (alike := as_published(ours, renumbered)) != ours:
            yield Text(
                f"{agreement(alike)}, if measured as the paper seems to: tree decoders go down the "
                "trees of digits renumbered, but under tree roles; for bi stands bi-published"
            )
        for claim in claims(ours):
            mark = "yes" if claim.holds else "NO "
            style = "" if claim.holds else "yellow"
            yield Text(f"{mark}  {claim.text}: {claim.because}", style=style)

    def _grid(self) -> Table:
        ours = cells_of(self.results, "tpdn-gradient")
        exact = cells_of(self.results, "tpdn-additive")
        renumbered = cells_of(self.results, "tpdn-gradient", "renumbered-accuracy")
        theirs = published()
        schemes = list(dict.fromkeys(scheme for row in ours.values() for scheme in row))
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for head in ("encoder/decoder", "task", "right", ""):
            grid.add_column(head)
        for scheme in schemes:
            grid.add_column(scheme, justify="right")
        right = {(row.model, row.task): row.value for row in self.results.where(method="network")}
        for name, row in ours.items():
            encoder, decoder, task = name
            in_paper = ("bi" if encoder == AS_PUBLISHED else encoder, decoder, task)
            accuracy = right[f"{encoder}/{decoder}", f"digits/{task}"]
            assert accuracy is not None
            first = (f"{encoder}/{decoder}", task, f"{accuracy:.4f}")
            lines = [("ours", row), ("paper", theirs[in_paper]), ("exact", exact[name])]
            if name in renumbered:
                lines.insert(1, ("renumbered", renumbered[name]))
            for number, (what, values) in enumerate(lines):
                shown = [short(values[s]) if s in values else "" for s in schemes]
                before = first if number == 0 else ("", "", "")
                grid.add_row(*before, what, *shown, style="dim" if number else None)
        return grid


def written(results: Results, width: int = WIDTH) -> str:
    """Write the table as plain text.

    Parameters
    ----------
    results : Results
        Of `run_digits`.
    width : int
        Number of columns.

    Returns
    -------
    str
        Without trailing blanks.
    """
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, color_system=None).print(DigitTable(results))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())
