"""Character spans ↔ sub-tokens, and windows over long texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from probes.choices import Truncation
from probes.errors import InputError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pieces:
    """The sub-tokens of several texts, one after the other.

    Parameters
    ----------
    ids : ndarray of shape (n_tokens,), int64
        Token ids, special tokens included, never padding.
    bounds : ndarray of shape (n_texts + 1,), int64
        Where each text begins in `ids`.
    content : ndarray of shape (n_content,), int64
        Indices into `ids` of the tokens that are not special.
    content_bounds : ndarray of shape (n_texts + 1,), int64
        Where each text begins in `content`.
    starts, ends : ndarray of shape (n_content,), int64
        Characters (end exclusive) that each of them covers, counted over all texts.
    text_starts : ndarray of shape (n_texts + 1,), int64
        Where each text begins in that count; one character is left between two texts.
    """

    ids: Ints
    bounds: Ints
    content: Ints
    content_bounds: Ints
    starts: Ints
    ends: Ints
    text_starts: Ints

    @classmethod
    def build(
        cls,
        texts: Sequence[str],
        ids: Sequence[Sequence[int]],
        offsets: Sequence[Sequence[tuple[int, int]]],
        special: Sequence[Sequence[int]],
        markers: Ints | None = None,
    ) -> Pieces:
        """Gather what a tokenizer answers.

        Parameters
        ----------
        texts : sequence of str
            What was tokenised.
        ids, offsets, special : sequence of sequences, one a text
            The token ids, the characters that each covers, and 1 for each special token.
        markers : ndarray of int64, optional
            Ids of the tokens that stand for white space alone, such as a lone ``▁`` or ``Ġ``.

        Returns
        -------
        Pieces
            Of all the texts.

        Raises
        ------
        ValueError
            If a token covers zero characters, and is no marker of white space.

        Notes
        -----
        A token of white space alone is the beginning of the word after it, as the tokenizer
        itself sees it.
        """
        bounds = _bounds([len(row) for row in ids])
        text_starts = _bounds([len(text) + 1 for text in texts])
        flat = np.fromiter((i for row in ids for i in row), np.int64, bounds[-1])
        marks = np.fromiter((i for row in special for i in row), np.int64, bounds[-1])
        spans = np.fromiter(
            (x for row in offsets for pair in row for x in pair), np.int64, 2 * bounds[-1]
        ).reshape(-1, 2)
        content = np.flatnonzero(marks == 0)
        owner = np.repeat(np.arange(len(ids)), np.diff(bounds))[content]
        spans = spans[content] + text_starts[owner, None]
        marked = np.isin(flat[content], () if markers is None else markers)
        spans = _with_next_word(texts, spans, text_starts[owner + 1] - 1, marked)
        if (spans[:, 1] <= spans[:, 0]).any():
            raise ValueError("a sub-token covers zero characters")
        return cls(
            ids=flat,
            bounds=bounds,
            content=content,
            content_bounds=np.searchsorted(content, bounds).astype(np.int64),
            starts=spans[:, 0],
            ends=spans[:, 1],
            text_starts=text_starts,
        )

    @property
    def lengths(self) -> Ints:
        """Number of tokens of each text, special tokens included."""
        return np.diff(self.bounds)

    def cover(self, text_index: Ints, spans: Ints) -> Ints:
        """Find the sub-tokens that overlap each span.

        Parameters
        ----------
        text_index : ndarray of shape (n_spans,), int64
            The text of each span.
        spans : ndarray of shape (n_spans, 2), int64
            Start and end (exclusive) in characters of that text.

        Returns
        -------
        ndarray of shape (n_spans, 2), int64
            First and end (exclusive), indices into `content`; equal where no token covers it.

        Notes
        -----
        A token that stands over the edge of two words belongs to both. A token's leading space,
        which some tokenizers count as covered, belongs to no word.
        """
        wanted = spans + self.text_starts[text_index, None]
        starts, ends = self.starts, self.ends
        if len(starts) > 1 and ((np.diff(starts) < 0).any() or (np.diff(ends) < 0).any()):
            return self._cover_unordered(text_index, wanted)
        first = np.searchsorted(ends, wanted[:, 0], side="right")
        end = np.searchsorted(starts, wanted[:, 1], side="left")
        return np.stack([first, np.maximum(first, end)], axis=1).astype(np.int64)

    def _cover_unordered(self, text_index: Ints, wanted: Ints) -> Ints:
        found = np.zeros((len(wanted), 2), dtype=np.int64)
        for row, (text, (a, b)) in enumerate(zip(text_index, wanted, strict=True)):
            low, high = self.content_bounds[text], self.content_bounds[text + 1]
            hit = np.flatnonzero((self.ends[low:high] > a) & (self.starts[low:high] < b))
            if len(hit):
                found[row] = low + hit[0], low + hit[-1] + 1
        return found


def _with_next_word(
    texts: Sequence[str], spans: Ints, text_ends: Ints, marked: npt.NDArray[np.bool_]
) -> Ints:
    """Let tokens that cover white space alone reach to the first character of the next word."""
    space = np.fromiter((c.isspace() for text in texts for c in (*text, " ")), np.bool_)
    filled = np.concatenate([[0], np.cumsum(~space)])
    blank = marked | ((spans[:, 1] > spans[:, 0]) & (filled[spans[:, 1]] == filled[spans[:, 0]]))
    if not blank.any():
        return spans
    solid = np.append(np.flatnonzero(~space), len(space))
    following = solid[np.searchsorted(solid, spans[blank, 0])]
    same_text = following < text_ends[blank]
    ends = spans[:, 1].copy()
    ends[blank] = np.maximum(np.where(same_text, following, spans[blank, 0]) + 1, ends[blank])
    return np.stack([spans[:, 0], ends], axis=1)


def _bounds(lengths: Sequence[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


def windows(
    n_tokens: int,
    n_content: int,
    limit: int | None,
    truncation: Truncation,
    stride: int | None = None,
) -> list[tuple[int, int]]:
    """Cut a text that is longer than the model allows.

    Parameters
    ----------
    n_tokens, n_content : int
        Number of tokens of the text, with and without special tokens.
    limit : int or None
        The most tokens a row may have, special tokens included.
    truncation : {"error", "window", "truncate"}
        What to do with a longer text: cover it with overlapping windows, or keep its beginning.
        Those that are an error have been refused before.
    stride : int, optional
        By how many tokens a window stands after the one before it; by default half a window.

    Returns
    -------
    list of (int, int)
        First and end (exclusive) of each row, counted in content tokens; one row where it fits.

    Raises
    ------
    InputError
        If no room is left beside the special tokens, or the stride leaves tokens out.
    """
    if limit is None or n_tokens <= limit:
        return [(0, n_content)]
    room = limit - (n_tokens - n_content)
    if room < 2:
        raise InputError(
            f"at most {limit} tokens a text leave no room beside {n_tokens - n_content} special "
            "tokens; raise --max-tokens"
        )
    if truncation == "truncate":
        return [(0, room)]
    step = room // 2 if stride is None else stride
    if not 1 <= step < room:  # so that no token is read at the first place of a window alone
        raise InputError(
            f"--stride {step}: a window holds {room} tokens beside the special ones; "
            f"expected 1 to {room - 1}"
        )
    last = n_content - room
    return [(min(a, last), min(a, last) + room) for a in range(0, last + step, step)]


def place(
    cuts: Sequence[tuple[int, int]], first: int, end: int, is_causal: bool = False
) -> tuple[Ints, Ints]:
    """Say in which window each token of a unit is read.

    Parameters
    ----------
    cuts : sequence of (int, int)
        The windows of the text, as `windows` gives them.
    first, end : int
        The unit, in content tokens of the text.
    is_causal : bool
        Whether context is what stands before a token alone; otherwise it is the shorter of its two
        sides.

    Returns
    -------
    rows, tokens : ndarray of shape (n_tokens,), int64
        The window of each token that is in one, and the token, counted in content tokens. A unit
        is read in one window where one holds all of it: the one with most context. Otherwise each
        token is read where it has most context itself.
    """
    bounds = np.asarray(cuts, dtype=np.int64)
    right_edge = bounds[:, 1] + (1 << 40 if is_causal else 0)
    tokens = np.arange(first, end, dtype=np.int64)
    whole = (bounds[:, 0] <= first) & (bounds[:, 1] >= end)
    if whole.any():
        context = np.minimum(first - bounds[:, 0], right_edge - end)
        return np.full(len(tokens), np.where(whole, context, -1).argmax(), dtype=np.int64), tokens
    inside = (bounds[:, :1] <= tokens) & (bounds[:, 1:] > tokens)
    context = np.minimum(tokens - bounds[:, :1], right_edge[:, None] - 1 - tokens)
    rows = np.where(inside, context, -1).argmax(axis=0).astype(np.int64)
    seen = inside.any(axis=0)
    return rows[seen], tokens[seen]
