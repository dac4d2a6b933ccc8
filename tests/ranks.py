"""Rank or optimiser? What the published decoder reads from decompositions of limited rank.

`python -m tests.ranks` (`make ranks`): the published network of McCoy et al. (2019), 40,000 fresh
sequences, the published 5,000 of test; the data lie where LAYERPROBES_DATA says, by default in
../shared/data beside the repository. Prints the share of test sequences that the network's own
decoder answers right from the decomposition, by scheme and role dimension. About a minute.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from probes.roles.digits.networks import load_published, substitution_accuracy
from probes.roles.elsewhere.read import read_encodings
from probes.roles.naming import SIX
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.decomposition import Decomposition
from probes.roles.tpdn.gradient import GradientTPDN
from probes.roles.tpdn.lowrank import TPDN
from tests.benchmarks.bench_tpdn import fresh

DIMS = (3, 5, 8, 20)
SEEDS = 3
AMPLE = 130
"""More than any scheme has roles."""


def main() -> None:
    """Fit and print, a line a kind of fit."""
    root = Path(__file__).parents[1]
    folder = Path(os.environ.get("LAYERPROBES_DATA", root / ".." / "shared" / "data")) / "tpdn"
    network = load_published(folder)
    test, _ = read_encodings(folder / "example.data_from_test")
    dev = read_encodings(folder / "example.data_from_dev")
    train = fresh(40_000, {*test, *dev[0]})
    Z = network.encode(train)

    def read(fit: Decomposition) -> float:
        return substitution_accuracy(network, fit.fit(train, Z, dev=dev), test)

    def line(title: str, values: list[float]) -> None:
        print(f"{title:40}" + "".join(f"{value:9.3f}" for value in values), flush=True)

    print(f"{'':40}" + "".join(f"{scheme.name:>9}" for scheme in SIX))
    gradient = [[read(GradientTPDN(s, 20, 20, random_state=k)) for s in SIX] for k in range(SEEDS)]
    line(f"by gradient, 20 x 20, mean of {SEEDS}", np.mean(gradient, axis=0).tolist())
    line(f"by gradient, 20 x {AMPLE}", [read(GradientTPDN(s, 20, AMPLE)) for s in SIX])
    for dim in DIMS:
        line(f"least squares, role dimension {dim}", [read(TPDN(s, 20, dim)) for s in SIX])
    line("least squares, no limit (additive)", [read(AdditiveTPDN(s)) for s in SIX])


if __name__ == "__main__":
    main()
