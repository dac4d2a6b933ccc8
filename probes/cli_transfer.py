"""The commands that adapt a model: parse, make a dataclass, call the library once."""

from __future__ import annotations

from probes.flags import plain_config


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
