"""Substitution and surgery on every layer of a model, under several schemes at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.choices import Pooling
from probes.encoders.patch import Patches
from probes.encoders.text import TextEncoder
from probes.results import Row
from probes.roles.rows import RowMaker
from probes.roles.text.fits import Floats, SchemeFit
from probes.roles.text.rows import output_rows
from probes.roles.text.substitute import Reader, compare, substitute
from probes.roles.text.surgery import Edit, replaced
from probes.roles.text.texts import Texts

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Group:
    """Layers of equal width, and the schemes fitted to them.

    Parameters
    ----------
    layers : tuple of str
        Their names.
    mean : ndarray of shape (n_layers, width)
        Mean training encoding.
    fits : tuple of SchemeFit
        With given fillers; bow first.
    """

    layers: tuple[str, ...]
    mean: Floats
    fits: tuple[SchemeFit, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """What vectors are put into.

    Parameters
    ----------
    encoder : TextEncoder
        The model.
    reader : callable
        What reads its last hidden state.
    pooling : str
        From sub-tokens to a sentence's vector.
    """

    encoder: TextEncoder
    reader: Reader
    pooling: Pooling


def substitution_rows(
    make: RowMaker,
    model: Model,
    groups: Sequence[Group],
    texts: Texts,
    advance: Advance = lambda n: None,
) -> list[Row]:
    """Put decomposed encodings in, and see what of the output is left.

    Parameters
    ----------
    make : RowMaker
        Knows the run.
    model : Model
        What vectors are put into.
    groups : sequence of Group
        All layers.
    texts : Texts
        Test sentences.
    advance : callable
        As `substitute`.

    Returns
    -------
    list of Row
        Methods ``substitution`` (by scheme) and ``mean-ablation``, the baseline.
    """
    variants = [("substitution", _of(fit)) for fit in groups[0].fits] + [("mean-ablation", {})]
    vectors: dict[str, Tensor] = {}
    for group in groups:
        put = [fit.predict(texts.sentences) for fit in group.fits]
        put.append(np.broadcast_to(group.mean[:, None], put[0].shape))
        vectors |= _by_layer(group, np.stack(put))
    outputs = substitute(
        model.encoder, model.reader, texts.texts, model.pooling, vectors, advance=advance
    )
    rows: list[Row] = []
    for layer, found in outputs.items():
        rows += output_rows(make, layer, variants, found, found[-1])
    return rows


def surgery_rows(
    make: RowMaker,
    model: Model,
    groups: Sequence[Group],
    texts: Texts,
    edits: Sequence[Edit],
    advance: Advance = lambda n: None,
) -> list[Row]:
    """Replace one filler in each encoding, and see whether the output is the edited sentence's.

    Parameters
    ----------
    make, model, groups, advance
        As in `substitution_rows`.
    texts : Texts
        Test sentences, to which the edits belong.
    edits : sequence of Edit
        One word each.

    Returns
    -------
    list of Row
        Methods ``surgery``, ``surgery-other-word`` (a third word is bound in place of the new one)
        and ``decomposition-of-edited`` (the decomposition's whole prediction), by scheme;
        ``edited-state`` (the edited sentence's own vector: the most that can be had at this layer)
        and ``unedited``, the baseline.
    """
    before = texts.take([edit.sentence for edit in edits])
    after = before.edited([(edit.position, edit.new) for edit in edits])
    third = [replaced(s, e.position, e.other) for s, e in zip(before.sentences, edits, strict=True)]
    encoder, pooling = model.encoder, model.pooling
    layers = [layer for group in groups for layer in group.layers]
    old, new = (Patches(encoder, some.texts, pooling) for some in (before, after))
    old_states, new_states = old.own(layers), new.own(layers)
    variants: list[tuple[str, dict[str, Any]]] = [("edited-state", {})]
    for fit in groups[0].fits:
        variants += [
            (name, _of(fit))
            for name in ("surgery", "surgery-other-word", "decomposition-of-edited")
        ]
    vectors: dict[str, Tensor] = {}
    for group in groups:
        own = np.stack([old_states[layer].numpy() for layer in group.layers])
        put = [np.stack([new_states[layer].numpy() for layer in group.layers])]
        for fit in group.fits:
            lost, gained, other = (
                fit.predict(s) for s in (before.sentences, after.sentences, third)
            )
            put += [own + (gained - lost), own + (other - lost), gained]
        vectors |= _by_layer(group, np.stack(put))
    outputs = substitute(
        encoder,
        model.reader,
        before.texts,
        pooling,
        vectors,
        references=after.texts,
        advance=advance,
    )
    baseline = compare(model.reader, new.last(), old.last()[None])
    rows = output_rows(make, "", [("unedited", {})], baseline, baseline[0])
    for layer, found in outputs.items():
        rows += output_rows(make, layer, variants, found, baseline[0])
    return rows


def _of(fit: SchemeFit) -> dict[str, Any]:
    return {"scheme": fit.scheme.name, "decomposition": fit.kind}


def _by_layer(group: Group, put: npt.NDArray[Any]) -> dict[str, Tensor]:
    """From (n_variants, n_layers, n, width) to a tensor a layer."""
    whole = torch.from_numpy(put.astype(np.float32))
    return {layer: whole[:, k].contiguous() for k, layer in enumerate(group.layers)}
