"""Settings of `probes train`."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from probes.errors import InputError, require_effect, unknown
from probes.transfer.sets import Among
from probes.transfer.settings import Change, FinetuneConfig, Training
from probes.transfer.templates import TEMPLATES, require_templates

Method = Literal["zero-shot", "lp", "ft", "lp-ft", "zs-ft"]
"""What a model of images and texts says of class names; linear probing; fine-tuning from a drawn
head; from the head that was fitted; from that of class names."""

TUNED: tuple[Method, ...] = ("ft", "lp-ft", "zs-ft")
"""Methods that step, at a rate that is chosen."""

NAMING: tuple[Method, ...] = ("zero-shot", "zs-ft")
"""Methods that read the names of the classes: of a model of images and texts alone."""

HeadScale = Literal["fitted", "fresh"]
"""As linear probing leaves the head, or as large as a drawn one."""

MOST_SEEDS = 100


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Adapt a model to a task by linear probing, fine-tuning, or one after the other."""

    model: str
    """Folder with a Hugging Face model, or its name on the hub."""
    task: Any
    """Which task, and its options (`probes tasks` lists them): sentences, or images."""
    out: str
    """Folder of the run: results, predictions, classifiers."""
    ood: tuple[str, ...] = ()
    """Test sets out of distribution: for each the options of the task that differ, as YAML:
    "test: other.csv", or "{corruption: noise, severity: 3}". A task may bring some of its own."""
    among: Among = "all"
    """Of a set out of distribution that lacks some classes, what may be answered: all classes, or
    its own alone (as ImageNet-R and ImageNet-A are asked, which have 200 of 1,000)."""
    method: tuple[Method, ...] = ("lp", "ft", "lp-ft")
    """lp: the head is fitted, the network stays. ft: all is trained. lp-ft: the head is fitted,
    then all is trained, norms' statistics and dropout frozen. Of a model of images and texts
    (CLIP, SigLIP) zero-shot: the head is made of the classes' names, nothing is trained; zs-ft: all
    is trained from there."""
    templates: tuple[str, ...] = TEMPLATES
    """Of zero-shot and zs-ft, sentences with {} for the name of a class; the mean over them
    counts."""
    rates: tuple[float, ...] = (1e-5, 3e-5, 1e-4, 3e-4)
    """Learning rates, of which dev chooses one by its accuracy, of equals by its loss, with the
    first seed."""
    seeds: int = 5
    """Runs at the rate that was chosen."""
    pooling: str | None = None
    """How a feature is made of the last layer, such as cls, mean or last; by default as suits the
    model. embedding: the vector that a model of images and texts compares with texts, at length
    one; by default where zero-shot or zs-ft is among the methods, which need it."""
    max_length: int | None = None
    """The most sub-tokens of a text; longer ones are cut, and counted. By default they are
    refused."""
    revision: str | None = None
    """Commit, branch or tag of the model on the hub."""
    trust_remote_code: bool = False
    """Let code that comes with the model run."""
    head_scale: HeadScale = "fitted"
    """Of lp-ft, the head with which it begins: as it was fitted, or brought to the scale of a drawn
    one (fresh), which answers the same and sends smaller gradients into the features."""
    save: bool = True
    """Keep the classifier of each run, not only of linear probing."""
    training: Training = dataclasses.field(default_factory=Training)
    """How fine-tuning steps."""
    change: Change = dataclasses.field(default_factory=Change)
    """What fine-tuning may change, and how far."""

    def __post_init__(self) -> None:
        for method in self.method:
            if method not in get_args(Method):
                raise unknown("method", method, get_args(Method))
        if self.among not in get_args(Among):
            raise unknown("among", self.among, get_args(Among))
        if self.head_scale not in get_args(HeadScale):
            raise unknown("head_scale", self.head_scale, get_args(HeadScale))
        for name, values in (("method", self.method), ("rates", self.rates)):
            if not values or len(set(values)) < len(values):
                raise InputError(f"{name} {values}: give at least one, each once")
        if not all(0 < rate < math.inf for rate in self.rates):
            raise InputError(f"rates {self.rates}: expected positive numbers")
        require_templates(self.templates)
        if not self.names_classes:
            require_effect(self, ["templates"], "no method reads the names of the classes")
        if "lp-ft" not in self.method:
            require_effect(self, ["head_scale"], "it is of lp-ft, which is not asked for")
        naming = " and ".join(method for method in self.method if method in NAMING)
        if naming and self.pooling not in (None, "embedding"):
            raise InputError(
                f"pooling {self.pooling!r} gives nothing that {naming} could compare with texts; "
                "leave it out (it is embedding then), or leave out the method"
            )
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise InputError(f"seeds {self.seeds}: expected 1 to {MOST_SEEDS}")
        self.finetuning("ft", self.rates[0], 0)  # what does not fit together is refused now

    @property
    def names_classes(self) -> bool:
        """Whether some method reads the names of the classes."""
        return bool(set(self.method) & set(NAMING))

    def finetuning(self, method: Method, rate: float, seed: int) -> FinetuneConfig:
        """Give the settings of one fine-tuning."""
        return FinetuneConfig(
            **vars(self.training),
            lr=rate,
            seed=seed,
            change=self.change,
            norm_and_dropout="frozen" if method == "lp-ft" else "train",
        )
