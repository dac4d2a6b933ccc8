"""Reads a page as a browser would that runs no script."""

from html.parser import HTMLParser
from pathlib import Path


class Reader(HTMLParser):
    """Collects tags, the cells of tables, and the text outside scripts, styles and drawings."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._in_cell = False
        self.feed(page.read_text(encoding="utf-8"))
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "td":
            self.cells.append("")
            self._in_cell = True
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] += data
        elif self.cdata_elem is None:
            self.texts.append(data)
            if self._in_cell:
                self.cells[-1] += data
