"""The clauses about padding: on the left, and with another token."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probes.doctor.measure import States, against, farthest, limit_of, shown
from probes.doctor.verdict import Check
from probes.encoders import TextEncoder


def left_padding(
    encoder: TextEncoder, texts: Sequence[str], singles: Sequence[States], rounding: float = 0.0
) -> Check:
    """Rows padded on the left; only to know, since the encoder pads right.

    What padding on the right makes of the same texts (`rounding`) is allowed twice.
    """
    most = max(limit_of(encoder), 2 * rounding if rounding < 0.1 else 0.0)
    name = "left padding"
    if encoder.inputs.decodes:
        return Check(name, "pass", "not examined: a decoder's rows begin with its start token")
    ids, mask = encoder.pad(texts)
    lengths = mask.sum(1)
    width = ids.shape[1]
    shift = torch.stack([torch.roll(torch.arange(width), int(width - n)) for n in lengths])
    left_ids, left_mask = ids.gather(1, shift), mask.gather(1, shift)
    starts = (width - lengths).tolist()

    def measured(**extra: Tensor) -> float:
        batch = encoder.states_of(left_ids, left_mask, encoder.layers, **extra)
        return against(singles, batch, starts, "")[0]

    plain = measured()
    if plain <= most:
        return Check(name, "pass", f"equal: largest difference {shown(plain)}", plain)
    first = _first_position(encoder, texts[0], singles[0])
    if first is None:
        said = f"right only: off by {shown(plain)} on the left, and it takes no position ids"
    else:
        positions = (left_mask.cumsum(1) - 1).clamp_min(0) + first
        given = measured(position_ids=positions)
        if given <= most:
            said = f"equal with position ids ({shown(given)}); off by {shown(plain)} without"
            return Check(name, "pass", said, given)
        said = f"right only: off by {shown(plain)} on the left, by {shown(given)} with position ids"
    advice = "pad right wherever else this model is read; this toolkit always does"
    return Check(name, "warn", said, plain, advice)


def _first_position(encoder: TextEncoder, text: str, single: States) -> int | None:
    """Find from which number on the model counts positions; None where it takes no position ids."""
    if "position_ids" not in encoder.inputs.accepted:
        return None
    ids, mask = encoder.pad([text])
    padding = getattr(encoder.config, "pad_token_id", None)
    for first in (0, 0 if padding is None else padding + 1):
        positions = torch.arange(ids.shape[1])[None] + first
        states = encoder.states_of(ids, mask, encoder.layers, position_ids=positions)
        if against([single], states, [0], "")[0] <= limit_of(encoder):
            return first
    return None


def pad_is_eos(encoder: TextEncoder, texts: Sequence[str]) -> Check:
    """Rows filled with the end-of-sequence token, or with token 0, against rows with padding."""
    eos = encoder.tokenizer.eos_token_id
    has_eos = eos is not None and eos < encoder.tokens.n_ids
    filler = int(eos) if has_eos else 0
    what = "padded with eos" if has_eos else "padded with token 0 (it has no eos)"
    ids, mask = encoder.pad(texts)
    kept = torch.nn.functional.pad(mask, (1, 0), value=1) if encoder.inputs.decodes else mask
    usual = encoder.states_of(ids, mask, encoder.layers)
    other = encoder.states_of(torch.where(mask == 1, ids, filler), mask, encoder.layers)
    real = {mask.shape[1]: mask.bool(), kept.shape[1]: kept.bool()}
    worst, where = farthest(
        (layer, states[real[states.shape[1]]], other[layer][real[states.shape[1]]])
        for layer, states in usual.items()
    )
    if worst <= limit_of(encoder):
        return Check("pad = eos", "pass", f"{what}: largest difference {shown(worst)}", worst)
    return Check(
        "pad = eos",
        "warn",
        f"{what}: {shown(worst)} at layer {where}",
        worst,
        f"keep to the pad token that the tokenizer has ({encoder.pad_id})",
    )
