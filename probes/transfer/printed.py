"""What commands that adapt a model print at their end, and `probes report` again."""

from __future__ import annotations

from pathlib import Path


def print_training(folder: str | Path, page: Path) -> None:
    """Print the tables of a run of ``probes train``, and where its page is."""
    from rich.console import Console

    from probes.transfer.tables import load, tables

    console = Console(highlight=False)
    if found := load(folder):
        for table in tables(found[0]):
            console.print(table)
    print(f"report: {page}")


def print_wise(folder: str | Path, page: Path) -> None:
    """Print the tables of a run of ``probes wise``, and where its page is."""
    from rich.console import Console

    from probes.transfer.tables import load
    from probes.transfer.wise_tables import tables

    console = Console(highlight=False)
    if found := load(folder, "wise"):
        for table in tables(*found):
            console.print(table)
    print(f"report: {page}")
