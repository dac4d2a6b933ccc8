"""Substitution: decomposed vectors in the place of a model's own, and what its output becomes.

McCoy et al. (2019, section 4) hand a decomposition to the decoder that was trained on the
encodings. Of a pretrained model the layers above are that decoder: the decomposed vector is put in
at a layer, and what reads the last hidden state (the language-model head, or a head fitted to it)
answers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.choices import Pooling
from probes.encoders.patch import Patches
from probes.encoders.text import TextEncoder
from probes.metrics import Statistic
from probes.roles.tpdn.ratios import explained, mean_of

UNREAD = 0.05
"""Bits: where replacing the vector by the mean changes the output by less, it is not read there."""

CHUNK = 64
"""Texts whose stored keys and values are held at once."""

Reader = Callable[[Tensor], Tensor]
"""From last hidden states (…, width) to logits (…, n_answers)."""

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a model's output is in several variants, beside a reference.

    Parameters
    ----------
    agree : ndarray of shape (n_variants, n_texts), bool
        Whether the most probable answer is the reference's.
    bits : ndarray of shape (n_variants, n_texts)
        KL(reference || variant), in bits.
    distance : ndarray of shape (n_variants, n_texts)
        Squared distance of the last hidden states.
    """

    agree: Booleans
    bits: Floats
    distance: Floats

    def __getitem__(self, variant: int) -> Outputs:
        """One variant, its arrays of shape (n_texts,)."""
        return Outputs(self.agree[variant], self.bits[variant], self.distance[variant])


def compare(reader: Reader, reference: Tensor, variants: Tensor) -> Outputs:
    """Compare outputs.

    Parameters
    ----------
    reader : callable
        Gives logits.
    reference : Tensor of shape (n_texts, width)
        Last hidden states, pooled.
    variants : Tensor of shape (n_variants, n_texts, width)
        Others.

    Returns
    -------
    Outputs
        Of a variant that is equal to the reference: agreement, 0 bits, distance 0.
    """
    shape = tuple(variants.shape[:2])
    agree, bits = np.zeros(shape, dtype=bool), np.zeros(shape)
    answers = torch.log_softmax(reader(reference).float(), dim=-1)
    best, weights = answers.argmax(-1), answers.exp()
    for k, states in enumerate(variants):
        logs = torch.log_softmax(reader(states).float(), dim=-1)
        agree[k] = (logs.argmax(-1) == best).cpu().numpy()
        # a class of probability nought in both adds nothing, not NaN
        gaps = torch.where(weights > 0, answers - logs, 0.0)
        bits[k] = (weights * gaps).sum(-1, dtype=torch.float64).cpu().numpy() / math.log(2)
    distance = (variants - reference).double().square().sum(-1)
    return Outputs(agree, bits.clip(min=0), distance.numpy())


def substitute(
    encoder: TextEncoder,
    reader: Reader,
    texts: Sequence[str],
    pooling: Pooling,
    vectors: Mapping[str, Tensor],
    *,
    references: Sequence[str] | None = None,
    advance: Callable[[int], None] = lambda n: None,
) -> dict[str, Outputs]:
    """Put vectors in at each layer, and compare the outputs with those of the texts themselves.

    Parameters
    ----------
    encoder : TextEncoder
        The model.
    reader : callable
        What reads its last hidden state, pooled.
    texts : sequence of str
        Whose vectors are replaced.
    pooling : str
        From a text's sub-tokens to its vector.
    vectors : mapping of str to Tensor of shape (n_variants, n_texts, width)
        By layer: what is put in.
    references : sequence of str, optional
        Other texts, one each, whose outputs are the reference.
    advance : callable
        Is told of each layer done, in each of the `n_steps` chunks.

    Returns
    -------
    dict of str to Outputs
        By layer.
    """
    order = sorted(range(len(texts)), key=lambda k: -len(texts[k]))
    found: dict[str, list[Outputs]] = {layer: [] for layer in vectors}
    for start in range(0, len(texts), CHUNK):
        here = order[start : start + CHUNK]
        patches = Patches(encoder, [texts[k] for k in here], pooling)
        wanted = patches
        if references is not None:
            wanted = Patches(encoder, [references[k] for k in here], pooling)
        reference = wanted.last()
        for layer, variants in vectors.items():
            last = patches.run(layer, variants[:, here])
            found[layer].append(compare(reader, reference, last))
            advance(1)
    back = np.argsort(order)
    return {layer: _joined(parts, back) for layer, parts in found.items()}


def n_steps(n_texts: int, n_layers: int) -> int:
    """How many steps `substitute` makes."""
    return math.ceil(n_texts / CHUNK) * n_layers


def _joined(parts: Sequence[Outputs], order: npt.NDArray[np.int64]) -> Outputs:
    def joined(field: str) -> npt.NDArray[np.generic]:
        whole = np.concatenate([getattr(part, field) for part in parts], axis=1)
        return whole[:, order]

    return Outputs(joined("agree"), joined("bits"), joined("distance"))  # type: ignore[arg-type]


def is_read(baseline: Outputs) -> bool:
    """Whether the baseline (one variant) changes the output by `UNREAD` bits or more."""
    return float(baseline.bits.mean()) >= UNREAD


def restored(variant: Outputs, baseline: Outputs) -> Statistic:
    """Make the statistic 1 - Σ KL(reference || variant) / Σ KL(reference || baseline).

    1 where the variant has the reference's output, 0 where it is no nearer to it than the baseline
    is (the mean encoding, or the sentence without the edit).
    """
    return explained(variant.bits, baseline.bits)


def restored_state(variant: Outputs, baseline: Outputs) -> Statistic:
    """Make the same statistic of the squared distances of the last hidden states."""
    return explained(variant.distance, baseline.distance)


def mean_bits(variant: Outputs) -> Statistic:
    """Make the statistic of the mean KL, in bits."""
    return mean_of(variant.bits)
