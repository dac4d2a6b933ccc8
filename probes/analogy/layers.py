"""Words and a vector a word at every layer, read from an activation store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from probes.analogy.contexts import Ints
from probes.analogy.vectors import Vectors
from probes.errors import unknown
from probes.states import ActivationStore

How = Literal["bare", "template", "contexts"]
"""How a word gets a vector: alone, within a sentence that is the same for all, or as the mean over
sentences of a corpus."""

_BLOCK_BYTES = 1 << 26
"""Of vectors of single occurrences that are in memory together."""


@dataclass(frozen=True, eq=False)
class LayerVectors:
    """Words and a vector a word at each layer; read from the store layer by layer.

    Made by `probes.analogy.states.model_vectors`.

    Parameters
    ----------
    how : {"bare", "template", "contexts"}
        How the words got their vectors.
    words : tuple of str
        Those that have one, in the order in which they were asked for.
    single : ndarray of shape (n_words,), bool
        Which of them are one sub-token, and not the unknown one; of contexts, in all of them.
    n_contexts : ndarray of shape (n_words,), int64
        How many vectors each is the mean of: 1 unless of contexts.
    lost : tuple of str
        The words that were asked for and have no vector.
    layers : tuple of str
        In the model's order.
    notes : tuple of str
        What a reader must know of them.
    store : ActivationStore
        Holds a vector an occurrence.
    rows, owner : ndarray of shape (n_occurrences,), int64
        Those that are used, rising, and of each the word, by its number.
    """

    how: How
    words: tuple[str, ...]
    single: npt.NDArray[np.bool_]
    n_contexts: Ints
    lost: tuple[str, ...]
    layers: tuple[str, ...]
    notes: tuple[str, ...]
    store: ActivationStore
    rows: Ints
    owner: Ints

    @property
    def n_lost(self) -> int:
        """Number of words that were asked for and have no vector."""
        return len(self.lost)

    @property
    def fingerprint(self) -> str:
        """Digest of what decides the vectors: the model, texts, words in them, and pooling."""
        return self.store.layout.digest

    def X(self, layer: str | int) -> npt.NDArray[np.float32]:
        """Read one layer.

        Parameters
        ----------
        layer : str or int
            One of `layers`.

        Returns
        -------
        ndarray of shape (n_words, width), float32
            A copy in memory, in the order of `words`; beside it no more than a block of
            occurrences is read at once.

        Raises
        ------
        InputError
            If there is no such layer, or its file is damaged.
        """
        if str(layer) not in self.layers:
            raise unknown("layer", str(layer), self.layers)
        if self.how != "contexts":
            return self.store.X(layer, self.rows)
        width = self.store.layout.widths[str(layer)]
        sums = np.zeros((len(self.words), width), dtype=np.float32)
        size = max(_BLOCK_BYTES // (4 * width), 1)
        for start in range(0, len(self.rows), size):
            block = self.store.X(layer, self.rows[start : start + size])
            owner = self.owner[start : start + size]
            order = np.argsort(owner, kind="stable")
            words, first = np.unique(owner[order], return_index=True)
            sums[words] += np.add.reduceat(block[order], first, axis=0)
        sums /= self.n_contexts[:, None].astype(np.float32)
        return sums

    def vectors(self, layer: str | int) -> Vectors:
        """Give one layer as word vectors, named by the layer; as `X`."""
        return Vectors(self.words, self.X(layer), f"layer {layer}")
