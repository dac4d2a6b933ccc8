"""The rows of a run of role schemes, by scheme and layer."""

from __future__ import annotations

import json

from probes.report.series import Cells
from probes.results import Results, Row


def scheme_of(row: Row) -> str:
    """Read a row's scheme; empty where it has none."""
    return str(json.loads(row.setting).get("scheme", "")) if row.setting else ""


def cells_of(results: Results, method: str, metric: str) -> Cells:
    """Gather one number by scheme and layer, in the order of the rows."""
    cells: Cells = {}
    for row in results.where(method=method, metric=metric):
        cells.setdefault(scheme_of(row), {})[row.layer] = row
    return cells
