"""Reads a page as a browser would that runs no script."""

from html.parser import HTMLParser
from pathlib import Path


class Reader(HTMLParser):
    """Collects tags, the cells of tables, and the text outside scripts, styles and drawings.

    ``tables`` are captions with their lines of cells, the heads first; ``captions`` are those of
    figures, by the id of what they stand below (``drawing`` of one that is no chart).
    """

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.captions: dict[str, str] = {}
        self._into: list[str] | None = None
        self._figure = ""
        self._in_cell = False
        self.feed(page.read_text(encoding="utf-8"))
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append("")
            self._in_cell = True
        if tag == "table":
            self.tables.append(("", []))
        if tag == "tr":
            self.tables[-1][1].append([])
        if tag == "figure":
            self._figure = "drawing"
        if tag == "div" and dict(attrs).get("class") == "chart":
            self._figure = str(dict(attrs)["id"])
        if tag in ("th", "td", "caption", "figcaption"):
            self._into = []
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"
        if tag in ("th", "td", "caption", "figcaption") and self._into is not None:
            text, self._into = "".join(self._into), None
            if tag == "figcaption":
                self.captions[self._figure] = text
            elif tag == "caption":
                self.tables[-1] = (text, self.tables[-1][1])
            else:
                self.tables[-1][1][-1].append(text)

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        elif self.cdata_elem is None:
            self.texts.append(data)
            if self._into is not None:
                self._into.append(data)
            if self._in_cell:
                self.cells[-1] += data
