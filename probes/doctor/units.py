"""The clauses about units: a vector is that of its own sub-tokens, read in the best place."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from probes.choices import Pooling
from probes.doctor.measure import TOLERANCE, States, drift, shown
from probes.doctor.verdict import Check
from probes.encoders import TextEncoder
from probes.encoders.align import Ints, Pieces, windows

FEW = 4
"""Texts on which each pooling but the mean is tried."""

POOLINGS: tuple[Pooling, ...] = ("first", "last", "mean", "max")


def pooled(encoder: TextEncoder, texts: Sequence[str]) -> Check:
    """Words pooled in a batch, against their own sub-tokens' states in that batch."""
    pieces = encoder.tokenize(texts)
    worst, where = 0.0, ""
    for pooling in POOLINGS:
        index, words = _words(texts if pooling == "mean" else texts[:FEW])
        covered = pieces.cover(index, words).tolist()
        budget = 16 * int(max(pieces.lengths))
        tried = texts[: int(index[-1]) + 1]
        plan = encoder.plan(tried, index, words, pooling=pooling, budget=budget)
        for batch in plan.batches:
            vectors: States = {}
            encoder.run(batch, encoder.layers, pooling, vectors.__setitem__)
            states = encoder.states_of(batch.input_ids, batch.attention_mask, encoder.layers)
            for place, unit in enumerate(batch.units.tolist()):
                row = _row_of(batch.input_ids, pieces, index[unit])
                at = pieces.content[slice(*covered[unit])] - pieces.bounds[index[unit]]
                for layer, found in vectors.items():
                    later = encoder.inputs.decodes and not layer.startswith("encoder.")
                    own = _reduced(states[layer][row, torch.from_numpy(at + later)], pooling)
                    difference = drift(own, found[place])
                    if difference > worst:
                        worst, where = difference, f"{pooling}, layer {layer}"
    if worst <= TOLERANCE:
        said = f"{', '.join(POOLINGS)} of their own sub-tokens: largest difference {shown(worst)}"
        return Check("words", "pass", said, worst)
    said = f"other than their own sub-tokens, by {shown(worst)} ({where})"
    return Check("words", "fail", said, worst, "do not use these vectors, and report the model")


def _words(texts: Sequence[str]) -> tuple[Ints, Ints]:
    """Text and span of every word, by white space."""
    found = [[match.span() for match in re.finditer(r"\S+", text)] for text in texts]
    index = np.repeat(np.arange(len(texts)), [len(spans) for spans in found])
    return index, np.array([s for spans in found for s in spans], dtype=np.int64).reshape(-1, 2)


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
    index, words = _words([text])
    pieces = encoder.tokenize([text])
    n_content = len(pieces.content)
    limit = (int(pieces.lengths[0]) - n_content) + max(n_content // 3, 4)
    if n_content < 12:
        return Check(name, "pass", "not examined: no text is long enough")
    plan = encoder.plan([text], index, words, pooling="last", truncation="window", limit=limit)
    head = int(pieces.content[0])
    cuts = windows(int(pieces.lengths[0]), n_content, limit, "window")
    (batch,) = plan.batches
    vectors: States = {}
    encoder.run(batch, encoder.layers, "last", vectors.__setitem__)
    states = encoder.states_of(batch.input_ids, batch.attention_mask, encoder.layers)
    worst, where = 0.0, ""
    for place, unit in enumerate(batch.units.tolist()):
        ((first, end),) = pieces.cover(index[unit : unit + 1], words[unit : unit + 1]).tolist()
        context = [
            (first - a if encoder.is_causal else min(first - a, b - end))
            if a <= first and end <= b
            else -1
            for a, b in cuts
        ]
        row = context.index(max(context))
        if max(context) < 0:
            continue  # longer than a window; its sub-tokens are read one by one
        for layer, found in vectors.items():
            later = encoder.inputs.decodes and not layer.startswith("encoder.")
            own = states[layer][row, head + end - 1 - cuts[row][0] + later]
            difference = drift(own, found[place])
            if difference > worst:
                worst, where = difference, layer
    complete = len(batch.units) == len(words) and not len(plan.lost)
    if worst <= TOLERANCE and complete:
        said = f"{len(cuts)} windows answer every word where it has most context"
        return Check(name, "pass", f"{said}: largest difference {shown(worst)}", worst)
    said = f"words read elsewhere than where they have most context, by {shown(worst)} ({where})"
    return Check(name, "fail", said, worst, "do not use --truncation window with this model")
