"""Character offsets that are checked, and made where a tokenizer's own are missing or wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from probes.encoders.align import Ints
from probes.encoders.characters import Span, align_characters
from probes.encoders.spelling import TRIAL, Spelling, bare, readable

Method = Literal["offsets", "characters"]

TRIALS = (
    "The old sailors watched a light on the water.",
    "naïve café , 15 dishes",
    "she walks",
    TRIAL,
)


class Aligner:
    """Says which characters each sub-token covers, and does not take a tokenizer's word for it.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        With any backend.

    Attributes
    ----------
    method : {"offsets", "characters"}
        Where the answer comes from: the tokenizer's offsets, each compared with what the
        sub-token spells, or the character aligner (`align_characters`), for tokenizers without
        offsets and those whose offsets fail on plain text.
    markers : ndarray of int64
        Ids of the tokens that stand for white space alone.

    Notes
    -----
    Some fast tokenizers answer zeros, or widths of zero (huggingface/transformers#25082, #31437;
    huggingface/tokenizers#1688). Where single texts fail, they alone are aligned by characters.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        vocabulary = tokenizer.get_vocab()
        self._spelling = Spelling(tokenizer, vocabulary)
        self._agreed: dict[tuple[int, str], bool] = {}
        self.markers: Ints = np.array(
            [i for token, i in vocabulary.items() if not token.strip("Ġ▁ ")], dtype=np.int64
        )
        self._marks = frozenset(self.markers.tolist())
        self.method: Method = "offsets" if self._passes_trial() else "characters"

    def _passes_trial(self) -> bool:
        if not getattr(self._tokenizer, "is_fast", False):
            return False
        answer = self._tokenizer(
            list(TRIALS), add_special_tokens=False, return_offsets_mapping=True
        )
        mended = 0
        for text, ids, spans in zip(
            TRIALS, answer["input_ids"], answer["offset_mapping"], strict=True
        ):
            mended += self._mended(text, ids, [tuple(s) for s in spans]) is not None
        return mended * 2 < len(TRIALS)

    def offsets(
        self,
        texts: Sequence[str],
        ids: Sequence[Sequence[int]],
        special: Sequence[Sequence[int]],
        theirs: Sequence[Sequence[Span]] | None,
    ) -> tuple[list[list[Span]], int]:
        """Give the characters that each sub-token covers.

        Parameters
        ----------
        texts : sequence of str
            What was tokenised.
        ids, special : sequence of sequence of int, one a text
            Token ids, and 1 for each special token.
        theirs : sequence of sequences of (int, int), optional
            The tokenizer's own offsets; not needed by the method ``"characters"``.

        Returns
        -------
        offsets : list of list of (int, int)
            One a token; (0, 0) for special tokens.
        n_mended : int
            Texts that were aligned by characters although the method is ``"offsets"``.
        """
        found: list[list[Span]] = []
        n_mended = 0
        for k, text in enumerate(texts):
            rows = [n for n, mark in enumerate(special[k]) if not mark]
            content = [ids[k][n] for n in rows]
            own: list[Span] | None
            if self.method == "characters" or theirs is None:
                own = align_characters(text, self._spelling.of(content))
            else:
                own = self._mended(text, content, [theirs[k][n] for n in rows])
                n_mended += own is not None
            if own is None and theirs is not None:
                found.append(list(theirs[k]))
                continue
            spans = [(0, 0)] * len(ids[k])
            for n, span in zip(rows, own or (), strict=True):
                spans[n] = span
            found.append(spans)
        return found, n_mended

    def spells(self, ids: Sequence[int], text: str) -> bool | None:
        """Say whether sub-tokens spell a text, but for case, marks and forms.

        Parameters
        ----------
        ids : sequence of int
            Token ids without special ones.
        text : str
            Such as a word.

        Returns
        -------
        bool or None
            None where one of them is the unknown token.
        """
        parts = self._spelling.of(ids)
        if any(part is None for part in parts):
            return None
        return bare(readable(b"".join(part or b"" for part in parts))) == bare(text)

    def _mended(self, text: str, ids: Sequence[int], spans: Sequence[Span]) -> list[Span] | None:
        """Align by characters where the offsets look wrong and that looks better."""
        agreed = self._agreed  # nearly always all of them do, and it has to be fast
        if all([agreed.get((i, text[a:b])) for i, (a, b) in zip(ids, spans, strict=True)]):
            starts = [a for a, _ in spans]
            if starts == sorted(starts) and (not spans or spans[-1][1] <= len(text)):
                return None
        wrong = self._n_wrong(text, ids, spans)
        if not wrong:
            return None
        own = align_characters(text, self._spelling.of(ids))
        if self._n_wrong(text, ids, own) < wrong:
            return own
        pairs = zip(ids, spans, strict=True)
        if any(end <= first and i not in self._marks for i, (first, end) in pairs):
            return own  # not better, but it covers characters
        return None

    def _n_wrong(self, text: str, ids: Sequence[int], spans: Sequence[Span]) -> int:
        wrong, last, n = 0, 0, len(text)
        for i, (first, end) in zip(ids, spans, strict=True):
            piece = text[first:end]
            if i in self._marks:
                self._agreed[i, piece] = True
                continue
            agrees = self._agreed.get((i, piece))
            if agrees is None:
                agrees = self._agreed[i, piece] = self._agrees(i, piece)
            wrong += not agrees or first < last or end > n
            last = first
        return wrong

    def _agrees(self, token: int, piece: str) -> bool:
        if not piece:
            return False
        (spelled,) = self._spelling.of([token])
        if spelled is None:
            return True
        characters = readable(spelled)
        whole = "".join(c for c in characters if not "\udc80" <= c <= "\udcff")
        is_part = len(whole) < len(characters)  # some of its bytes are of a character cut in two
        return bare(whole) in bare(piece) if is_part else bare(whole) == bare(piece)
