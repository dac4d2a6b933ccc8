"""The nearest vector to C - A + B by Euclidean distance, as a method of the solver of analogies."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from probes.analogy.solve import ROUNDING, Floats, Ints
from probes.analogy.words import Cosines, OfWords


class Nearest(OfWords):
    """-|x - (a* - a + b)|, of vectors as they are, and not of directions (McCoy et al. 2019).

    In lengths of the longest vector. Unlike the other methods it is exact where vectors are
    sums, as those of a role scheme: between unit vectors of sequences of several lengths,
    A - B = C - D need not hold.

    Parameters
    ----------
    cosines : Cosines
        Of the questions; their words are sequences.
    """

    # Twice the products with three vectors, a square, and the sum of them in float32, and twice.
    tolerance = 20 * ROUNDING

    def __init__(self, cosines: Cosines) -> None:
        super().__init__(cosines)
        lengths = self.space.norms * self.space.lengths.numpy()
        self._sizes = lengths / (lengths.max(initial=0) or 1.0)
        self._of_rows = torch.from_numpy(self._sizes[np.unique(self.left_out)].astype(np.float32))

    def begin(self, low: int, high: int) -> None:
        """As `Score.begin`."""
        super().begin(low, high)
        sizes = torch.from_numpy(self._sizes[low:high].astype(np.float32))
        self._products = (self.cosines.table * (2 * self._of_rows[:, None])).mul_(sizes)
        self._squares = sizes**2

    def tile(self, rows: slice) -> Tensor:
        """As `Score.tile`: the square, without what is the same for all words of a question."""
        a, a_star, b = self._rows(rows)
        tile = self._products.index_select(0, b).add_(self._offset(self._products, a, a_star))
        return tile.sub_(self._squares)

    def exact(self, questions: Ints, words: Ints) -> Floats:
        """As `Score.exact`."""
        a, a_star, b = (self._vectors(column) for column in self.left_out[questions].T)
        return -np.linalg.norm(self._vectors(words) - (a_star - a + b), axis=1)

    def _vectors(self, words: Ints) -> Floats:
        """Give vectors in units of the longest one, shape (n, width)."""
        return self.space.exact(words) * self._sizes[words][:, None]
