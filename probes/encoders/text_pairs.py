"""Pairs of texts as one row each: joined as the tokenizer joins them, cut, padded, pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.encoders.align import Ints
from probes.errors import InputError

TextPair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class JoinedPair:
    """The sub-tokens of two texts in one row.

    Parameters
    ----------
    ids, types : ndarray of shape (n_tokens,), int64
        Token ids, special tokens included, and which text each is of (0 or 1), as the tokenizer
        says it; some tokenizers say 0 of all.
    is_special : ndarray of shape (n_tokens,), bool
        The special tokens.
    n_first : int
        How many of the others are of the first text.
    """

    ids: Ints
    types: Ints
    is_special: npt.NDArray[np.bool_]
    n_first: int

    @property
    def content(self) -> Ints:
        """Positions that are not special."""
        return np.flatnonzero(~self.is_special)

    def cut(self, limit: int) -> JoinedPair:
        """Leave out the ends of the texts, of the longer one first, so that the row fits.

        Parameters
        ----------
        limit : int
            The most tokens of the row, special ones included.

        Returns
        -------
        JoinedPair
            Itself where it fits. Special tokens stay.

        Raises
        ------
        InputError
            If there is no room for a sub-token of each.

        Notes
        -----
        As ``truncation="longest_first"`` of the library `tokenizers`: the shorter text keeps at
        most half of the room, the longer one has the rest; of equals the second has what is odd.
        """
        if len(self.ids) <= limit:
            return self
        content = self.content
        room = limit - (len(self.ids) - len(content))
        if room < 2:
            raise InputError(
                f"at most {limit} tokens a pair leave no room beside "
                f"{len(self.ids) - len(content)} special tokens; raise max_length"
            )
        n_first, n_second = self.n_first, len(content) - self.n_first
        short = min(n_first, n_second, room // 2)
        a, b = (short, room - short) if n_first <= n_second else (room - short, short)
        keep = np.ones(len(self.ids), dtype=bool)
        keep[content[a:n_first]] = keep[content[n_first + b :]] = False
        return JoinedPair(self.ids[keep], self.types[keep], self.is_special[keep], a)

    def pooled(
        self, pooling: Literal["cls", "mean", "last"], leave_out_first: bool
    ) -> npt.NDArray[np.int64]:
        """List the positions that the pair's feature is the mean of.

        Parameters
        ----------
        pooling : {"cls", "mean", "last"}
            The special token before the first text; all sub-tokens of both texts; the last one.
        leave_out_first : bool
            Whether a mean over several leaves out position 0.

        Raises
        ------
        InputError
            If ``"cls"`` is asked for, and no special token stands first.
        """
        content = self.content
        if pooling == "cls":
            if not self.is_special[0]:
                raise InputError(
                    "pooling 'cls' reads the special token before the texts, and this tokenizer "
                    "puts none there; choose mean or last"
                )
            return np.zeros(1, dtype=np.int64)
        if pooling == "last":
            return content[-1:]
        return content[1:] if leave_out_first and content[0] == 0 else content


def require_pairs(items: Sequence[object]) -> list[TextPair]:
    """Refuse items that are not all pairs of two texts.

    Raises
    ------
    InputError
        The message names the first that is none.
    """
    pairs: list[TextPair] = []
    for k, item in enumerate(items):
        if not isinstance(item, tuple) or len(item) != 2:
            raise InputError(
                f"item {k} is {str(item)[:60]!r} among pairs of texts; give two texts each, as a "
                "tuple, or one text each"
            )
        pairs.append((str(item[0]), str(item[1])))
    return pairs


def require_short_pairs(
    pairs: Sequence[TextPair], joined: Sequence[JoinedPair], limit: int
) -> None:
    """Refuse pairs of more tokens than the limit; the message names the first."""
    over = [k for k, pair in enumerate(joined) if len(pair.ids) > limit]
    if not over:
        return
    first, second = (text[:40] for text in pairs[over[0]])
    raise InputError(
        f"the pair {first!r} / {second!r} has {len(joined[over[0]].ids)} tokens, the limit is "
        f"{limit} ({len(over)} of {len(pairs)} pairs here are too long); set max_length, and the "
        "longer text of each is cut first"
    )


def lay_out(
    joined: Sequence[JoinedPair],
    pooling: Literal["cls", "mean", "last"],
    *,
    pad_id: int,
    leave_out_first: bool,
) -> dict[str, Tensor]:
    """Lay out pairs as one batch, padded on the right.

    Parameters
    ----------
    joined : sequence of JoinedPair
        At least one.
    pooling, leave_out_first
        As `JoinedPair.pooled`.
    pad_id : int
        What fills the rows.

    Returns
    -------
    dict of str to Tensor
        ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64 of shape (n, tokens), and
        ``pooled``, bool of the same shape.
    """
    shape = (len(joined), max(len(pair.ids) for pair in joined))
    ids = torch.full(shape, pad_id)
    mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
    pooled = torch.zeros(shape, dtype=torch.bool)
    for k, pair in enumerate(joined):
        n = len(pair.ids)
        ids[k, :n], types[k, :n] = torch.from_numpy(pair.ids), torch.from_numpy(pair.types)
        mask[k, :n] = 1
        pooled[k, torch.from_numpy(pair.pooled(pooling, leave_out_first))] = True
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types, "pooled": pooled}
