"""The clauses about text: every word has its sub-tokens, on hard strings and on the user's file."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from probes.doctor.verdict import Check, Outcome
from probes.encoders import TextEncoder
from probes.encoders.align import Ints
from probes.encoders.spelling import bare
from probes.errors import InputError


def hard_strings() -> list[str]:
    """Read the strings on which alignment is tried, in many scripts.

    Returns
    -------
    list of str
        The last column of ``strings.tsv``.
    """
    source = importlib.resources.files("probes.doctor").joinpath("strings.tsv")
    lines = source.read_text(encoding="utf-8").split("\n")
    return [
        _unescaped(line.split("\t", 2)[2]) for line in lines if line and not line.startswith("#")
    ]


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda match: chr(int(match[1], 16)), text)


def read_file(path: str) -> list[str]:
    """Read a user's texts: one a line; of CoNLL-U, the words of a sentence joined by spaces.

    Parameters
    ----------
    path : str
        Of a text file in UTF-8.

    Returns
    -------
    list of str
        Those that are not empty.

    Raises
    ------
    InputError
        If it cannot be read, or holds no text.
    """
    place = Path(path)
    if place.is_dir():
        raise InputError(f"{path} is a folder; give a text file, one text a line, or CoNLL-U")
    if not place.is_file():
        raise InputError(f"there is no file {path}; give a text file, one text a line, or CoNLL-U")
    try:
        content = place.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from None
    texts = _sentences(content, path) if place.suffix == ".conllu" else content.split("\n")
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise InputError(f"{path} holds no text; give one text a line, or CoNLL-U")
    return texts


def _sentences(content: str, path: str) -> list[str]:
    import pyconll  # here, because a model is mostly examined without a treebank

    try:
        return [
            " ".join(t.form or "_" for t in sentence if not t.is_multiword() and "." not in t.id)
            for sentence in pyconll.load_from_string(content)
        ]
    except (pyconll.exception.ParseError, pyconll.exception.FormatError) as error:
        raise InputError(f"{path} is no CoNLL-U: {' '.join(str(error).split())}") from None


def words_in(texts: Sequence[str]) -> tuple[Ints, Ints, list[str]]:
    """Find the words of texts, by white space.

    Parameters
    ----------
    texts : sequence of str
        Any number.

    Returns
    -------
    index : ndarray of shape (n_words,), int64
        The text of each.
    spans : ndarray of shape (n_words, 2), int64
        Its characters.
    words : list of str
        Themselves.
    """
    found = [list(re.finditer(r"\S+", text)) for text in texts]
    index = np.repeat(np.arange(len(texts)), [len(words) for words in found])
    flat = [word for words in found for word in words]
    spans = np.array([word.span() for word in flat], dtype=np.int64).reshape(-1, 2)
    return index, spans, [word[0] for word in flat]


@dataclass(frozen=True)
class Alignment:
    """How the words of some texts fare.

    Parameters
    ----------
    n_texts, n_words : int
        What was asked; words are separated by white space.
    lost : sequence of (int, str)
        Text and word of those that no sub-token covers.
    misspelt : sequence of (int, str)
        Those whose sub-tokens spell something else, as far as they can be told.
    n_unknown : int
        Words with an unknown token in them.
    n_mended : int
        Texts whose offsets were wrong and were made anew.
    n_special : int
        Sub-tokens of the texts themselves that are special tokens of the model.
    lengths : ndarray of int64
        Sub-tokens of each text.
    """

    n_texts: int
    n_words: int
    lost: Sequence[tuple[int, str]]
    misspelt: Sequence[tuple[int, str]]
    n_unknown: int
    n_mended: int
    n_special: int
    lengths: Ints


def align_words(encoder: TextEncoder, texts: Sequence[str]) -> Alignment:
    """Align every word of some texts, and read each word back from its sub-tokens.

    Parameters
    ----------
    encoder : TextEncoder
        Its tokenizer is used, not its model.
    texts : sequence of str
        At least one.

    Returns
    -------
    Alignment
        Words that share a sub-token with a neighbour are not read back.
    """
    index, spans, found = words_in(texts)
    pieces, n_mended = encoder.tokens.pieces(texts)
    covered = pieces.cover(index, spans).tolist()
    uses = np.zeros(len(pieces.content) + 1, dtype=np.int64)
    for first, end in covered:
        uses[first] += 1
        uses[end] -= 1
    uses = np.cumsum(uses)[:-1]
    n_special = int(np.isin(pieces.ids[pieces.content], encoder.tokens.special_ids).sum())
    lost, misspelt, n_unknown = [], [], 0
    for text, word, (first, end) in zip(index.tolist(), found, covered, strict=True):
        if first >= end:
            lost.append((text, word))
        elif uses[first:end].max() == 1:
            same = encoder.tokens.aligner.spells(
                pieces.ids[pieces.content[first:end]].tolist(), word
            )
            n_unknown += same is None
            if same is False:
                misspelt.append((text, word))
    return Alignment(
        len(texts), len(found), lost, misspelt, n_unknown, n_mended, n_special, pieces.lengths
    )


def alignment(encoder: TextEncoder, texts: Sequence[str], what: str, *, own: bool) -> list[Check]:
    """Turn an alignment into clauses.

    Parameters
    ----------
    encoder : TextEncoder
        Whose tokenizer is examined.
    texts : sequence of str
        On what.
    what : str
        Their name.
    own : bool
        Whether they are the user's, so that lost words and long texts matter.

    Returns
    -------
    list of Check
        Of alignment; for the user's texts also of their length.
    """
    seen = align_words(encoder, texts)
    wrong = len(seen.misspelt) / max(seen.n_words, 1)
    said = f"{seen.n_words:,} words of {seen.n_texts:,} texts by {encoder.tokens.aligner.method}"
    said += f"; without a sub-token: {len(seen.lost):,}{_first(seen.lost)}"
    said += f"; read back as something else: {len(seen.misspelt):,}{_first(seen.misspelt)}"
    if seen.n_unknown:
        said += f"; with an unknown token: {seen.n_unknown:,}"
    if seen.n_mended:
        said += f"; texts whose offsets were wrong and were mended: {seen.n_mended:,}"
    if seen.n_special:
        said += f"; read as special tokens of the model: {seen.n_special:,}"
    failed = wrong > (0.01 if own else 0.05)
    advice = ""
    if failed:
        advice = "the tokenizer rewrites text beyond recognition: look at these words"
    elif own and seen.lost:
        advice = "leave such words out with --lost skip, or mend the file"
    elif own and seen.n_special:
        advice = "the text writes out special tokens, and the model takes them for its own"
    warned = own and (seen.lost or seen.n_special)
    outcome: Outcome = "fail" if failed else "warn" if warned else "pass"
    checks = [Check(f"alignment: {what}", outcome, said, wrong, advice, own)]
    if own:
        checks.append(_length(encoder, seen.lengths))
    return checks


def _first(words: Sequence[tuple[int, str]]) -> str:
    if not words:
        return ""
    text, word = words[0][0], words[0][1][:30]
    shown = repr(word) if bare(word) else ascii(word)  # marks and controls alone are not seen
    return f" (first {shown} of text {text})"


def _length(encoder: TextEncoder, lengths: Ints) -> Check:
    if encoder.max_tokens is None:
        return Check("length of texts", "pass", "the model states no limit", of_file=True)
    over = float((lengths > encoder.max_tokens).mean())
    lost = np.maximum(lengths - encoder.max_tokens, 0).sum() / lengths.sum()
    said = (
        f"the longest has {lengths.max():,} sub-tokens, the limit is {encoder.max_tokens:,}; "
        f"longer: {over:.1%} of the texts; truncation would take {lost:.1%} of all sub-tokens"
    )
    if not over:
        return Check("length of texts", "pass", said, over, of_file=True)
    return Check("length of texts", "warn", said, over, "choose --truncation window", True)
