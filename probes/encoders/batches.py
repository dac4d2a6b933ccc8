"""Length-sorted batches under a token budget, and where each unit stands in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from probes.choices import Pooling, Truncation
from probes.encoders.align import Ints, Pieces, place, windows
from probes.encoders.pooling import Segments
from probes.errors import InputError


@dataclass(frozen=True, eq=False)
class Batch:
    """One forward pass and the vectors that it gives.

    Parameters
    ----------
    input_ids, attention_mask : Tensor of shape (rows, tokens), int64
        Padded on the right.
    units : Tensor of shape (n_units,), int64
        The units that this batch answers, numbered within the shard.
    segments : Segments
        Their positions: one segment a unit, two a pair.
    """

    input_ids: Tensor
    attention_mask: Tensor
    units: Tensor
    segments: Segments


@dataclass(frozen=True, eq=False)
class Plan:
    """All batches of one shard.

    Parameters
    ----------
    batches : tuple of Batch
        Longest first.
    lost : ndarray of int64
        Units that no sub-token covers, numbered within the shard.
    cut : ndarray of int64
        Units of which truncation took all or some of the tokens; those that lost all are in
        `lost` too.
    n_truncated, n_windowed : int
        Number of texts that were cut, and of those that were covered by windows.
    n_mended : int
        Number of texts whose offsets were wrong and were made anew.
    """

    batches: tuple[Batch, ...]
    lost: Ints
    cut: Ints
    n_truncated: int
    n_windowed: int
    n_mended: int = 0


@dataclass
class _Rows:
    """Rows of one text: their token ids, and the tokens (row, position) of its units."""

    ids: list[Ints]
    units: Ints
    lengths: Ints
    rows: Ints
    positions: Ints


def plan_batches(
    texts: Sequence[str],
    pieces: Pieces,
    text_index: Ints,
    spans: Ints,
    *,
    pooling: Pooling,
    limit: int | None,
    truncation: Truncation,
    budget: int,
    pad_id: int,
    stride: int | None = None,
    first_text: int = 0,
    is_causal: bool = False,
    leave_out_first: bool = False,
) -> Plan:
    """Lay out the forward passes of a shard.

    Parameters
    ----------
    texts : sequence of str
        Of the shard, for complaints.
    pieces : Pieces
        Their sub-tokens.
    text_index : ndarray of shape (n_units,), int64
        The text of each unit, not decreasing.
    spans : ndarray of shape (n_units, 2) or (n_units, 4), int64
        Its characters; four columns for a pair of spans.
    pooling : str
        ``"cls"`` reads the special token before the text.
    limit : int or None
        The most tokens a row may have.
    truncation : {"error", "window", "truncate"}
        What is done with a longer text.
    budget : int
        The most rows × tokens a batch may have, where a single text does not exceed it.
    pad_id : int
        What fills the rest of a row.
    stride : int, optional
        Of the windows, as `windows`.
    first_text : int
        Number of the shard's first text in the corpus, for complaints.
    is_causal : bool
        Whether context in a window is what stands before.
    leave_out_first : bool
        Whether a unit that begins at position 0 of its row, and holds more, leaves that out.

    Returns
    -------
    Plan
        A function of its arguments alone, so that a shard's vectors do not depend on who
        computes them.

    Raises
    ------
    InputError
        If a text is too long and ``truncation="error"``.
    """
    if limit is not None and truncation == "error":
        require_short(texts, pieces.lengths, limit, first_text)
    n_units, per_unit = len(text_index), spans.shape[1] // 2
    parts = spans.reshape(-1, 2)
    covered = pieces.cover(np.repeat(text_index, per_unit), parts).reshape(n_units, per_unit, 2)
    if leave_out_first and len(pieces.content):
        covered = _without_first(pieces, text_index, covered)
    per_text = np.searchsorted(text_index, np.arange(len(pieces.lengths) + 1))
    laid: list[_Rows] = []
    lost, cut = [], []
    n_truncated = n_windowed = 0
    for text, n_tokens in enumerate(pieces.lengths.tolist()):
        n_content = int(pieces.content_bounds[text + 1] - pieces.content_bounds[text])
        cuts = windows(n_tokens, n_content, limit, truncation, stride)
        n_windowed += len(cuts) > 1
        n_truncated += len(cuts) == 1 and cuts[0][1] < n_content
        here = np.arange(per_text[text], per_text[text + 1])
        rows, gone, less = _lay(pieces, text, cuts, here, covered, pooling, is_causal)
        lost.append(gone)
        cut.append(less)
        if len(rows.units):
            laid.append(rows)
    return Plan(
        batches=tuple(_pack(laid, budget, pad_id)),
        lost=_concatenate(lost),
        cut=_concatenate(cut),
        n_truncated=n_truncated,
        n_windowed=n_windowed,
    )


def _without_first(pieces: Pieces, text_index: Ints, covered: Ints) -> Ints:
    first = covered[:, :, 0]
    at_start = pieces.content[np.minimum(first, len(pieces.content) - 1)]
    at_start = at_start == pieces.bounds[text_index][:, None]
    several = covered[:, :, 1] - first > 1
    return np.stack([first + (at_start & several), covered[:, :, 1]], axis=2)


CUT = "choose --truncation window (overlapping windows) or truncate (the beginning alone)"
"""What to do about a text that is too long."""


def require_short(
    texts: Sequence[str], lengths: Ints, limit: int, first_text: int = 0, advice: str = CUT
) -> None:
    """Refuse texts that have more tokens than the limit; the message names the first."""
    over = np.flatnonzero(lengths > limit)
    if not len(over):
        return
    k = int(over[0])
    shown = texts[k] if len(texts[k]) <= 60 else texts[k][:57] + "…"
    more = f"; {len(over)} of {len(texts)} texts here are too long" if len(over) > 1 else ""
    raise InputError(
        f"text {first_text + k} has {lengths[k]} tokens, the limit is {limit} ({shown!r}{more}; "
        f"the longest has {lengths.max()}); {advice}"
    )


def _lay(
    pieces: Pieces,
    text: int,
    cuts: Sequence[tuple[int, int]],
    here: Ints,
    covered: Ints,
    pooling: Pooling,
    is_causal: bool,
) -> tuple[_Rows, Ints, Ints]:
    """Place a text's units in its rows; also those that are lost, and those that were cut."""
    rows = _rows(pieces, text, cuts)
    if pooling == "cls":
        _require_cls(pieces, text)
    if len(rows) == 1 and len(rows[0]) == pieces.lengths[text]:
        laid, lost, less = _lay_whole(pieces, text, rows, here, covered)
    else:
        laid, lost, less = _lay_cut(pieces, text, rows, cuts, here, covered, is_causal)
    return (_at_start(laid) if pooling == "cls" else laid), lost, less


def _rows(pieces: Pieces, text: int, cuts: Sequence[tuple[int, int]]) -> list[Ints]:
    low, high = pieces.bounds[text], pieces.bounds[text + 1]
    content = pieces.content[pieces.content_bounds[text] : pieces.content_bounds[text + 1]]
    if len(cuts) == 1 and cuts[0] == (0, len(content)):
        return [pieces.ids[low:high]]
    head, tail = pieces.ids[low : content[0]], pieces.ids[content[-1] + 1 : high]
    return [np.concatenate([head, pieces.ids[content[a:b]], tail]) for a, b in cuts]


def _lay_whole(
    pieces: Pieces, text: int, rows: list[Ints], here: Ints, covered: Ints
) -> tuple[_Rows, Ints, Ints]:
    ranges = covered[here]
    found = (ranges[:, :, 1] > ranges[:, :, 0]).all(axis=1)
    first, end = ranges[found].reshape(-1, 2).T
    lengths = end - first
    shift = np.cumsum(lengths) - lengths
    tokens = np.arange(lengths.sum()) + np.repeat(first - shift, lengths)
    positions = pieces.content[tokens] - pieces.bounds[text]
    laid = _Rows(rows, here[found], lengths, np.zeros_like(positions), positions)
    return laid, here[~found], here[:0]


def _lay_cut(
    pieces: Pieces,
    text: int,
    rows: list[Ints],
    cuts: Sequence[tuple[int, int]],
    here: Ints,
    covered: Ints,
    is_causal: bool,
) -> tuple[_Rows, Ints, Ints]:
    base = int(pieces.content_bounds[text])
    head = int(pieces.content[base] - pieces.bounds[text])
    starts = np.asarray([a for a, _ in cuts])
    units, lengths, at, positions, lost, less = [], [], [], [], [], []
    for unit in here.tolist():
        ranges = (covered[unit] - base).tolist()
        parts = [place(cuts, first, end, is_causal) for first, end in ranges]
        whole = sum(int(b - a) for a, b in covered[unit])
        seen = sum(len(tokens) for _, tokens in parts)
        if seen < whole:
            less.append(unit)
        if any(len(tokens) == 0 for _, tokens in parts):
            lost.append(unit)
            continue
        units.append(unit)
        for row, tokens in parts:
            lengths.append(len(tokens))
            at.append(row)
            positions.append(head + tokens - starts[row])
    laid = _Rows(
        rows,
        np.asarray(units, dtype=np.int64),
        np.asarray(lengths, dtype=np.int64),
        _concatenate(at),
        _concatenate(positions),
    )
    return laid, np.asarray(lost, dtype=np.int64), np.asarray(less, dtype=np.int64)


def _require_cls(pieces: Pieces, text: int) -> None:
    base = pieces.content_bounds[text]
    empty = base == pieces.content_bounds[text + 1]
    if not empty and pieces.content[base] == pieces.bounds[text]:
        raise InputError(
            "pooling 'cls' reads the special token before the text, and this tokenizer puts none "
            "there; choose mean or last"
        )


def _at_start(laid: _Rows) -> _Rows:
    """Read the first position of the row in which each vector's first token stands."""
    first = np.cumsum(laid.lengths) - laid.lengths
    ones = np.ones_like(laid.lengths)
    return _Rows(laid.ids, laid.units, ones, laid.rows[first], np.zeros_like(ones))


def _pack(texts: list[_Rows], budget: int, pad_id: int) -> list[Batch]:
    longest = [max(len(row) for row in text.ids) for text in texts]
    order = sorted(range(len(texts)), key=lambda k: (-longest[k], k))
    batches: list[Batch] = []
    members: list[_Rows] = []
    n_rows = width = 0
    for k in order:
        wider = max(width, longest[k])
        if members and (n_rows + len(texts[k].ids)) * wider > budget:
            batches.append(_batch(members, width, pad_id))
            members, n_rows, wider = [], 0, longest[k]
        members.append(texts[k])
        n_rows, width = n_rows + len(texts[k].ids), wider
    if members:
        batches.append(_batch(members, width, pad_id))
    return batches


def _batch(texts: list[_Rows], width: int, pad_id: int) -> Batch:
    rows = [row for text in texts for row in text.ids]
    ids = np.full((len(rows), width), pad_id, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=np.int64)
    for k, row in enumerate(rows):
        ids[k, : len(row)] = row
        mask[k, : len(row)] = 1
    first = np.cumsum([0, *(len(text.ids) for text in texts)])
    positions = [(text.rows + first[k]) * width + text.positions for k, text in enumerate(texts)]
    return Batch(
        input_ids=torch.from_numpy(ids),
        attention_mask=torch.from_numpy(mask),
        units=torch.from_numpy(_concatenate([text.units for text in texts])),
        segments=Segments(
            torch.from_numpy(_concatenate(positions)),
            torch.from_numpy(_concatenate([text.lengths for text in texts])),
        ),
    )


def _concatenate(arrays: Sequence[Ints]) -> Ints:
    return np.concatenate(arrays) if len(arrays) else np.zeros(0, dtype=np.int64)
