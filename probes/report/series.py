"""Numbers by layer, a line a name: methods, schemes, relations side by side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from probes.report.charts import layer_layout, plain
from probes.report.shell import Chart
from probes.report.words import bracket
from probes.results import Row

COLOURS = 8
"""How many ``series.html`` has: ``--s0`` … ``--s7``; after them they come again, dashed."""
_DASHES = ("solid", "dash", "longdash")  # dots are of controls
_BESIDE = "dashdot"
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "x", "cross", "star", "triangle-down")

Cells = dict[str, dict[str, Row]]
"""Rows by name and layer."""


def series_chart(
    cells: Cells,
    names: Sequence[str],
    layers: Sequence[str],
    title: str,
    *,
    faint: Mapping[str, Mapping[str, float]] | None = None,
    beside: Mapping[str, Mapping[str, Row]] | None = None,
) -> Chart:
    """Draw a number by layer, a line a name with its 95 % band; a gap where there is none.

    Parameters
    ----------
    cells : dict
        Rows by name and layer.
    names, layers : sequence of str
        Of the run: a name has the same colour in every figure.
    title : str
        Of the number.
    faint : mapping, optional
        A value by name and layer, drawn dotted in the colour of its line: its control.
    beside : mapping, optional
        Rows by name and layer, drawn in dashes and dots, in the colour of text.

    Returns
    -------
    dict
        For plotly.js.
    """
    data: list[Chart] = []
    drawn = [(place, name) for place, name in enumerate(names) if name in cells]
    for place, name in drawn:
        data += _bands(cells[name], layers, f"--s{place % COLOURS}-band")
    for place, name in drawn:
        rows = [cells[name].get(layer) for layer in layers]
        dash = _DASHES[place // COLOURS % len(_DASHES)]
        data.append(_line(name, rows, f"--s{place % COLOURS}", place, dash))
    for name, values in (faint or {}).items():
        data.append(_control(values, layers, names.index(name)))
    for name, found in (beside or {}).items():
        rows = [found.get(layer) for layer in layers]
        data.append(_line(name, rows, "--ink", 0, _BESIDE))
    return {"data": data, "layout": layer_layout([plain(layer) for layer in layers], title)}


def _line(name: str, rows: Sequence[Row | None], colour: str, place: int, dash: str) -> Chart:
    label = plain(name, 40)
    return {
        "x": list(range(len(rows))),
        "y": [row.value if row else None for row in rows],
        "name": label,
        "mode": "lines+markers",
        "text": [plain(bracket(row)) for row in rows],
        "hovertemplate": f"{label} %{{text}}<extra></extra>",
        "line": {"color": colour, "width": 2, "dash": dash},
        "marker": {"color": colour, "size": 7, "symbol": _SYMBOLS[place % len(_SYMBOLS)]},
    }


def _control(values: Mapping[str, float], layers: Sequence[str], place: int) -> Chart:
    return {
        "x": list(range(len(layers))),
        "y": [values.get(layer) for layer in layers],
        "mode": "lines",
        "line": {"color": f"--s{place % COLOURS}", "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _bands(found: Mapping[str, Row], layers: Sequence[str], colour: str) -> list[Chart]:
    """Draw intervals, a polygon a stretch of layers without a gap."""
    data: list[Chart] = []

    def is_there(place: int) -> bool:
        row = found.get(layers[place])
        return row is not None and row.low is not None and row.high is not None

    for there, stretch in itertools.groupby(range(len(layers)), is_there):
        if not there:
            continue
        places = list(stretch)
        rows = [found[layers[place]] for place in places]
        band: dict[str, Any] = {
            "x": places + places[::-1],
            "y": [row.high for row in rows] + [row.low for row in reversed(rows)],
            "fill": "toself",
            "mode": "lines",
            "line": {"width": 0},
            "fillcolor": colour,
            "hoverinfo": "skip",
            "showlegend": False,
        }
        data.append(band)
    return data
