"""The job `probes roles vectors`: schemes compared on encodings that were made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from probes import configs
from probes.diagnostic.folder import claimed
from probes.errors import InputError, unknown
from probes.files import write_whole
from probes.results import Results, Row
from probes.roles.digits.example import roles_example
from probes.roles.elsewhere.read import read_encodings
from probes.roles.learned.learner import RoleLearner
from probes.roles.naming import SIX, parse_scheme
from probes.roles.rows import RowMaker
from probes.roles.schemes import Own, RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.compare import Standing, compare
from probes.roles.tpdn.decomposition import Decomposition
from probes.roles.tpdn.gradient import GradientTPDN
from probes.roles.tpdn.lowrank import TPDN

LEARNED = "learned"
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
    learn: int = 0
    """Also learn roles from the encodings, at most so many (ROLE, Soulos et al. 2020), and compare
    them as one more scheme, by a free vector for each filler-role pair. An item has no say in its
    own role: those of a tree over digits are learned in Python (`Tied`)."""
    seed: int = 0
    """Of held-out sequences, starts, learned roles and resamples."""

    def __post_init__(self) -> None:
        if self.decomposition not in get_args(Kind):
            raise unknown("decomposition", self.decomposition, get_args(Kind))
        if self.filler_dim < 1 or self.role_dim < 1:
            raise InputError(
                f"filler_dim {self.filler_dim}, role_dim {self.role_dim}; expected 1 or more"
            )
        if self.learn < 0 or self.learn == 1:
            raise InputError(f"learn {self.learn}: expected 0 (learn none), or 2 roles or more")
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed {self.seed}: expected 0 to {2**32 - 1}")


@dataclass(frozen=True)
class Comparison:
    """What a run found.

    Parameters
    ----------
    standings : list of Standing
        In the order of the schemes; roles that were learned stand last.
    v_measures : dict of str to float
        Agreement of the learned roles with each scheme on the test items, by its name; empty where
        none were learned.
    """

    standings: list[Standing]
    v_measures: dict[str, float]


def run_vectors(config: VectorsConfig) -> Comparison:
    """Fit each scheme to the training encodings, compare them on the others, and write a run.

    Parameters
    ----------
    config : VectorsConfig
        Every setting.

    Returns
    -------
    Comparison
        The folder holds ``results.jsonl``, ``results.parquet``, ``run.json`` and ``config.yaml``.

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
        if config.decomposition == "gradient" and scheme.name != LEARNED:
            return GradientTPDN(scheme, *dims, random_state=config.seed)
        if config.decomposition == "low-rank" and scheme.name != LEARNED:
            return TPDN(scheme, *dims, random_state=config.seed)
        return AdditiveTPDN(scheme, random_state=config.seed)

    out = Path(config.out)
    with claimed(out, config):
        v_measures: dict[str, float] = {}
        if config.learn:
            learner = RoleLearner(n_roles=config.learn, random_state=config.seed).fit(*train)
            v_measures = {s.name: learner.v_measure(test[0], s) for s in schemes}
            schemes = [*schemes, _as_scheme(learner, [*train[0], *test[0]])]
        standings = compare(schemes, train, test, make=make)
        n = len(test[0])
        make_row = RowMaker(_fixed(config), config.seed, "sequence")
        rows = [row for s in standings for row in _rows(make_row, s, config.decomposition, n)]
        rows += [
            make_row.plain("", "role", "v-measure", value, n, scheme=name, n_roles=config.learn)
            for name, value in v_measures.items()
        ]
        results = Results(rows)
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
    return Comparison(standings, v_measures)


def _as_scheme(learner: RoleLearner, sequences: Sequence[Fillers]) -> RoleScheme:
    """Make a scheme of the roles that were learned, of these sequences alone."""
    labels = dict(zip(map(tuple, sequences), learner.roles(sequences), strict=True))
    return Own(lambda sequence: labels[tuple(sequence)], LEARNED)


def _fixed(config: VectorsConfig) -> dict[str, Any]:
    return {
        "run": Path(config.out).name,
        "task": f"vectors/{Path(config.test).name}",
        "task_version": "",
        "model": Path(config.train).name,
        "revision": "",
        "n_layers": 0,
        "store": "",
        "config": configs.digest(config),
    }


def _rows(make: RowMaker, standing: Standing, decomposition: Kind, n: int) -> list[Row]:
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
    method = f"tpdn-{'additive' if standing.scheme == LEARNED else decomposition}"
    rows = [
        make.plain("", method, metric, value, n, **setting) for metric, value in numbers.items()
    ]
    return [*rows, make.row("", method, "mse-behind-best", standing.behind, **setting)]


def standing_table(comparison: Comparison) -> Any:
    """Lay out how the schemes did, for a terminal."""
    from rich.table import Table

    standings = comparison.standings
    note = "* the fewest roles within one standard error of the best; unseen: of the test pairs"
    for tied in dict.fromkeys(tuple(sorted((s.scheme, *s.tied))) for s in standings if s.tied):
        note += f"\ntied, dividing the items alike: {', '.join(tied)}"
    if comparison.v_measures:
        found = ", ".join(f"{name} {v:.2f}" for name, v in comparison.v_measures.items())
        note += f"\nV-measure of the learned roles: {found}"
    table = Table(caption=note, caption_justify="left", box=None, pad_edge=False)
    table.add_column("scheme", no_wrap=True)
    for name in ("roles", "MSE", "R²", "behind [95 %]", "bits", "unseen"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in standings:
        behind = f"{s.behind.value:.4f}"
        if s.behind.low is not None and s.behind.high is not None:
            behind += f" [{s.behind.low:.4f}, {s.behind.high:.4f}]"
        table.add_row(
            f"{s.scheme} *" if s.selected else s.scheme,
            *(str(s.n_roles), f"{s.mse:.4f}", f"{s.r2:.3f}", behind, f"{s.bits:.2f}"),
            f"{s.unseen.pairs:.2%}",
        )
    return table
