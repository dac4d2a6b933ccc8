"""The job `probes roles vectors`: schemes compared on encodings that were made elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from probes import configs
from probes.diagnostic.folder import claimed
from probes.errors import InputError, unknown
from probes.files import write_whole
from probes.results import Results, Row
from probes.roles.additive import AdditiveTPDN
from probes.roles.compare import Standing, compare
from probes.roles.decomposition import Decomposition
from probes.roles.examples import roles_example
from probes.roles.gradient import GradientTPDN
from probes.roles.lowrank import TPDN
from probes.roles.schemes import SIX, RoleScheme, parse_scheme
from probes.roles.vectors import read_encodings
from probes.stats import Interval

Kind = Literal["additive", "low-rank", "gradient"]


@dataclass(frozen=True, kw_only=True)
class VectorsConfig:
    """Compare role schemes on encodings that were made elsewhere."""

    train: str
    """Text file of encodings: a line a sequence, its items, a tab, its numbers."""
    test: str
    """The same, of other sequences."""
    out: str
    """Folder of the run: results, settings."""
    schemes: tuple[str, ...] = tuple(scheme.name for scheme in SIX)
    """Role schemes."""
    decomposition: Kind = "additive"
    """A free vector for each filler-role pair, embeddings of limited dimensions by alternating
    least squares, or the same by the published gradient recipe."""
    filler_dim: int = 20
    """Width of a filler's embedding; of the last two."""
    role_dim: int = 20
    """Width of a role's embedding; of the last two."""
    seed: int = 0
    """Of held-out sequences, starts and resamples."""

    def __post_init__(self) -> None:
        if self.decomposition not in get_args(Kind):
            raise unknown("decomposition", self.decomposition, get_args(Kind))
        if self.filler_dim < 1 or self.role_dim < 1:
            raise InputError(
                f"filler_dim {self.filler_dim}, role_dim {self.role_dim}; expected 1 or more"
            )
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed {self.seed}: expected 0 to {2**32 - 1}")


def run_vectors(config: VectorsConfig) -> list[Standing]:
    """Fit each scheme to the training encodings, compare them on the others, and write a run.

    Parameters
    ----------
    config : VectorsConfig
        Every setting.

    Returns
    -------
    list of Standing
        In the order of the schemes. The folder holds ``results.jsonl``, ``results.parquet``,
        ``run.json`` and ``config.yaml``.

    Raises
    ------
    InputError
        If a file or a scheme cannot be read, or does not apply.
    """
    schemes = [parse_scheme(name) for name in config.schemes]
    train, test = read_encodings(config.train), read_encodings(config.test)
    if train[1].shape[1] != test[1].shape[1]:
        raise InputError(
            f"{config.train} has {train[1].shape[1]} numbers a line, {config.test} "
            f"{test[1].shape[1]}; they must be encodings of one network"
        )

    def make(scheme: RoleScheme) -> Decomposition:
        dims = config.filler_dim, config.role_dim
        if config.decomposition == "gradient":
            return GradientTPDN(scheme, *dims, random_state=config.seed)
        if config.decomposition == "low-rank":
            return TPDN(scheme, *dims, random_state=config.seed)
        return AdditiveTPDN(scheme, random_state=config.seed)

    out = Path(config.out)
    with claimed(out, config):
        standings = compare(schemes, train, test, make=make)
        results = Results(row for s in standings for row in _rows(config, s, len(test[0])))
        results.save(out / "results.jsonl")
        results.save(out / "results.parquet")
        run = {
            "run": out.name,
            "command": "probes roles vectors",
            "n": {"train": len(train[0]), "test": len(test[0])},
            "example": roles_example(test[0][0], schemes),
        }
        text = json.dumps(run, ensure_ascii=False, indent=1)
        write_whole(out / "run.json", (text + "\n").encode())
    return standings


def _rows(config: VectorsConfig, standing: Standing, n: int) -> list[Row]:
    setting: dict[str, Any] = {
        "scheme": standing.scheme,
        "n_roles": standing.n_roles,
        "n_parameters": standing.n_parameters,
        "selected": standing.selected,
        "tied": list(standing.tied),
    }
    numbers = {
        "mse": standing.mse,
        "r2": standing.r2,
        "bits": standing.bits,
        "unseen-roles": standing.unseen.roles,
        "unseen-pairs": standing.unseen.pairs,
    }
    found = {name: Interval(value, None, None, "", n, n) for name, value in numbers.items()}
    found["mse-behind-best"] = standing.behind
    return [
        Row(
            run=Path(config.out).name,
            task=f"vectors/{Path(config.test).name}",
            task_version="",
            model=Path(config.train).name,
            revision="",
            layer="",
            n_layers=0,
            method=f"tpdn-{config.decomposition}",
            setting=json.dumps(setting),
            split="test",
            metric=metric,
            value=one.value,
            low=one.low,
            high=one.high,
            interval=f"{one.method} by sequence" if one.low is not None else "",
            n=n,
            n_groups=n,
            n_asked=n,
            n_lost=0,
            why_lost="",
            seed=config.seed,
            control_of="",
            store="",
            config=configs.digest(config),
        )
        for metric, one in found.items()
    ]


def standing_table(standings: list[Standing]) -> Any:
    """Lay out how the schemes did, for a terminal."""
    from rich.table import Table

    note = "* the fewest roles within one standard error of the best; unseen: of the test pairs"
    for tied in dict.fromkeys(tuple(sorted((s.scheme, *s.tied))) for s in standings if s.tied):
        note += f"\ntied, dividing the items alike: {', '.join(tied)}"
    table = Table(caption=note, caption_justify="left", box=None, pad_edge=False)
    table.add_column("scheme", no_wrap=True)
    for name in ("roles", "MSE", "R²", "behind [95 %]", "bits", "unseen"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in standings:
        low, high = s.behind.low or 0.0, s.behind.high or 0.0
        behind = f"{s.behind.value or 0:.4f} [{low:.4f}, {high:.4f}]"
        table.add_row(
            f"{s.scheme} *" if s.selected else s.scheme,
            *(str(s.n_roles), f"{s.mse:.4f}", f"{s.r2:.3f}", behind, f"{s.bits:.2f}"),
            f"{s.unseen.pairs:.2%}",
        )
    return table
