"""Words as a model's own table of embeddings has them, without context or position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from probes.encoders.text import TextEncoder
from probes.errors import InputError

BEFORE = "a "
"""Stands before a word when it is cut into sub-tokens, which many tokenizers cut otherwise where a
text begins."""


def word_components(
    encoder: TextEncoder, words: Sequence[str], n_components: int = 50
) -> dict[Any, npt.NDArray[np.float32]]:
    """Give words by the leading components of the model's word-embedding table.

    Parameters
    ----------
    encoder : TextEncoder
        Whose input embeddings are read: not its layer 0, in which a position may stand too.
    words : sequence of str
        Distinct.
    n_components : int
        Of a narrower table, all that it has.

    Returns
    -------
    dict of str to ndarray of shape (n_components,)
        Of each word: the mean over its sub-tokens, projected on the principal components of the
        whole table. A word that no sub-token covers is given the zero vector.

    Raises
    ------
    InputError
        If the model states no table.
    """
    try:
        table = encoder.model.get_input_embeddings().weight.detach().double().cpu()
    except (AttributeError, NotImplementedError):
        raise InputError(
            f"the model {encoder.name!r} states no table of word embeddings; give static vectors"
        ) from None
    n_components = min(n_components, table.shape[1])
    centred = table - table.mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    reduced = (centred @ axes.flip(1)[:, :n_components]).numpy()
    pieces = encoder.tokenize([BEFORE + word for word in words])
    spans = np.asarray([(len(BEFORE), len(BEFORE) + len(word)) for word in words], dtype=np.int64)
    found = {}
    covered = pieces.cover(np.arange(len(words), dtype=np.int64), spans)
    for word, (first, end) in zip(words, covered.tolist(), strict=True):
        ids = pieces.ids[pieces.content[first:end]]
        mean = reduced[ids].mean(0) if len(ids) else np.zeros(n_components)
        found[word] = mean.astype(np.float32)
    return found
