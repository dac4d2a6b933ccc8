"""What a sub-token spells, and when two spellings are the same for an aligner."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal

from rapidfuzz.distance import Indel

Kind = Literal["characters", "byte alphabet", "one byte a character"]

KINDS: tuple[Kind, ...] = ("characters", "byte alphabet", "one byte a character")
TRIAL = "The naïve café serves 15 unbelievable dishes, doesn't it? 日本語 Привет мир ﷺ"
"""Characters of one to four bytes, upper case, marks, digits and punctuation."""

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Spelling:
    """What each sub-token of a tokenizer spells, read off its vocabulary.

    Parameters
    ----------
    tokenizer : transformers.PreTrainedTokenizerBase
        With any backend.
    vocabulary : collection of str
        All its tokens.

    Attributes
    ----------
    kind : {"characters", "byte alphabet", "one byte a character"}
        How the vocabulary is written: as text (WordPiece, Unigram, BPE over characters), in the
        alphabet of 256 printable characters that byte-level BPE uses, or with the character of
        the same number for each byte (ByT5). Found by trial: whichever spells a text best.
    """

    def __init__(self, tokenizer: Any, vocabulary: Collection[str]) -> None:
        self._tokenizer = tokenizer
        self._unknown = tokenizer.unk_token_id
        tried = tokenizer.convert_ids_to_tokens(
            tokenizer(TRIAL, add_special_tokens=False)["input_ids"]
        )
        self._space = "▁" if any("▁" in token for token in tried) else ""  # as text it has none
        self._prefix, self._suffix = _continuation(vocabulary)
        self._known: dict[int, bytes | None] = {}
        self.kind: Kind = self._by_trial(tried)

    def _by_trial(self, tokens: Sequence[str]) -> Kind:
        wanted = fold(TRIAL)

        def likeness(kind: Kind) -> float:
            spelled = b"".join(self._spell(token, kind) for token in tokens)
            return float(Indel.normalized_similarity(wanted, fold(readable(spelled))))

        return max(KINDS, key=likeness)  # of a tie the first

    def of(self, ids: Sequence[int]) -> list[bytes | None]:
        """Give the bytes that each sub-token stands for.

        Parameters
        ----------
        ids : sequence of int
            Token ids.

        Returns
        -------
        list of (bytes or None)
            UTF-8, perhaps a part of a character; None for the unknown token.
        """
        new = [i for i in dict.fromkeys(ids) if i not in self._known]
        for i, token in zip(new, self._tokenizer.convert_ids_to_tokens(new), strict=True):
            self._known[i] = None if i == self._unknown else self._spell(token or "", self.kind)
        return [self._known[i] for i in ids]

    def _spell(self, token: str, kind: Kind) -> bytes:
        if kind == "byte alphabet":
            alphabet = byte_alphabet()
            if all(c in alphabet for c in token):
                return bytes(alphabet[c] for c in token)
        elif kind == "one byte a character":
            if len(token) == 1 and ord(token) < 256:
                return bytes([ord(token)])
        elif match := _BYTE.fullmatch(token):
            return bytes([int(match[1], 16)])
        else:
            token = token.replace(self._space, " ") if self._space else token
            if self._prefix and len(token) > len(self._prefix):
                token = token.removeprefix(self._prefix)
            if self._suffix and len(token) > len(self._suffix):
                token = token.removesuffix(self._suffix)
        return token.encode("utf-8", "surrogatepass")


def _continuation(vocabulary: Collection[str]) -> tuple[str, str]:
    """Find the marks by which many tokens say that a word goes on, or ends.

    As text a tokenizer may hold the same characters; then few of its tokens have them.
    """
    enough = max(len(vocabulary) // 50, 3)

    def is_mark(mark: str, has: Callable[[str, str], bool]) -> bool:
        return sum(has(token, mark) and token != mark for token in vocabulary) >= enough

    prefix = "##" if is_mark("##", str.startswith) else ""
    return prefix, next((m for m in ("</w>", "@@") if is_mark(m, str.endswith)), "")


@functools.cache
def byte_alphabet() -> dict[str, int]:
    """Say which byte each character of byte-level BPE's alphabet stands for.

    Returns
    -------
    dict of str to int
        256 characters. Printable ones of Latin-1 stand for their own number; the other bytes are
        given the characters from U+0100 on, in order.

    Notes
    -----
    Radford et al. (2019), the byte-level vocabulary of GPT-2.
    """
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(0x100 + k): b for k, b in enumerate(others)}


def readable(spelled: bytes) -> str:
    """Decode UTF-8; each byte that belongs to no whole character stays a character of its own."""
    return spelled.decode("utf-8", "surrogateescape")


@functools.lru_cache(maxsize=1 << 16)
def fold_character(character: str) -> str:
    """Fold a character to what it shares with its variants; ``""`` for white space.

    Compatibility forms (full width, ligatures, letters with marks) are taken apart, and the case
    of what is no mark is folded (an iota subscript stays a mark): NFKD, casefold, NFKD.
    """
    apart = unicodedata.normalize("NFKD", character)
    folded = "".join(c if unicodedata.category(c)[0] == "M" else c.casefold() for c in apart)
    return "".join(c for c in unicodedata.normalize("NFKD", folded) if not c.isspace())


def fold(text: str) -> str:
    """Fold every character of a text, as `fold_character`."""
    return "".join(map(fold_character, text))


def bare(text: str) -> str:
    """Fold a text and leave out what tokenizers drop: marks, control and format characters."""
    return "".join(
        c for c in fold(text) if unicodedata.category(c) not in _DROPPED and c != "\ufffd"
    )


_DROPPED = ("Mn", "Mc", "Me", "Cf", "Cc")
