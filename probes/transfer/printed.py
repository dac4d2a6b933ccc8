"""What commands that adapt a model print at their end, and `probes report` again."""

from __future__ import annotations

from pathlib import Path


def print_training(folder: str | Path, page: Path) -> None:
    """Print the tables of a run of ``probes train``, and where its page is."""
    from rich.console import Console

    from probes.transfer.tables import load, tables

    console = Console(highlight=False)
    if results := load(str(folder)):
        for table in tables(results):
            console.print(table)
    print(f"report: {page}")


def print_wise(folder: str | Path, page: Path) -> None:
    """Print the tables of a run of ``probes wise``, and where its page is."""
    from rich.console import Console

    from probes.transfer.wise_page import load_wise
    from probes.transfer.wise_tables import tables

    console = Console(highlight=False)
    for table in tables(*load_wise(Path(folder))):
        console.print(table)
    print(f"report: {page}")
