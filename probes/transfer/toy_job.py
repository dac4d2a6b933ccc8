"""The job `probes toy`: why fine-tuning can lose what linear probing keeps, in the plane."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes.diagnostic.folder import claimed
from probes.errors import InputError
from probes.files import write_whole
from probes.report.plots import save_figure
from probes.transfer.toy import Outcome, adapt, largest_gap
from probes.transfer.toy_figure import toy_figure

LARGEST = 100.0
WAYS = ("FT", "LP", "LP-FT")


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    """Fine-tune, linearly probe, and do one after the other, f(x) = v (b · x) in the plane.

    One training unit lies on the first axis and tells the first coordinate of w*; the error is
    asked of all directions.
    """

    out: str = "runs/toy"
    """Folder of the run: picture, numbers, settings."""
    heads: tuple[float, ...] = (0.1, 0.5, 2.0, 3.0)
    """Heads v with which adapting begins, each."""
    features: tuple[float, float] = (0.6, 0.6)
    """Pretrained features b; the first is not nought."""
    target: tuple[float, float] = (1.0, 1.0)
    """The function w* that made the target; features that point as it does are right."""

    def __post_init__(self) -> None:
        for key in ("heads", "features", "target"):
            values = getattr(self, key)
            if not all(math.isfinite(x) and abs(x) <= LARGEST for x in values):
                raise InputError(f"{key} {_spaced(values)}: expected numbers up to {LARGEST:g}")
        if not self.heads or len(set(self.heads)) < len(self.heads):
            raise InputError(f"heads {_spaced(self.heads)}: expected one or more, each once")
        if abs(self.features[0]) < 1 / LARGEST:
            raise InputError(
                f"features {_spaced(self.features)}: of the first a probe reads w*; give one of "
                f"{1 / LARGEST:g} in size or more"
            )


def run_toy(config: ToyConfig) -> list[Outcome]:
    """Adapt by each way from each head, and write a run's folder.

    Parameters
    ----------
    config : ToyConfig
        Every setting.

    Returns
    -------
    list of Outcome
        One a head. The folder holds ``toy.jsonl`` (a line a head and way), ``toy.png`` and
        ``toy.svg``.

    Raises
    ------
    InputError
        If the folder holds another run.
    """
    out = Path(config.out)
    with claimed(out, config):
        outcomes = adapt(config.heads, config.features, config.target)
        write_whole(out / "toy.jsonl", "".join(_lines(outcomes)).encode())
        figure = toy_figure(outcomes, config.target)
        for ending in ("png", "svg"):
            save_figure(figure, out / f"toy.{ending}")
    return outcomes


def toy_table(outcomes: Sequence[Outcome]) -> Any:
    """Lay out what each way learns of the second coordinate, and its error, for a terminal.

    Parameters
    ----------
    outcomes : sequence of Outcome
        One a head.

    Returns
    -------
    rich Table
        A row a head; of each way the closed form (LP-FT's is LP's), where gradient flow ends, and
        the OOD error.
    """
    from rich.table import Table

    note = (
        "w2: the second coordinate of w = v b, which no training unit tells; flow: where gradient "
        f"flow ends (at most {largest_gap(outcomes):.0e} from the closed form, in any coordinate); "
        "error: ‖w - w*‖², over all directions"
    )
    table = Table(caption=note, caption_justify="left", box=None, pad_edge=False)
    for name in ("v0", "FT w2", "flow", "error", "LP w2", "LP flow", "LP-FT flow", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        numbers = (
            outcome.closed["FT"][1],
            outcome.simulated["FT"][1],
            outcome.errors["FT"],
            outcome.closed["LP"][1],
            outcome.simulated["LP"][1],
            outcome.simulated["LP-FT"][1],
            outcome.errors["LP-FT"],
        )
        table.add_row(f"{outcome.v:g}", *(f"{x:.4f}" for x in numbers))
    return table


def _lines(outcomes: Sequence[Outcome]) -> list[str]:
    return [
        json.dumps(
            {
                "v0": outcome.v,
                "method": way,
                "w": outcome.closed[way],
                "w_simulated": outcome.simulated[way],
                "ood_error": outcome.errors[way],
            }
        )
        + "\n"
        for outcome in outcomes
        for way in WAYS
    ]


def _spaced(values: Sequence[float]) -> str:
    return " ".join(f"{x:g}" for x in values) or "none"
