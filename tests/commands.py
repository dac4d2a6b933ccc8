"""The command in this process: what it prints, and with which code it ends."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

from probes.cli import main

QUICK = ["--no-random-model", "--draws", "1", "--penalties", "1e-2"]
FAST = [
    *("--task.name", "english", "--task.field", "tense", "--task.sentences", "200"),
    *("--truncation", "truncate", "--layers", "0-1", *QUICK),
]


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def run(*arguments: object) -> Done:
    """Run ``probes`` with these arguments; an exception that is not its own passes through."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def write_treebank(path: Path, word: str, *, tags: tuple[str, str] = ("NOUN", "VERB")) -> None:
    lines = []
    for k in range(12):
        lines += [f"1\t{word}{k}\t_\t{tags[0]}\t_\t_\t2\tnsubj\t_\t_"]
        lines += [f"2\tbark\t_\t{tags[1]}\t_\t_\t0\troot\t_\t_", ""]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
