"""The commands that adapt a model: parse, make a dataclass, call the library once."""

from __future__ import annotations

from pathlib import Path

from probes.flags import plain_config, quieten, task_config


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
    from probes.transfer.printed import print_training

    with Bars() as bars:
        results = run_train(config, bars)
    if results is not None:
        print_training(config.out, Path(config.out) / "report.html")


def wise(arguments: list[str]) -> None:
    """Run ``probes wise``; as `train`."""
    from probes.transfer.wise_job import WiseConfig, run_wise

    config = plain_config(WiseConfig, "wise", arguments)
    quieten()
    from probes.bars import Bars
    from probes.transfer.printed import print_wise

    with Bars() as bars:
        run_wise(config, bars)
    print_wise(config.out, Path(config.out) / "report.html")


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
