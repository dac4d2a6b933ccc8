"""What the pages about role schemes share: their templates, and an example's roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.report.plates import Grid
from probes.report.shell import Chart, render_page
from probes.roles.naming import TITLES
from probes.roles.pages.figure import tree_drawing


def page(template: str, charts: Mapping[str, Chart], **shown: Any) -> str:
    """Make the text of a page from a template of this room; as `render_page`."""
    return render_page(template, charts, package="probes.roles.pages", **shown)


def example_grid(example: Mapping[str, Any] | None) -> Grid | None:
    """Lay out the roles of a sequence, a row a scheme."""
    if not example:
        return None
    rows = [[TITLES.get(name, name), *roles] for name, roles in example["roles"].items()]
    return Grid("The role of each item under each scheme", ["scheme", *example["items"]], rows)


def example_tree(example: Mapping[str, Any] | None) -> str:
    """Draw the tree of a sequence; nothing where it has none."""
    if not example or not example["tree"]:
        return ""
    return tree_drawing(example["items"], example["tree"])
