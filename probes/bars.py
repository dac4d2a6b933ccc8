"""How far a run is: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Bars:
    """Progress bars on the terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Open a bar; without a terminal, say a line when it is done."""
        start = time.perf_counter()
        task = self._progress.add_task(title, total=total)
        yield lambda n: self._progress.advance(task, n)
        if not self._console.is_terminal:
            self.say(f"{title}: {total:,} in {time.perf_counter() - start:.1f} s")

    def say(self, line: str) -> None:
        """Say one line above the bars."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
