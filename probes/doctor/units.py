"""The clauses about units: a vector is that of its own sub-tokens, read in the best place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probes.choices import Pooling
from probes.doctor.measure import TOLERANCE, States, farthest, shown
from probes.doctor.text import words_in
from probes.doctor.verdict import Check
from probes.encoders import TextEncoder
from probes.encoders.align import Pieces, windows
from probes.encoders.batches import Batch, plan_batches

FEW = 4
"""Texts on which each pooling but the mean is tried."""

POOLINGS: tuple[Pooling, ...] = ("first", "last", "mean", "max")


def pooled(encoder: TextEncoder, texts: Sequence[str]) -> Check:
    """Words pooled in a batch, against their own sub-tokens' states in that batch."""
    worst, where = 0.0, ""
    for pooling in POOLINGS:
        found, layer = _pooled(encoder, texts if pooling == "mean" else texts[:FEW], pooling)
        if found > worst:
            worst, where = found, f"{pooling}, layer {layer}"
    if worst <= TOLERANCE:
        said = f"{', '.join(POOLINGS)} of their own sub-tokens: largest difference {shown(worst)}"
        return Check("words", "pass", said, worst)
    said = f"other than their own sub-tokens, by {shown(worst)} ({where})"
    return Check("words", "fail", said, worst, "do not use these vectors, and report the model")


def _pooled(encoder: TextEncoder, texts: Sequence[str], pooling: Pooling) -> tuple[float, str]:
    pieces = encoder.tokenize(texts)
    index, words, _ = words_in(texts)
    covered = pieces.cover(index, words).tolist()
    plan = encoder.plan(texts, index, words, pooling=pooling, budget=16 * int(max(pieces.lengths)))
    pairs = []
    for batch in plan.batches:
        vectors, states = _both(encoder, batch, pooling)
        for place, unit in enumerate(batch.units.tolist()):
            row = _row_of(batch.input_ids, pieces, index[unit])
            at = pieces.content[slice(*covered[unit])] - pieces.bounds[index[unit]]
            for layer, found in vectors.items():
                own = states[layer][row, torch.from_numpy(at + _shift(encoder, layer))]
                pairs.append((layer, _reduced(own, pooling), found[place]))
    return farthest(pairs)


def _both(encoder: TextEncoder, batch: Batch, pooling: Pooling) -> tuple[States, States]:
    """Give a batch's vectors as they go into a store, and its states."""
    vectors: States = {}
    encoder.run(batch, encoder.layers, pooling, vectors.__setitem__)
    return vectors, encoder.states_of(batch.input_ids, batch.attention_mask, encoder.layers)


def _shift(encoder: TextEncoder, layer: str) -> int:
    """Count the positions before the text: a decoder's start token."""
    return int(encoder.inputs.decodes and not layer.startswith("encoder."))


def _row_of(ids: Tensor, pieces: Pieces, text: int) -> int:
    """Find the row of a batch that holds a text, by its token ids."""
    own = torch.from_numpy(pieces.ids[pieces.bounds[text] : pieces.bounds[text + 1]])
    n = len(own)
    rest_is_padding = [len(row) == n or bool((row[n:] == row[-1]).all()) for row in ids]
    same = [
        torch.equal(row[:n], own) and rest for row, rest in zip(ids, rest_is_padding, strict=True)
    ]
    return same.index(True)


def _reduced(states: Tensor, pooling: Pooling) -> Tensor:
    if pooling == "first":
        return states[0].float()
    if pooling == "last":
        return states[-1].float()
    wide = states.double()
    return wide.mean(0) if pooling == "mean" else wide.max(0).values


def windowed(encoder: TextEncoder, text: str) -> Check:
    """A text in overlapping windows: each word is read where it has most context."""
    name = "windows"
    index, words, _ = words_in([text])
    pieces = encoder.tokenize([text])
    n_content = len(pieces.content)
    if n_content < 12:
        return Check(name, "pass", "not examined: no text is long enough")
    limit = (int(pieces.lengths[0]) - n_content) + max(n_content // 3, 4)
    plan = plan_batches(
        [text],
        pieces,
        index,
        words,
        pooling="last",
        limit=limit,
        truncation="window",
        budget=1,
        pad_id=encoder.pad_id,
        is_causal=encoder.is_causal,
    )
    cuts = windows(int(pieces.lengths[0]), n_content, limit, "window")
    (batch,) = plan.batches
    vectors, states = _both(encoder, batch, "last")
    covered = pieces.cover(index, words).tolist()
    pairs = []
    for place, unit in enumerate(batch.units.tolist()):
        row = _best(cuts, *covered[unit], is_causal=encoder.is_causal)
        if row is None:
            continue  # longer than a window; its sub-tokens are read one by one
        at = int(pieces.content[0]) + covered[unit][1] - 1 - cuts[row][0]
        for layer, found in vectors.items():
            pairs.append((layer, states[layer][row, at + _shift(encoder, layer)], found[place]))
    worst, where = farthest(pairs)
    if worst <= TOLERANCE and len(batch.units) == len(words):
        said = f"{len(cuts)} windows answer every word where it has most context"
        return Check(name, "pass", f"{said}: largest difference {shown(worst)}", worst)
    said = f"words read elsewhere than where they have most context, by {shown(worst)} ({where})"
    return Check(name, "fail", said, worst, "do not use --truncation window with this model")


def _best(cuts: Sequence[tuple[int, int]], first: int, end: int, *, is_causal: bool) -> int | None:
    """Choose among the windows that hold a word whole the one with most context."""
    context = {
        row: first - a if is_causal else min(first - a, b - end)
        for row, (a, b) in enumerate(cuts)
        if a <= first and end <= b
    }
    return max(context, key=lambda row: context[row], default=None)
