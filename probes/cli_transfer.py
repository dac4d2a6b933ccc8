"""The commands that adapt a model: parse, make a dataclass, call the library once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probes.flags import plain_config, quieten, task_config

if TYPE_CHECKING:
    from pathlib import Path


def train(arguments: list[str]) -> None:
    """Run ``probes train``.

    Parameters
    ----------
    arguments : list of str
        What stands behind ``train``.

    Raises
    ------
    InputError
        If it was given what it cannot use.
    """
    from probes.transfer.config import TrainConfig

    config = task_config(TrainConfig, "train", arguments)
    quieten()
    from probes.bars import Bars
    from probes.transfer.job import run_train

    with Bars() as bars:
        results = run_train(config, bars)
    if results is not None:
        print_training(config.out)


def print_training(folder: str) -> bool:
    """Print the tables of a run of ``probes train``, if the folder holds one.

    Parameters
    ----------
    folder : str
        Of the run.

    Returns
    -------
    bool
        Whether it does.
    """
    from rich.console import Console

    from probes.transfer.tables import load, tables

    if (results := load(folder)) is None:
        return False
    for table in tables(results):
        Console(highlight=False).print(table)
    print(f"results: {folder}")
    return True


def wise(arguments: list[str]) -> None:
    """Run ``probes wise``; as `train`."""
    from probes.transfer.wise_job import WiseConfig, run_wise

    config = plain_config(WiseConfig, "wise", arguments)
    quieten()
    from pathlib import Path

    from probes.bars import Bars

    with Bars() as bars:
        run_wise(config, bars)
    _print_wise(config.out, Path(config.out) / "report.html")


def report_wise(folder: str, page_at: str | None) -> bool:
    """Make the page of a run of ``probes wise`` again, if the folder holds one; print its tables.

    Parameters
    ----------
    folder : str
        Of the run.
    page_at : str or None
        Where the page goes; in the run's folder by default.

    Returns
    -------
    bool
        Whether it does.
    """
    from probes.transfer.wise_page import is_wise, write_page

    if not is_wise(folder):
        return False
    _print_wise(folder, write_page(folder, page_at))
    return True


def _print_wise(folder: str, page: Path) -> None:
    from pathlib import Path

    from rich.console import Console

    from probes.transfer.wise_page import load_wise
    from probes.transfer.wise_tables import tables

    console = Console(highlight=False)
    for table in tables(*load_wise(Path(folder))):
        console.print(table)
    print(f"report: {page}")


def toy(arguments: list[str]) -> None:
    """Run ``probes toy``.

    Parameters
    ----------
    arguments : list of str
        What stands behind ``toy``.

    Raises
    ------
    InputError
        If it was given what it cannot use.
    """
    from probes.transfer.toy_job import ToyConfig, run_toy, toy_table

    config = plain_config(ToyConfig, "toy", arguments)
    from rich.console import Console

    Console(highlight=False).print(toy_table(run_toy(config)))
    print(f"results: {config.out}")
