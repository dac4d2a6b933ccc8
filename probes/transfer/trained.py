"""What `probes train` left: its settings, and its classifiers by method and seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import safetensors.torch

from probes.errors import InputError
from probes.flags import task_config
from probes.transfer.checkpoint import digest_of_tensors
from probes.transfer.classifier import Classifier
from probes.transfer.config import TUNED, Method, TrainConfig
from probes.transfer.runs import CLASSIFIER
from probes.transfer.saved import ABOUT, weight_files

METHODS: tuple[Method, ...] = get_args(Method)

HEAD_OF = {"lp-ft": "lp", "zs-ft": "zero-shot"}
"""With which method's head another begins."""


@dataclass(frozen=True)
class Pair:
    """Folders of two classifiers between which weights are averaged.

    Parameters
    ----------
    run : int
        The seed, of which there may be several.
    first, second : Path
        At alpha 0, and at alpha 1.
    """

    run: int
    first: Path
    second: Path

    def load(self, classes: Sequence[str]) -> tuple[Classifier, Classifier]:
        """Read both; their classes must be these, in order."""
        return Classifier.load(self.first, classes), Classifier.load(self.second, classes)

    def digests(self) -> list[list[str]]:
        """Digests of the tensors in their files of weights."""
        folders = (self.first, self.second)
        return [
            [digest_of_tensors(safetensors.torch.load_file(path)) for path in weight_files(folder)]
            for folder in folders
        ]


def train_config(folder: str | Path) -> TrainConfig:
    """Read the settings of a finished run of `probes train`.

    Parameters
    ----------
    folder : str or Path
        Of the run.

    Raises
    ------
    InputError
        If it is none, or not finished.
    """
    folder = Path(folder)
    for name in ("config.yaml", "run.json", "results.jsonl"):
        if not (folder / name).is_file():
            raise InputError(
                f"{folder} holds no finished run of `probes train` ({name} is not there); run it, "
                "or name the folder of one"
            )
    try:
        return task_config(TrainConfig, "train", ["--config", str(folder / "config.yaml")])
    except InputError as error:
        raise InputError(f"{folder} holds no run of `probes train` ({error})") from None


def pairs_of(run: str, first: str, second: str) -> list[Pair]:
    """Find the classifiers of a run between which weights are averaged.

    Parameters
    ----------
    run : str
        Folder of a finished run of `probes train`.
    first, second : str
        A method of it, or the folder of a classifier.

    Returns
    -------
    list of Pair
        Where both have several seeds, those of one seed belong together; one alone goes with all.

    Raises
    ------
    InputError
        If a classifier is not there, or no seed is common to both.
    """
    found = [classifiers(run, name) for name in (first, second)]
    several = [seeds for seeds in found if len(seeds) > 1] or found[:1]
    runs = sorted(set(several[0]).intersection(*several))
    if not runs:
        seeds = [", ".join(map(str, of)) for of in found]
        raise InputError(
            f"{first} has the seeds {seeds[0]}, {second} {seeds[1]}; name two that share one"
        )
    pairs = []
    for seed in runs:
        a, b = (of[seed] if len(of) > 1 else next(iter(of.values())) for of in found)
        pairs.append(Pair(seed, a, b))
    return pairs


def classifiers(run: str, name: str) -> dict[int, Path]:
    """Find the classifiers of a method by seed, or the one that a folder holds; as `pairs_of`."""
    if name not in METHODS:
        if not (Path(name) / ABOUT).is_file():
            raise InputError(
                f"{name!r} is no method ({', '.join(METHODS)}) and no folder of a classifier "
                f"({ABOUT} is not there)"
            )
        return {0: Path(name)}
    root = Path(run) / "runs" / name
    if name not in TUNED:
        found = {0: root / CLASSIFIER}
    else:
        found = {
            int(path.parent.name.removeprefix("seed-")): path
            for path in sorted(root.glob(f"rate-*/seed-*/{CLASSIFIER}"))
        }
    found = {seed: path for seed, path in found.items() if (path / ABOUT).is_file()}
    if not found:
        raise InputError(
            f"{run} keeps no classifier of {name}; train with that method, and with --save"
        )
    return found
