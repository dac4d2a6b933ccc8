"""The command ``probes``: parse, make a dataclass, call the library once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from probes import __version__
from probes.errors import EnvironmentFailure, InputError, unknown

if TYPE_CHECKING:
    from probes.configs import ProbeConfig

COMMANDS = {
    "probe": "probe every layer of a model, with controls, intervals and a report",
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
        _dispatch(arguments)
    except InputError as error:
        _stop(str(error), 2)
    except EnvironmentFailure as error:
        _stop(str(error), 1)
    except MemoryError as error:
        _stop(f"out of memory ({error}); try fewer layers (--layers) or --limit the data", 1)
    except OSError as error:
        _stop(f"{error.filename or 'file'}: {error.strerror or error}", 1)
    except KeyboardInterrupt:
        _stop("interrupted; run the same command again: it goes on where it stopped", 130)
    except RuntimeError as error:
        if "out of memory" not in str(error).lower():
            raise
        _stop(f"the device is out of memory ({str(error).splitlines()[0]})", 1)


def _dispatch(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(HELP, end="")
    elif arguments[0] == "--version":
        print(f"probes {__version__}")
    elif arguments[0] in COMMANDS:
        {"probe": _probe, "report": _report, "tasks": _tasks, "verify": _verify}[arguments[0]](
            arguments[1:]
        )
    else:
        raise unknown("command", arguments[0], COMMANDS)


def _stop(message: str, code: int) -> None:
    print(f"probes: {message}", file=sys.stderr)
    sys.stderr.flush()
    raise SystemExit(code)


def _probe(arguments: list[str]) -> None:
    config = _config(arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    import transformers

    from probes.diagnostic.run import Silent, run_probe
    from probes.report.summary import summarise
    from probes.report.tables import print_tables

    transformers.logging.disable_progress_bar()
    transformers.logging.set_verbosity_error()
    first = os.environ.get("RANK", "0") == "0"
    with _Bars() as bars:
        page = run_probe(config, bars if first else Silent())
    if page is not None:
        print_tables(summarise([page.parent]))
        print(f"report: {page}")


def _config(arguments: list[str]) -> ProbeConfig:
    """Read ``--config`` and ``--task.name`` first, then everything over the task's own options."""
    import dataclasses

    import tyro

    from probes.configs import ProbeConfig, fill, read_yaml
    from probes.registry import find_tasks, task_options

    path, rest = _take(arguments, "--config")
    values = read_yaml(path) if path is not None else {}
    chosen = values.get("task", {})
    if not isinstance(chosen, dict):
        raise InputError(f"{path}, key 'task': expected keys with values, came {chosen!r}")
    name, rest = _take(rest, "--task.name")
    if name is not None and name != chosen.get("name", name):
        chosen = {}  # another task than the file's: its options do not apply
    name = name or chosen.get("name")
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
        frozen=True,
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
    out, rest = _take(arguments, "--out")
    if not rest or rest[0] in ("-h", "--help"):
        print("usage: probes report RUN [RUN …] [--out PAGE.html]")
        return
    for argument in rest:
        if argument.startswith("-"):
            raise unknown("flag of probes report", argument, ["--out", "--help"])
    from pathlib import Path

    from probes.report.page import write_page
    from probes.report.summary import summarise
    from probes.report.tables import print_tables

    print_tables(summarise(rest))
    print(f"report: {write_page(rest, out or Path(rest[0]) / 'report.html')}")


def _tasks(arguments: list[str]) -> None:
    from probes.registry import find_tasks, task_options

    if not arguments:
        for name, entry in find_tasks().items():
            print(f"{name:12} {entry.value}")
        print("probes tasks NAME shows the options of a task")
        return
    if arguments[0] in ("-h", "--help"):
        print("usage: probes tasks [NAME]")
        return
    import tyro

    options: Any = task_options(arguments[0])
    tyro.cli(options, args=["--help"], prog=f"probes probe --task.name {arguments[0]} --task.")


def _verify(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: probes verify STORE [STORE …]")
        return
    from probes.states import ActivationStore

    problems = [
        problem for folder in arguments for problem in ActivationStore.open(folder).verify()
    ]
    for problem in problems:
        print(problem)
    if problems:
        raise InputError(f"{len(problems)} files are damaged or missing")
    print("every byte is as it was written")


class _Bars:
    """Progress bars on the terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

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

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, title: str, total: int) -> _Stage:
        """Open a bar."""
        return _Stage(self, title, total)

    def say(self, line: str) -> None:
        """Say one line above the bars."""
        self._console.print(line, highlight=False, markup=False)


class _Stage:
    """One bar; without a terminal, one line when it is done."""

    def __init__(self, bars: _Bars, title: str, total: int) -> None:
        self._bars = bars
        self._title = title
        self._total = total

    def __enter__(self) -> Any:
        import time

        self._start = time.perf_counter()
        self._task = self._bars._progress.add_task(self._title, total=self._total)
        return lambda n: self._bars._progress.advance(self._task, n)

    def __exit__(self, kind: object, *_: object) -> None:
        import time

        if kind is None and not self._bars._console.is_terminal:
            took = time.perf_counter() - self._start
            self._bars.say(f"{self._title}: {self._total:,} in {took:.1f} s")
