"""How two ways to the same vectors are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from probes.choices import Dtype
from probes.encoders import ImageEncoder, TextEncoder

TOLERANCE = 1e-5
"""The largest ‖Δ‖ / ‖h‖ of a vector in float32 that counts as equal."""
EXACT = 1e-10
"""The same in float64."""
NARROW = 0.05
"""The same in bfloat16 and float16."""
SINK = 10.0
"""How many times the median norm makes a state an attention sink."""

States = dict[str, Tensor]

Encoder = TextEncoder | ImageEncoder

Read = TypeVar("Read", bound=Encoder, covariant=True)


class Load(Protocol[Read]):
    """Loads the model that is examined, in a type and with an attention implementation."""

    def __call__(self, dtype: Dtype, attention: str | None = None) -> Read:
        """Load it; where no attention is named, as it will be used."""
        ...


def drift(there: Tensor, here: Tensor) -> float:
    """Give the largest ‖there − here‖ / ‖there‖ over vectors; infinite where one is not finite.

    Parameters
    ----------
    there, here : Tensor of shape (…, width)
        The reference first.

    Returns
    -------
    float
        Computed in float64; infinite, too, where the shapes differ.
    """
    if there.shape != here.shape:
        return float("inf")
    a, b = there.double(), here.double()
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        return float("inf")
    difference = (a - b).norm(dim=-1)
    ratio = difference / a.norm(dim=-1).clamp_min(torch.finfo(torch.float64).tiny)
    return float(torch.where(difference > 0, ratio, 0.0).max()) if ratio.numel() else 0.0


def farthest(pairs: Iterable[tuple[str, Tensor, Tensor]]) -> tuple[float, str]:
    """Find the largest `drift` among named pairs of vectors.

    Parameters
    ----------
    pairs : iterable of (str, Tensor, Tensor)
        What a pair is called, such as its layer; the reference; what is compared with it.

    Returns
    -------
    worst : float
        0 where all are equal.
    where : str
        The first name that has it; empty where all are equal.
    """
    worst, where = 0.0, ""
    for name, there, here in pairs:
        found = drift(there, here)
        if found > worst:
            worst, where = found, name
    return worst, where


def each(singles: Sequence[States], others: Sequence[States]) -> list[tuple[str, Tensor, Tensor]]:
    """Pair the layers of texts that were computed twice."""
    pairs = zip(singles, others, strict=True)
    return [(layer, one[layer], other[layer]) for one, other in pairs for layer in one]


def limit_of(encoder: Encoder) -> float:
    """Give the difference that is rounding in the type in which a model computes."""
    known = {"float32": TOLERANCE, "float64": EXACT}
    return known.get(encoder.dtype, NARROW)


def shown(value: float) -> str:
    """Write a difference for people."""
    if value == 0:
        return "0"
    return f"{value:.1e}" if value < 0.01 else f"{value:.2g}"


def alone(encoder: Encoder, texts: Sequence[Any]) -> list[States]:
    """Compute all layers of each text, or image, in a pass of its own."""
    return [encoder.hidden_states([text], encoder.layers) for text in texts]


def against(
    singles: Sequence[States], batch: States, starts: Sequence[int], what: str
) -> tuple[float, str, str]:
    """Compare rows of a batch with the texts alone: largest difference, layer, complaint."""
    for layer, states in batch.items():
        if len(states) != len(singles):
            return float("inf"), layer, f"layer {layer} has {len(states)} rows of {len(singles)}"
    worst, where = farthest(
        (layer, single[layer][0], states[row, starts[row] : starts[row] + single[layer].shape[1]])
        for layer, states in batch.items()
        for row, single in enumerate(singles)
    )
    return worst, where, f"{what} differs by {shown(worst)} at layer {where}" if worst else ""
