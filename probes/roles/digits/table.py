"""The table of substitution accuracies, ours beside the published one."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
from rich.text import Text

from probes.report.tables import as_text, grids
from probes.results import Results
from probes.roles.digits.config import AS_PUBLISHED
from probes.roles.digits.published import Name, agreement, as_published, claims, published, short

WIDTH = 80
"""Of the table as text."""


def cells_of(
    results: Results, method: str, metric: str = "substitution-accuracy"
) -> dict[Name, dict[str, float]]:
    """Take accuracies, or other numbers: means over seeds.

    Parameters
    ----------
    results : Results
        Of `run_digits`.
    method : str
        ``tpdn-gradient`` or ``tpdn-additive``.
    metric : str
        ``substitution-accuracy``, or of tree decoders ``renumbered-accuracy``; or another number.

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


def agreements(results: Results) -> list[str]:
    """Say how many cells agree with the paper's, and how many if measured as it seems to."""
    ours = cells_of(results, "tpdn-gradient")
    said = [f"{agreement(ours)} of the paper's, of those it prints as neither 0 nor 1"]
    alike = as_published(ours, cells_of(results, "tpdn-gradient", "renumbered-accuracy"))
    if alike != ours:
        said.append(
            f"{agreement(alike)}, if measured as the paper seems to: tree decoders go down the "
            "trees of digits renumbered, but under tree roles; for bi stands bi-published"
        )
    return said


def in_paper(name: Name) -> Name:
    """Name the published network that ours stands beside."""
    encoder, decoder, task = name
    return ("bi" if encoder == AS_PUBLISHED else encoder, decoder, task)


def written(results: Results) -> str:
    """Write the table as plain text: our cells beside the paper's, and the paper's claims.

    Parameters
    ----------
    results : Results
        Of `run_digits`.

    Returns
    -------
    str
        In 80 columns, without trailing blanks.
    """
    seeds = {row.seed for row in results.where(method="tpdn-gradient")}
    of = "one seed" if len(seeds) == 1 else f"mean of {len(seeds)} seeds"
    notes = [
        f"ours: tensor product decomposition by gradient, {of}; paper: McCoy et al. (2019); "
        "exact: least squares, one free vector a filler and role",
        *agreements(results),
    ]
    for claim in claims(cells_of(results, "tpdn-gradient")):
        notes.append(f"{'yes' if claim.holds else 'NO '}  {claim.text}: {claim.because}")
    title = Text("Substitution accuracy of digit networks (test)")
    table = grids(_laid(results), WIDTH, keys=4, justify="right")
    return as_text([title, *table, *map(Text, notes)], WIDTH)


def _laid(results: Results) -> list[tuple[str, list[str]]]:
    """Lay out a column a scheme; of each network a line a kind of figure."""
    ours = cells_of(results, "tpdn-gradient")
    exact = cells_of(results, "tpdn-additive")
    renumbered = cells_of(results, "tpdn-gradient", "renumbered-accuracy")
    theirs = published()
    schemes = list(dict.fromkeys(scheme for row in ours.values() for scheme in row))
    right = {(row.model, row.task): row.value for row in results.where(method="network")}
    lines = []
    for name, row in ours.items():
        model, task = "/".join(name[:2]), name[2]
        figures = [("ours", row), ("paper", theirs[in_paper(name)]), ("exact", exact[name])]
        if name in renumbered:
            figures.insert(1, ("renumbered", renumbered[name]))
        first = [model, task, f"{right[model, f'digits/{task}']:.4f}"]
        for what, values in figures:
            shown = [short(values[s]) if s in values else "" for s in schemes]
            lines.append([*first, what, *shown])
            first = ["", "", ""]
    columns = zip(*lines, strict=True)
    heads = ["encoder/decoder", "task", "right", "", *schemes]
    return [(head, list(cells)) for head, cells in zip(heads, columns, strict=True)]
