"""What every page has: its look, its scripts, and the figures in it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from probes.errors import InputError

Chart = dict[str, Any]

PAGE = "report.html"

_SHARED = ("shell.html", "series.html", "macros.html")


def render_page(
    template: str, charts: Mapping[str, Chart], *, package: str = "probes.report", **shown: Any
) -> str:
    """Make the text of a page from a template.

    Parameters
    ----------
    template : str
        File in the package. It may extend ``shell.html`` or ``series.html`` (which has a colour for
        each line of `probes.report.series`), and import ``macros.html``.
    charts : mapping of str to dict
        Figures for plotly.js, by the id of their place in the page.
    package : str
        Where the template lies; what all pages share lies here.
    **shown
        What the template shows.

    Returns
    -------
    str
        HTML with plotly.js and every figure in it, which loads nothing.
    """
    import jinja2
    from plotly.offline import get_plotlyjs

    def source(name: str) -> str:
        place = "probes.report" if name in _SHARED else package
        return resources.files(place).joinpath(name).read_text(encoding="utf-8")

    room = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(source),
    )
    return room.get_template(template).render(
        **shown,
        # A figure's names may hold `</script>`: no angle bracket may stand in the data.
        charts=_inert(charts),
        plotly_js=get_plotlyjs(),
    )


def page_place(folder: str | Path, page_at: str | Path | None) -> Path:
    """Say where a run's page goes.

    Parameters
    ----------
    folder : str or Path
        Of the run.
    page_at : str or Path, optional
        Where it is wanted; `PAGE` in the run's folder if None.

    Returns
    -------
    Path
        A file, in a folder that exists.

    Raises
    ------
    InputError
        If it is a folder, or its folder is not there.
    """
    place = Path(folder) / PAGE if page_at is None else Path(page_at)
    if place.is_dir():
        raise InputError(f"{place} is a folder; name a file for the page, such as {PAGE}")
    if not place.parent.is_dir():
        raise InputError(f"no folder {place.parent} for the page; make it, or name another")
    return place


def typeset(text: str) -> str:
    """Give figures a minus for a hyphen, and keep together what belongs together."""
    text = re.sub(r"(?<!\w)-(?=\.?\d)", "−", text)
    return text.replace("95 %", "95\u00a0%").replace("± ", "±\u00a0")


def _inert(charts: Mapping[str, Chart]) -> str:
    text = json.dumps(charts, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text
