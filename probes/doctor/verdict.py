"""What an examination found, on the screen and on disk."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import xxhash
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from probes.errors import InputError
from probes.files import sealed, unsealed, write_whole

Outcome = Literal["pass", "warn", "fail"]

FOLDER = "doctor"
"""Within a folder of activation stores."""


@dataclass(frozen=True)
class Check:
    """One clause of the contract.

    Parameters
    ----------
    name : str
        What was examined.
    outcome : {"pass", "warn", "fail"}
        Whether it holds. A warning is something to know, not an error of the vectors.
    found : str
        What was measured, in words.
    value : float or None
        The largest relative difference, or the share, that decides; None where it is no number.
    advice : str
        What to do; empty where nothing is.
    of_file : bool
        Whether it is about the user's file, not the model.
    """

    name: str
    outcome: Outcome
    found: str
    value: float | None = None
    advice: str = ""
    of_file: bool = False


def gathered(checks: Iterable[Check], tell: Callable[[str], None]) -> tuple[Check, ...]:
    """Make all checks, and tell the name of each when it is done."""
    found = []
    for check in checks:
        found.append(check)
        tell(check.name)
    return tuple(found)


@dataclass(frozen=True)
class Verdict:
    """All clauses, for one model as it was loaded.

    Parameters
    ----------
    model : str
        Folder or name.
    fingerprint : mapping of str to str
        What was examined (`TextEncoder.fingerprint`); another one has another verdict.
    max_tokens : int or None
        The most tokens that a text could have; likewise.
    checks : sequence of Check
        In order.
    file : str
        The user's own file, where one was examined.
    """

    model: str
    fingerprint: Mapping[str, str]
    checks: Sequence[Check]
    file: str = ""
    max_tokens: int | None = None

    @property
    def outcome(self) -> Outcome:
        """The worst of the clauses."""
        outcomes = {check.outcome for check in self.checks}
        return "fail" if "fail" in outcomes else "warn" if "warn" in outcomes else "pass"

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return {
            "model": self.model,
            "max_tokens": self.max_tokens,
            "file": self.file,
            "verdict": self.outcome,
            "checks": [_asdict(check) for check in self.checks],
            "fingerprint": dict(self.fingerprint),
        }

    def save(self, root: str | Path) -> Path:
        """Put it beside the stores, where `find` looks for it.

        Parameters
        ----------
        root : str or Path
            Folder of activation stores.

        Returns
        -------
        Path
            Of the verdict on the model, without what is about a file; an older one on the same
            model is replaced. What is about a file is kept beside it.
        """
        path = _place(root, self.fingerprint, self.max_tokens)
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.file:
            name = xxhash.xxh3_64(self.file.encode()).hexdigest()
            write_whole(path.with_name(f"{path.stem}-{name}.json"), sealed(self.to_dict()))
        own = tuple(check for check in self.checks if not check.of_file)
        write_whole(path, sealed(dataclasses.replace(self, checks=own, file="").to_dict()))
        return path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for head in ("check", "", "measured, and what to do"):
            grid.add_column(head, overflow="fold")
        styles = {"pass": "green", "warn": "yellow", "fail": "bold red"}
        for check in self.checks:
            said = check.found + (f"\n→ {check.advice}" if check.advice else "")
            grid.add_row(
                Text(check.name), Text(check.outcome, style=styles[check.outcome]), Text(said)
            )
        yield grid
        yield Text(f"verdict: {self.outcome}", style=styles[self.outcome])


def find(
    root: str | Path, fingerprint: Mapping[str, str], max_tokens: int | None = None
) -> dict[str, Any] | None:
    """Look for the verdict on a model.

    Parameters
    ----------
    root : str or Path
        Folder of activation stores.
    fingerprint : mapping of str to str
        Of the encoder.
    max_tokens : int, optional
        Of the encoder.

    Returns
    -------
    dict or None
        ``verdict``, and the names of the checks that gave a warning or failed (``warned``,
        ``failed``); None where there is none, or its file is damaged.
    """
    path = _place(root, fingerprint, max_tokens)
    if not path.is_file():
        return None
    try:
        state = unsealed(path)
    except InputError:
        return None
    names: dict[str, list[str]] = {"warn": [], "fail": []}
    for check in state["checks"]:
        names.setdefault(check["outcome"], []).append(check["name"])
    return {"verdict": state["verdict"], "warned": names["warn"], "failed": names["fail"]}


def _asdict(check: Check) -> dict[str, Any]:
    state = dataclasses.asdict(check)
    if check.value is not None and not math.isfinite(check.value):
        state["value"] = None  # JSON has no infinity; the words say it
    return state


def _place(root: str | Path, fingerprint: Mapping[str, str], max_tokens: int | None) -> Path:
    text = json.dumps([dict(fingerprint), max_tokens], sort_keys=True)
    return Path(root) / FOLDER / f"{xxhash.xxh3_64(text.encode()).hexdigest()}.json"
