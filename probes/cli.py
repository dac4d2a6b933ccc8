"""The command ``probes``: parse, make a dataclass, call the library once."""

from __future__ import annotations

import difflib
import errno
import os
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from probes import __version__
from probes.errors import EnvironmentFailure, InputError, unknown

if TYPE_CHECKING:
    from probes.configs import ProbeConfig

COMMANDS = {
    "probe": "probe every layer of a model, with controls, intervals and a report",
    "doctor": "examine a model: are its vectors right?",
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
        With 0 (done), 1 (the environment failed), 2 (bad input) or 130 (interrupted).
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
            "report": _report,
            "tasks": _tasks,
            "verify": _verify,
        }[arguments[0]](arguments[1:])
    else:
        raise unknown("command", arguments[0], COMMANDS)


def _said(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({error.filename or error})"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _stop(message: str, code: int) -> None:
    print(f"probes: {message}", file=sys.stderr)
    sys.stderr.flush()
    raise SystemExit(code)


def _probe(arguments: list[str]) -> None:
    config = _config(arguments)
    _quieten()
    from probes.bars import Bars
    from probes.diagnostic.run import run_probe
    from probes.report.summary import summarise
    from probes.report.tables import print_tables

    with Bars() as bars:
        page = run_probe(config, bars)
    if page is not None:
        summaries = summarise([page.parent])
        print_tables(summaries)
        print(f"store: {summaries[0].run['store']}")
        print(f"report: {page}")


def _quieten() -> None:
    """Keep the libraries' own bars and notes off the screen."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import transformers

    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()


def _doctor(arguments: list[str]) -> None:
    usage = "probes doctor MODEL [options]"
    import tyro

    from probes.configs import DoctorConfig

    model = arguments[0] if arguments and not arguments[0].startswith("-") else None
    rest = arguments if model is None else arguments[1:]
    asks_help = any(argument in ("-h", "--help") for argument in rest)
    if model is None and not asks_help:
        raise InputError(f"the model comes first; usage: {usage}")
    _require_flags(rest, DoctorConfig, "doctor")
    config = tyro.cli(
        DoctorConfig, args=rest, prog="probes doctor MODEL", description=DoctorConfig.__doc__
    )
    _quieten()
    from probes.doctor.run import run_doctor

    verdict = run_doctor(str(model), config)
    if failed := [check.name for check in verdict.checks if check.outcome == "fail"]:
        raise InputError(f"the model failed: {', '.join(failed)}; the table says what to do")


def _config(arguments: list[str]) -> ProbeConfig:
    """Read ``--config`` and ``--task.name`` first, then everything over the task's own options."""
    import dataclasses

    import tyro

    from probes.configs import ProbeConfig, fill, read_yaml, require_keys
    from probes.registry import find_tasks, task_options

    path, rest = _take(arguments, "--config")
    values = read_yaml(path) if path is not None else {}
    require_keys(ProbeConfig, values, str(path))
    chosen = values.get("task", {})
    if not isinstance(chosen, dict):
        raise InputError(f"{path}, key 'task': expected keys with values, came {chosen!r}")
    name, rest = _take(rest, "--task.name")
    if name is not None and name != chosen.get("name", name):
        chosen = {}  # another task than the file's: its options do not apply
    name = name or chosen.get("name")
    if name is not None and not isinstance(name, str):
        raise InputError(f"{path}, key 'task': its name is {name!r}; expected a task's name")
    if name is None:
        if not any(flag in rest for flag in ("-h", "--help")):
            raise InputError(
                f"no task; choose one with --task.name: {', '.join(find_tasks())}"
                " (probes tasks NAME lists its options)"
            )
        name = "english"
    options = task_options(name)
    named = dataclasses.make_dataclass(
        "Task",
        [("name", str, dataclasses.field(default=name, kw_only=True))],
        bases=(options,),
        frozen=options.__dataclass_params__.frozen,  # type: ignore[attr-defined]
        namespace={"__doc__": options.__doc__},
    )
    resolved = dataclasses.make_dataclass(
        "Probe",
        [("task", named, dataclasses.field(kw_only=True))],
        bases=(ProbeConfig,),
        frozen=True,
        namespace={"__doc__": ProbeConfig.__doc__},
    )
    default: Any = None
    if values:
        values = {**values, "task": {**chosen, "name": name}}
        default = fill(resolved, values, str(path), partial=tyro.MISSING)
    _require_flags(rest, resolved, "probe", name)
    config: ProbeConfig = tyro.cli(
        resolved,
        args=rest,
        prog="probes probe",
        default=default,
        description=(
            f"{ProbeConfig.__doc__} Options of the task {name!r} are shown under --task; "
            "--config FILE.yaml sets any of these, flags go over it."
        ),
    )
    return config


def _require_flags(arguments: Sequence[str], resolved: type, command: str, task: str = "") -> None:
    """Refuse a flag that is no field, naming the nearest that is."""
    known = {"--help", *_flags(resolved)}
    for argument in arguments:
        flag = argument.partition("=")[0]
        if not re.match(r"-+[a-zA-Z]", flag) or flag in ("-h", "-inf", "-nan"):
            continue  # a value; numbers may be negative
        if flag.replace("_", "-") not in known:
            near = difflib.get_close_matches(flag, sorted(known), n=1, cutoff=0.5)
            of = f" of the task {task!r}" if flag.startswith("--task.") else ""
            raise InputError(
                f"unknown flag {flag!r}{of}{f' (nearest: {near[0]!r})' if near else ''}; "
                f"probes {command} --help lists all"
                + (f", probes tasks {task} those of the task" if of else "")
            )


def _flags(cls: type, prefix: str = "") -> list[str]:
    import dataclasses
    import typing

    found: list[str] = []
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        name = field.name.replace("_", "-")
        if dataclasses.is_dataclass(hints[field.name]):
            found += _flags(hints[field.name], f"{prefix}{name}.")
        else:
            found.append(f"--{prefix}{name}")
            if hints[field.name] is bool:
                found.append(f"--{prefix}no-{name}")
    return found


def _take(arguments: list[str], flag: str) -> tuple[str | None, list[str]]:
    """Take a flag and its value out of the arguments; the last one counts."""
    value, rest, waiting = None, [], False
    for argument in arguments:
        if waiting:
            value, waiting = argument, False
        elif argument == flag:
            waiting = True
        elif argument.startswith(f"{flag}="):
            value = argument.partition("=")[2]
        else:
            rest.append(argument)
    if waiting or value == "":
        raise InputError(f"{flag} lacks its value")
    return value, rest


def _report(arguments: list[str]) -> None:
    usage = "probes report RUN [RUN …] [--out PAGE.html]"
    if _asks_help(arguments, usage):
        return
    out, rest = _take(arguments, "--out")
    _require_words(rest, usage, ["--out", "--help"])
    from pathlib import Path

    from probes.report.page import write_page
    from probes.report.summary import summarise
    from probes.report.tables import print_tables

    folders = list(dict.fromkeys(str(Path(argument)) for argument in rest))
    if out is None and len(folders) > 1:
        raise InputError(f"{len(folders)} runs make one page; name it with --out PAGE.html")
    summaries = summarise(folders)
    page = write_page(folders, out or Path(folders[0]) / "report.html")
    print_tables(summaries)
    print(f"report: {page}")


def _tasks(arguments: list[str]) -> None:
    usage = "probes tasks [NAME]"
    if _asks_help(arguments, usage):
        return
    from probes.registry import find_tasks, task_options

    if not arguments:
        for name, entry in find_tasks().items():
            print(f"{name:12} {entry.value}")
        print("probes tasks NAME shows the options of a task")
        return
    _require_words(arguments, usage, ["--help"])
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


def _asks_help(arguments: Sequence[str], usage: str) -> bool:
    asked = any(argument in ("-h", "--help") for argument in arguments)
    if asked:
        print(f"usage: {usage}")
    return asked


def _require_words(arguments: Sequence[str], usage: str, flags: Sequence[str]) -> None:
    if not arguments:
        raise InputError(f"nothing is named; usage: {usage}")
    for argument in arguments:
        if argument.startswith("-"):
            raise unknown("flag", argument, flags)


def _verify(arguments: list[str]) -> None:
    usage = "probes verify STORE [STORE …]"
    if _asks_help(arguments, usage):
        return
    _require_words(arguments, usage, ["--help"])
    from probes.states import ActivationStore

    problems = [
        problem for folder in arguments for problem in ActivationStore.open(folder).verify()
    ]
    for problem in problems:
        print(problem)
    if problems:
        raise InputError(f"{len(problems)} files are damaged or missing")
    print("every byte is as it was written")
