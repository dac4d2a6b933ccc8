"""The command ``probes``: parse, make a dataclass, call the library once."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from probes import __version__
from probes.errors import EnvironmentFailure, InputError, unknown
from probes.flags import (
    asks_help,
    plain_config,
    quieten,
    require_flags,
    require_words,
    task_config,
)

COMMANDS = {
    "probe": "probe every layer of a model, with controls, intervals and a report",
    "doctor": "examine a model: are its vectors right?",
    "roles": "role schemes: print them, probe for them, decompose encodings by them",
    "analogy": "solve analogies, king - queen = man - woman, by arithmetic on word vectors",
    "train": "adapt a model to a task: linear probing, fine-tuning, one after the other",
    "wise": "average the weights of what was trained (WiSE-FT), and make soups of them",
    "toy": "why fine-tuning can lose what linear probing keeps: two layers, in the plane",
    "report": "make the tables and the page again, from any set of runs",
    "tasks": "list the tasks, or the options of one",
    "verify": "check an activation store, byte by byte",
}
HELP = f"""probes {__version__} · what a pretrained model's representations hold, layer by layer

usage: probes COMMAND [options]

{chr(10).join(f"  {name:8} {what}" for name, what in COMMANDS.items())}

probes COMMAND --help shows the options of a command.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command, and end the process with its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Raises
    ------
    SystemExit
        With 0 (done), 1 (the environment failed), 2 (bad input), 130 (interrupted) or 141 (nobody
        reads the output any more).
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        _require_unicode(arguments)
        _dispatch(arguments)
    except InputError as error:
        _stop(str(error), 2)
    except EnvironmentFailure as error:
        _stop(str(error), 1)
    except MemoryError as error:
        _stop(f"out of memory ({error}); try fewer layers (--layers) or less data", 1)
    except BrokenPipeError:
        _leave_quietly()
    except OSError as error:
        _stop(f"{_said(error)}; mend that, then run the same command again", 1)
    except KeyboardInterrupt:
        _stop("interrupted; run the same command again: it goes on where it stopped", 130)
    except RuntimeError as error:
        if not re.search("out of memory|allocate memory", str(error)):
            raise
        first = str(error).splitlines()[0]
        _stop(f"out of memory ({first}); try fewer layers (--layers) or less data", 1)


def _require_unicode(arguments: Sequence[str]) -> None:
    """Refuse bytes that are no UTF-8: a run's files are, and name what they came from."""
    for argument in arguments:
        if any("\ud800" <= c <= "\udfff" for c in argument):
            raise InputError(f"the argument {argument!a} is not UTF-8; rename that file or folder")


def _dispatch(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP, end="")
    elif arguments[0] == "--version":
        print(f"probes {__version__}")
    elif arguments[0] in COMMANDS:
        {
            "probe": _probe,
            "doctor": _doctor,
            "roles": _roles,
            "analogy": _analogy,
            "train": _train,
            "wise": _wise,
            "toy": _toy,
            "report": _report,
            "tasks": _tasks,
            "verify": _verify,
        }[arguments[0]](arguments[1:])
    else:
        raise unknown("command", arguments[0], COMMANDS)


def _leave_quietly() -> None:
    """End where whoever reads the output has stopped reading, as `head` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where what is left is flushed to
    raise SystemExit(141)  # as a shell reports a process that such a pipe ended


def _said(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.filename or error})"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _stop(message: str, code: int) -> None:
    print(f"probes: {message}", file=sys.stderr)
    sys.stderr.flush()
    raise SystemExit(code)


def _probe(arguments: list[str]) -> None:
    from probes.configs import ProbeConfig

    config = task_config(ProbeConfig, "probe", arguments)
    quieten()
    from probes.bars import Bars
    from probes.diagnostic.run import run_probe
    from probes.report.tables import print_run

    with Bars() as bars:
        page = run_probe(config, bars)
    if page is not None:
        print_run(page)


def _doctor(arguments: list[str]) -> None:
    usage = "probes doctor MODEL [options]"
    import tyro

    from probes.configs import DoctorConfig

    model = arguments[0] if arguments and not arguments[0].startswith("-") else None
    rest = arguments if model is None else arguments[1:]
    asks_help = any(argument in ("-h", "--help") for argument in rest)
    if model is None and not asks_help:
        raise InputError(f"the model comes first; usage: {usage}")
    require_flags(rest, DoctorConfig, "doctor")
    config = tyro.cli(
        DoctorConfig, args=rest, prog="probes doctor MODEL", description=DoctorConfig.__doc__
    )
    quieten()
    from probes.doctor.run import run_doctor

    verdict = run_doctor(str(model), config)
    if failed := [check.name for check in verdict.checks if check.outcome == "fail"]:
        raise InputError(f"the model failed: {', '.join(failed)}; the table says what to do")


def _roles(arguments: list[str]) -> None:
    from probes.cli_roles import roles

    roles(arguments)


def _analogy(arguments: list[str]) -> None:
    from pathlib import Path

    from probes.analogy.job import AnalogyConfig, run_analogy

    config = plain_config(AnalogyConfig, "analogy", arguments)
    quieten()
    from probes.bars import Bars

    with Bars() as bars:
        run_analogy(config, bars)
    from probes.cli_report import print_analogies

    print_analogies(config.out, Path(config.out) / "report.html")


def _wise(arguments: list[str]) -> None:
    from probes.cli_transfer import wise

    wise(arguments)


def _toy(arguments: list[str]) -> None:
    from probes.cli_transfer import toy

    toy(arguments)


def _train(arguments: list[str]) -> None:
    from probes.cli_transfer import train

    train(arguments)


def _report(arguments: list[str]) -> None:
    from probes.cli_report import report

    report(arguments)


def _tasks(arguments: list[str]) -> None:
    usage = "probes tasks [NAME]"
    if asks_help(arguments, usage):
        return
    from probes.registry import find_tasks, task_options

    if not arguments:
        for name, entry in find_tasks().items():
            print(f"{name:12} {entry.value}")
        print("probes tasks NAME shows the options of a task")
        return
    require_words(arguments, usage, ["--help"])
    if len(arguments) > 1:
        raise InputError(f"one task at a time, came {' '.join(arguments)}; usage: {usage}")
    import dataclasses

    import tyro

    name = arguments[0]
    options = task_options(name)
    shown: Any = dataclasses.make_dataclass(
        "Options", [("task", options)], namespace={"__doc__": f"{options.__doc__}"}
    )
    tyro.cli(shown, args=["--help"], prog=f"probes probe --task.name {name}")


def _verify(arguments: list[str]) -> None:
    usage = "probes verify STORE [STORE …]"
    if asks_help(arguments, usage):
        return
    require_words(arguments, usage, ["--help"])
    from probes.states import ActivationStore

    problems = [
        problem for folder in arguments for problem in ActivationStore.open(folder).verify()
    ]
    for problem in problems:
        print(problem)
    if problems:
        raise InputError(f"{len(problems)} files are damaged or missing")
    print("every byte is as it was written")
