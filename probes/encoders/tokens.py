"""From texts to sub-tokens: what the tokenizer gives, what is put before it, where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from probes.encoders.align import Pieces
from probes.encoders.batches import require_short
from probes.encoders.offsets import Aligner
from probes.encoders.text_pairs import JoinedPair, TextPair
from probes.errors import InputError


class Tokens:
    """A tokenizer as an encoder uses it: never padded, never truncated, aligned and checked.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        With any backend.
    name : str
        Of the model, for complaints.
    n_ids : int
        Number of the model's embeddings.
    is_causal : bool
        Whether a state sees only what stands before it: such models are given their
        beginning-of-sequence token where they have one.

    Attributes
    ----------
    aligner : Aligner
        Says where each sub-token stands.
    n_ids : int
        As given.
    beginning : {"by the tokenizer", "prepended", "none"}
        Whence the special token at position 0 comes. Without one, position 0 of a causal model is
        the first sub-token of the text, which sees nothing but itself.
    """

    def __init__(self, tokenizer: Any, *, name: str, n_ids: int, is_causal: bool) -> None:
        self._tokenizer = tokenizer
        self._name = name
        self.n_ids = n_ids
        self.aligner = Aligner(tokenizer)
        _, special, _ = self._cut(["she walks"])
        self._first: int | None = None
        self.beginning = "by the tokenizer" if special[0][:1] == [1] else "none"
        bos = tokenizer.bos_token_id
        if self.beginning == "none" and is_causal and bos is not None and bos < n_ids:
            self._first = int(bos)
            self.beginning = "prepended"

    @property
    def special_ids(self) -> list[int]:
        """The ids of the special tokens but the unknown one: what a text should not hold."""
        return sorted(set(self._tokenizer.all_special_ids) - {self._tokenizer.unk_token_id})

    def _cut(self, texts: Sequence[str]) -> tuple[list[list[int]], list[list[int]], Any]:
        with_offsets = self.aligner.method == "offsets"
        answer = self._tokenizer(
            list(texts),
            add_special_tokens=True,
            padding=False,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            return_offsets_mapping=with_offsets,
            return_special_tokens_mask=True,
            verbose=False,
        )
        ids, theirs = answer["input_ids"], answer["offset_mapping"] if with_offsets else None
        # ByT5 adds no end to a text that ends in "</s>", and its mask counts one nevertheless
        masks = zip(answer["special_tokens_mask"], ids, strict=True)
        return ids, [mask[: len(row)] for mask, row in masks], theirs

    def pieces(self, texts: Sequence[str]) -> tuple[Pieces, int]:
        """Cut texts into sub-tokens.

        Parameters
        ----------
        texts : sequence of str
            At least one.

        Returns
        -------
        pieces : Pieces
            With special tokens as the tokenizer adds them, after the one put first.
        n_mended : int
            Texts whose offsets were wrong and were made anew (`Aligner.offsets`).

        Raises
        ------
        InputError
            If a text is no Unicode, or the tokenizer gives an id that the model does not have.
        """
        _require_unicode(texts)
        ids, special, theirs = self._cut(texts)
        self._require_ids(ids)
        offsets, n_mended = self.aligner.offsets(texts, ids, special, theirs)
        if self._first is not None:
            ids = [[self._first, *row] for row in ids]
            special = [[1, *row] for row in special]
            offsets = [[(0, 0), *row] for row in offsets]
        return Pieces.build(texts, ids, offsets, special, self.aligner.markers), n_mended

    def join(self, pairs: Sequence[TextPair]) -> list[JoinedPair]:
        """Cut pairs of texts into sub-tokens, two texts a row, as the tokenizer joins them.

        Parameters
        ----------
        pairs : sequence of (str, str)
            At least one.

        Returns
        -------
        list of JoinedPair
            After the special token that is put first, where one is.

        Raises
        ------
        InputError
            If a text is no Unicode or has no sub-tokens, or the tokenizer cannot say which
            sub-tokens are special, or gives an id that the model does not have.
        """
        firsts, seconds = (list(side) for side in zip(*pairs, strict=True))
        _require_unicode([*firsts, *seconds])
        answer = self._tokenizer(
            firsts,
            seconds,
            add_special_tokens=True,
            padding=False,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=True,
            return_special_tokens_mask=True,
            verbose=False,
        )
        ids = answer["input_ids"]
        self._require_ids(ids)
        # Both texts are cut each for itself, so the first one alone has as many.
        alone = self._tokenizer(
            firsts, add_special_tokens=False, padding=False, truncation=False, verbose=False
        )["input_ids"]
        rows = zip(
            pairs,
            ids,
            answer["token_type_ids"],
            answer["special_tokens_mask"],
            alone,
            strict=True,
        )
        return [self._joined(pair, *row) for pair, *row in rows]

    def _joined(
        self,
        pair: TextPair,
        ids: Sequence[int],
        types: Sequence[int],
        special: Sequence[int],
        first: Sequence[int],
    ) -> JoinedPair:
        shown = " / ".join(repr(text[:60]) for text in pair)
        n_content = len(special) - sum(special)
        if len(special) != len(ids) or n_content < len(first):
            raise InputError(
                f"the tokenizer of {self._name!r} does not say which sub-tokens of the pair "
                f"{shown} are special ones; take what reads as a special token out of its texts"
            )
        if not 0 < len(first) < n_content:
            raise InputError(f"a text of the pair {shown} has no sub-tokens; leave the pair out")
        before = [] if self._first is None else [self._first]
        return JoinedPair(
            np.array([*before, *ids], dtype=np.int64),
            np.array([*(0 for _ in before), *types], dtype=np.int64),
            np.array([*(1 for _ in before), *special], dtype=bool),
            len(first),
        )

    def _require_ids(self, ids: Sequence[Sequence[int]]) -> None:
        highest = max(max(row, default=0) for row in ids)
        if highest >= self.n_ids:
            raise InputError(
                f"the tokenizer of {self._name!r} gives the id {highest}, and the model has "
                f"{self.n_ids} embeddings; give a model and a tokenizer that belong together"
            )

    def pad(self, texts: Sequence[str], pad_id: int, limit: int | None) -> tuple[Tensor, Tensor]:
        """Cut texts into sub-tokens, and pad them on the right.

        Parameters
        ----------
        texts : sequence of str
            At least one.
        pad_id : int
            What fills the rows.
        limit : int or None
            The most tokens a text may have.

        Returns
        -------
        ids, mask : Tensor of shape (n_texts, n_tokens), int64
            Token ids, and 1 where they are no padding.

        Raises
        ------
        InputError
            If a text is longer.
        """
        pieces, _ = self.pieces(texts)
        if limit is not None:
            require_short(texts, pieces.lengths, limit)
        ids = torch.full((len(texts), int(pieces.lengths.max())), pad_id)
        mask = torch.zeros_like(ids)
        for k, length in enumerate(pieces.lengths):
            row = pieces.ids[pieces.bounds[k] : pieces.bounds[k + 1]]
            ids[k, :length] = torch.from_numpy(row)
            mask[k, :length] = 1
        return ids, mask


def _require_unicode(texts: Sequence[str]) -> None:
    for number, text in enumerate(texts):
        if text.isascii():
            continue
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InputError(
                f"text {number} ({text[:60]!a}) holds half of a surrogate pair at character "
                f"{error.start}, which no encoding can write; mend the data"
            ) from None
