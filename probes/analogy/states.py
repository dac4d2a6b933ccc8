"""The vectors of words at every layer of a Hugging Face model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt

from probes.analogy.contexts import Occurrences, draw_occurrences, read_corpus
from probes.analogy.layers import How, LayerVectors
from probes.diagnostic.folder import make_folder
from probes.diagnostic.run import Progress, Silent, fill
from probes.encoders import TextEncoder, parse_layers
from probes.errors import InputError, unknown
from probes.states import ActivationStore
from probes.task import Task

TEMPLATE = "The word {} is used here."
"""It mentions the word, so that any part of speech fits; spaces on both sides, so that a tokenizer
cuts the word as within a running text; words before it, for models that see no others."""

N_CONTEXTS = 10
_N_TEXTS = 1024  # that are cut into sub-tokens together

Bools = npt.NDArray[np.bool_]


def model_vectors(
    encoder: TextEncoder | str,
    words: Sequence[str],
    how: How,
    *,
    root: str | Path,
    layers: str = "all",
    template: str = TEMPLATE,
    corpus: Sequence[str] | str | Path | None = None,
    n_contexts: int = N_CONTEXTS,
    seed: int = 0,
    progress: Progress | None = None,
) -> LayerVectors:
    """Encode words at every layer of a model, in one pass; a second call reads the store.

    Parameters
    ----------
    encoder : TextEncoder or str
        The model, or its folder or name on the hub.
    words : sequence of str
        All different.
    how : {"bare", "template", "contexts"}
        - ``"bare"``: the word alone, with the special tokens that the tokenizer adds; in a causal
          model after its beginning-of-sequence token, where it has one.
        - ``"template"``: the word within a sentence.
        - ``"contexts"``: the mean over occurrences in a corpus (`draw_occurrences`). Words without
          any have no vector.
    root : str or Path
        Folder of activation stores.
    layers : str
        As `parse_layers` reads it.
    template : str
        With ``{}`` where the word stands; in a causal model not at its beginning.
    corpus : sequence of str, or str or Path, optional
        Plain sentences, or a file of them, one a line. Longer ones than the model allows are read
        in windows.
    n_contexts : int
        The most occurrences of a word.
    seed : int
        Of their draw.
    progress : Progress, optional
        Where to show how far the pass is; nowhere by default.

    Returns
    -------
    LayerVectors
        The sub-tokens of a word are averaged.

    Raises
    ------
    InputError
        If a setting or a word cannot be used, the model cannot be read, or no word has a vector.

    Notes
    -----
    Bommasani, Davis, Cardie (2020), doi:10.18653/v1/2020.acl-main.431, compare bare words
    (*decontextualized*) with means over contexts (*aggregated*). Tokenizers that count the space
    before a word as part of it (byte-level BPE) cut a bare word as at the beginning of a text,
    often into more sub-tokens than within one: a note says how many.
    """
    _require(words, how, template, n_contexts, seed)
    texts: Sequence[str] = ()
    if how == "contexts":
        if corpus is None:
            raise InputError("contexts are drawn from a corpus; give one, or how='template'")
        texts = read_corpus(corpus)
    folder = Path(root)
    make_folder(folder, "root")
    if isinstance(encoder, str):
        encoder = TextEncoder.from_pretrained(encoder)
    chosen = parse_layers(layers, encoder.layers)
    if how == "contexts":
        places = _in_corpus(encoder, words, texts, n_contexts, seed)
    else:
        places = _one_each(words, "{}" if how == "bare" else _fitting(template, encoder))
    store = fill(
        _task(places, how),
        encoder,
        folder,
        progress or Silent(),
        layers=chosen,
        pooling="mean",
        truncation="window" if how == "contexts" else "error",
        lost="skip",
    )
    return _gathered(encoder, words, how, chosen, places, store, n_contexts)


def _require(words: Sequence[str], how: str, template: str, n_contexts: int, seed: int) -> None:
    if how not in get_args(How):
        raise unknown("way from a word to a vector", how, get_args(How))
    if n_contexts < 1 or not 0 <= seed < 2**32:
        raise InputError(
            f"n_contexts {n_contexts}, seed {seed}: expected n_contexts of 1 or more, a seed of "
            "0 to 2**32 - 1"
        )
    if template.count("{}") != 1:
        raise InputError(
            f"template {template!r} has {template.count('{}')} places for the word; expected one "
            f"{{}}, as in {TEMPLATE!r}"
        )
    if isinstance(words, str) or not len(words):
        raise InputError("no list of words to encode; give at least one")
    seen: dict[str, int] = {}
    for number, word in enumerate(words):
        if not word or word != word.strip():
            raise InputError(f"word {number} is {word!r}; expected no blank at its edges")
        if (before := seen.setdefault(word, number)) != number:
            raise InputError(f"word {number}, {word!r}, is word {before} already; give each once")


def _in_corpus(
    encoder: TextEncoder, words: Sequence[str], texts: Sequence[str], n: int, seed: int
) -> Occurrences:
    places = draw_occurrences(words, texts, n, seed=seed, after_others=encoder.is_causal)
    if not len(places.word):
        raise InputError(
            f"none of the {len(words)} words occurs in the corpus ({len(texts)} texts) beside "
            "other words; give sentences in which they do"
        )
    return places


def _fitting(template: str, encoder: TextEncoder) -> str:
    """Give a template in which a model sees words before the word."""
    if encoder.is_causal and not template.partition("{}")[0].strip():
        raise InputError(
            f"template {template!r}: {encoder.name} is causal and sees only what stands before "
            f"a word, so put words before {{}}, as in {TEMPLATE!r}"
        )
    return template


def _one_each(words: Sequence[str], template: str) -> Occurrences:
    before, _, after = template.partition("{}")
    lengths = np.asarray([len(word) for word in words], dtype=np.int64)
    numbers = np.arange(len(words), dtype=np.int64)
    return Occurrences(
        texts=tuple(f"{before}{word}{after}" for word in words),
        text_index=numbers,
        spans=np.column_stack([np.full_like(lengths, len(before)), len(before) + lengths]),
        word=numbers,
    )


def _task(places: Occurrences, how: How) -> Task:
    n = len(places.word)
    labels = np.empty(n, dtype=object)
    labels[:] = "word"
    return Task(
        name="words",
        labelling="word",
        unit="word",
        kind="class",
        texts=places.texts,
        text_index=places.text_index,
        spans=places.spans,
        labels=labels,
        splits=np.full(n, "test"),
        groups=np.full(n, "words"),
        title=how if how == "contexts" else f"{how} words",
    )


def _gathered(
    encoder: TextEncoder,
    words: Sequence[str],
    how: How,
    layers: tuple[str, ...],
    places: Occurrences,
    store: ActivationStore,
    most: int,
) -> LayerVectors:
    rows = np.setdiff1d(np.arange(len(places.word), dtype=np.int64), store.lost)
    if not len(rows):
        raise InputError(
            f"no sub-token of {encoder.name} covers any of the {len(words)} words; check that they "
            "are words of its language"
        )
    owner = places.word[rows]
    counts = np.bincount(owner, minlength=len(words)).astype(np.int64)
    has = counts > 0
    whole, is_unknown = _cut(encoder, places)
    several = np.bincount(owner, ~whole[rows], minlength=len(words)) > 0
    notes = list(_of_left_out(np.isin(np.arange(len(words)), places.word), has))
    notes += _of_found(how, len(np.unique(owner[is_unknown[rows]])), counts[has], most, store)
    if how == "bare":
        notes.extend(_of_bare(encoder, words, int(whole.sum())))
    return LayerVectors(
        how=how,
        words=tuple(compress(words, has)),
        single=~several[has],
        n_contexts=counts[has],
        lost=tuple(compress(words, ~has)),
        layers=layers,
        notes=tuple(notes),
        store=store,
        rows=rows,
        owner=(np.cumsum(has) - 1)[owner],
    )


def _of_left_out(occurs: Bools, has: Bools) -> Iterator[str]:
    """Say how many words have no vector, and why."""
    if n := int((~occurs).sum()):
        yield (
            f"{n:,} of {len(has):,} words occur nowhere in the corpus beside other words, and "
            "are left out"
        )
    if n := int((occurs & ~has).sum()):
        yield f"{n:,} of {len(has):,} words have no sub-token of their own, and are left out"


def _of_found(
    how: How, n_unknown: int, counts: npt.NDArray[np.int64], most: int, store: ActivationStore
) -> Iterator[str]:
    """Say of how many words that have vectors these are made of less, or otherwise."""
    if n_unknown:
        yield f"{n_unknown:,} words hold characters that the tokenizer does not know"
    if how == "contexts" and (n := int((counts < most).sum())):
        yield f"{n:,} of {len(counts):,} words have fewer than {most} contexts"
    if n := store.count("n_windowed"):
        yield f"{n:,} texts are longer than the model allows, and were read in windows"


def _of_bare(encoder: TextEncoder, words: Sequence[str], n_single: int) -> Iterator[str]:
    """Say in what bare words are worse off than words within a text."""
    if encoder.is_causal and not encoder.inputs.decodes:
        if encoder.tokens.beginning == "none":
            yield (
                "nothing stands before a bare word: this causal model has no beginning-of-sequence "
                "token, and its first position, which sees nothing but itself, is often an "
                "attention sink of great norm; prefer a template"
            )
        elif encoder.tokens.beginning == "prepended":
            yield (
                "a bare word stands after a beginning-of-sequence token that the tokenizer itself "
                "does not add; where a causal model was trained without it, the word may be an "
                "attention sink of great norm: compare with a template"
            )
    within = int(_cut(encoder, _one_each(words, TEMPLATE))[0].sum())
    if within > n_single:
        yield (
            f"{n_single:,} of {len(words):,} bare words are single sub-tokens, within a text "
            f"{within:,}: the tokenizer counts the space before a word as part of it; compare with "
            "a template"
        )


def _cut(encoder: TextEncoder, places: Occurrences) -> tuple[Bools, Bools]:
    """Say of each occurrence whether it is one known sub-token, and whether it holds unknown ones.

    The store, which may be of an earlier run, does not tell.
    """
    whole, is_unknown = [], []
    for start in range(0, len(places.texts), _N_TEXTS):
        low, high = np.searchsorted(places.text_index, [start, start + _N_TEXTS])
        pieces = encoder.tokenize(places.texts[start : start + _N_TEXTS])
        first, end = pieces.cover(places.text_index[low:high] - start, places.spans[low:high]).T
        unknown_before = np.zeros(len(pieces.content) + 1, dtype=np.int64)
        unknown_before[1:] = pieces.ids[pieces.content] == encoder.tokenizer.unk_token_id
        unknown_before = unknown_before.cumsum()
        is_unknown.append(unknown_before[end] > unknown_before[first])
        whole.append((end - first == 1) & ~is_unknown[-1])
    return np.concatenate(whole), np.concatenate(is_unknown)
