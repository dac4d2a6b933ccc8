"""Settings of fine-tuning: how it steps, and what of the network may change, and how far."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal, get_args

from probes.errors import InputError, unknown

Optimizer = Literal["adamw", "sgd"]
"""AdamW; or SGD with momentum .9."""

Precision = Literal["float32", "bfloat16"]
"""In which matrix products are computed; weights and their changes are float32."""

NormAndDropout = Literal["frozen", "train"]
"""Whether statistics of batch norm move and dropout drops while training."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How fine-tuning steps."""

    epochs: int = 3
    """Passes over the training items, at most."""
    batch_size: int = 16
    """Items of a step, of all processes together."""
    optimizer: Optimizer = "adamw"
    """adamw, or sgd with momentum .9."""
    weight_decay: float = 0.0
    """Decoupled with adamw, in the gradient with sgd; of weights that have two dimensions or more,
    so not of biases and norms."""
    warmup: float = 0.0
    """Share of the steps in which the rate rises from nought; it falls as a cosine after that."""
    clip: float | None = 1.0
    """Largest norm of the gradient; null for no limit."""
    accumulate: int = 1
    """In how many parts each process computes its share of a step, one after the other: less
    memory, the same step, but for batch norm that is not frozen, whose statistics are of a part."""
    mixed_precision: Precision = "float32"
    """In which matrix products are computed; bfloat16 halves the memory of activations."""
    patience: int | None = None
    """Stop after so many epochs without a better one; by default after all."""
    checkpoint_every: int | None = None
    """Steps between two checkpoints; by default one at the end of each epoch."""

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("accumulate", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} {getattr(self, name)}: expected {least} or more")
        for name in ("patience", "checkpoint_every"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)}: expected 1 or more, or null")
        if self.optimizer not in get_args(Optimizer):
            raise unknown("optimizer", self.optimizer, get_args(Optimizer))
        if self.mixed_precision not in get_args(Precision):
            raise unknown("mixed_precision", self.mixed_precision, get_args(Precision))
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay {self.weight_decay}: expected 0 or more")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup {self.warmup}: expected a share of the steps, 0 to below 1")
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise InputError(f"clip {self.clip}: expected a positive norm, or null for none")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What of the network may change, and how far; by default all, freely."""

    blocks: tuple[int, ...] | None = None
    """Surgical fine-tuning: numbers of the parts that are trained beside the head: 0 the embeddings
    or stem, then the blocks, and what follows them (a final norm) where it has weights; negative
    ones from the end. By default all."""
    layer_decay: float = 1.0
    """Discriminative rates: the head has the whole rate, the last part of the network this share of
    it, each part below this share of the one above it."""
    l2_sp: float = 0.0
    """Strength of L2-SP: half of it times the squared distance from the start is added to the
    loss, the head left out."""
    spd: float = 0.0
    """Strength of selective projection decay: how much of a step away from the start is taken back
    where the gradient says that the way was not down; adamw, the head left out."""
    lora_rank: int | None = None
    """Train low-rank additions of this rank in place of the weights (needs peft), merged into the
    weights at the end."""
    lora_alpha: float | None = None
    """Scale of the additions, divided by the rank; by default the rank, hence 1."""
    lora_targets: tuple[str, ...] = ()
    """Names of the linear maps that get additions, such as query and value; by default what peft
    has for the model's type."""

    def __post_init__(self) -> None:
        if self.blocks is not None and len(set(self.blocks)) < max(1, len(self.blocks)):
            raise InputError(f"blocks {self.blocks}: give at least one, each once")
        if not 0 < self.layer_decay <= 1:
            raise InputError(f"layer_decay {self.layer_decay}: expected a share, above 0 to 1")
        for name in ("l2_sp", "spd"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name} {getattr(self, name)}: expected 0 or more")
        if self.lora_rank is None:
            if self.lora_alpha is not None or self.lora_targets:
                raise InputError("lora_alpha and lora_targets are of LoRA; name lora_rank, too")
        elif self.lora_rank < 1:
            raise InputError(f"lora_rank {self.lora_rank}: expected 1 or more")
        elif self.l2_sp or self.spd:
            raise InputError(
                "l2_sp and spd hold weights near their start, and LoRA does not train them; drop "
                "one of the two"
            )
        if self.lora_alpha is not None and not 0 < self.lora_alpha < math.inf:
            raise InputError(f"lora_alpha {self.lora_alpha}: expected a positive number")


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(Training):
    """Settings of one fine-tuning."""

    lr: float
    """Learning rate of the head, at its highest."""
    norm_and_dropout: NormAndDropout = "train"
    """frozen: the network stays in evaluation mode, as LP-FT has it; train: batch norm's statistics
    move, dropout drops."""
    change: Change = dataclasses.field(default_factory=Change)
    """What may change, and how far."""
    seed: int = 0
    """Of the order of the items, and of dropout."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.lr < math.inf:
            raise InputError(f"lr {self.lr}: expected 0 or more")
        if self.norm_and_dropout not in get_args(NormAndDropout):
            raise unknown("norm_and_dropout", self.norm_and_dropout, get_args(NormAndDropout))
        if not 0 <= self.seed < 2**32:
            raise InputError(f"seed {self.seed}: expected 0 to {2**32 - 1}")
        if self.change.spd and self.optimizer != "adamw":
            raise InputError("spd is a decay within adamw; drop it, or choose that optimizer")
        if self.change.spd and self.weight_decay:
            raise InputError(
                f"weight_decay {self.weight_decay} and spd {self.change.spd}: one pulls to nought, "
                "the other to the start; drop one of the two"
            )
