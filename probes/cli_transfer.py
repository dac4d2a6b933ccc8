"""The commands that adapt a model: parse, make a dataclass, call the library once."""

from __future__ import annotations

from probes.flags import quieten, task_config


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
