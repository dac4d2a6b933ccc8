"""The commands ``probes roles …``: parse, make a dataclass, call the library once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from probes.errors import unknown
from probes.flags import asks_help, plain_config, quieten, require_words, take, task_config

COMMANDS = {
    "show": "print the roles of a sequence under each scheme",
    "probe": "probe every layer of a model for the roles of words",
    "fit": "decompose the sentence encodings of a model, by layer and scheme",
    "digits": "teach digit networks, decompose them, and let their decoders read the result",
    "analogies": "solve analogies that tell role schemes apart, by vector arithmetic",
    "vectors": "decompose encodings that were made elsewhere",
}
HELP = f"""usage: probes roles COMMAND [options]

{chr(10).join(f"  {name:9} {what}" for name, what in COMMANDS.items())}

Schemes: ltr, rtl, bi, bow; wickel, previous, next (of an annotation: wickel:upos); tree (of
digits), tree:parse, tree:right, tree:left, tree:balanced, tree:random; sums (ltr+rtl) and products
(ltr*next:upos) of them. probes roles COMMAND --help shows the options of a command.
"""
SHOW = 'probes roles show "3 1 1 6" ["5 2 3 1 9 7" …] [--schemes ltr,wickel,…]'


def roles(arguments: list[str]) -> None:
    """Run a command of ``probes roles``.

    Parameters
    ----------
    arguments : list of str
        What stands behind ``roles``.

    Raises
    ------
    InputError
        If there is no such command, or it was given what it cannot use.
    """
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP, end="")
    elif arguments[0] in COMMANDS:
        {
            "show": _show,
            "probe": _probe,
            "fit": _fit,
            "digits": _digits,
            "analogies": _analogies,
            "vectors": _vectors,
        }[arguments[0]](arguments[1:])
    else:
        raise unknown("command of probes roles", arguments[0], COMMANDS)


def _show(arguments: list[str]) -> None:
    if asks_help(arguments, SHOW):
        print('A sequence in brackets brings its own tree: "(S (NP the dog) (VP barks))".')
        return
    schemes, rest = take(arguments, "--schemes")
    require_words(rest, SHOW, ["--schemes", "--help"])
    from probes.roles.show import role_table

    if all(len(argument.split()) == 1 for argument in rest):
        rest = [" ".join(rest)]  # the items of one sequence, each an argument
    print(role_table(rest, None if schemes is None else schemes.split(",")), end="")


def _probe(arguments: list[str]) -> None:
    from probes.configs import RolesProbeConfig

    config = task_config(RolesProbeConfig, "roles probe", arguments)
    quieten()
    from probes.bars import Bars
    from probes.report.tables import print_run
    from probes.roles.text.probe_job import run_roles_probe

    with Bars() as bars:
        page = run_roles_probe(config, bars)
    if page is not None:
        print_run(page)


def _fit(arguments: list[str]) -> None:
    from probes.roles.text.settings import RolesTextConfig

    config = task_config(RolesTextConfig, "roles fit", arguments)
    quieten()
    from rich.console import Console

    from probes.bars import Bars
    from probes.results import Results
    from probes.roles.text.job import run_text
    from probes.roles.text.tables import tables

    with Bars() as bars:
        out = run_text(config, bars)
    console = Console(highlight=False)
    for table in tables(Results.load(out / "results.jsonl"), console.width):
        console.print(table)
    _say_where(out)


def _digits(arguments: list[str]) -> None:
    from probes.roles.digits.config import DigitsConfig

    config = plain_config(DigitsConfig, "roles digits", arguments)
    from probes.bars import Bars
    from probes.roles.digits.job import run_digits

    with Bars() as bars:
        out = run_digits(config, bars)
    print((out / "table.txt").read_text(encoding="utf-8"), end="")
    _say_where(out)


def _analogies(arguments: Sequence[str]) -> None:
    from probes.roles.analogies.job import AnalogiesConfig, run_analogies

    config = plain_config(AnalogiesConfig, "roles analogies", arguments)
    quieten()
    from rich.console import Console

    from probes.bars import Bars
    from probes.roles.analogies.tables import tables

    with Bars() as bars:
        results = run_analogies(config, bars)
    console = Console(highlight=False)
    for table in tables(results, console.width):
        console.print(table)
    print(f"results: {config.out}")


def _vectors(arguments: Sequence[str]) -> None:
    from probes.roles.elsewhere.job import VectorsConfig, run_vectors, standing_table

    config = plain_config(VectorsConfig, "roles vectors", arguments)
    from rich.console import Console

    Console().print(standing_table(run_vectors(config)))
    _say_where(Path(config.out))


def _say_where(out: Path) -> None:
    """Write the page of a run, and say where it lies."""
    from probes.roles.pages.write import write_page

    page = write_page(out)
    print(f"results: {out}")
    print(f"report: {page}")
