"""Decompositions that are linear in all that is free, solved exactly, all layers together."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from probes.errors import InputError
from probes.roles.sequences import Fillers
from probes.roles.tpdn.bindings import Bindings, Floats, Vocabulary, number
from probes.roles.tpdn.decomposition import Decomposition, Dev, with_dev
from probes.roles.tpdn.least_squares import LinearFit, fit_least_squares


class LinearDecomposition(Decomposition):
    """Ridge regression on a design that a kind makes of filler-role bindings."""

    penalties: Sequence[float]
    random_state: int
    _fit: LinearFit

    @abstractmethod
    def _learn(self, trained: Vocabulary) -> Vocabulary:
        """Give the vocabulary that is known beside that of training."""

    @abstractmethod
    def _design(self, bindings: Bindings) -> sparse.csr_array:
        """Lay out numbered items, a row a sequence."""

    def fit(
        self, sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None = None
    ) -> Self:
        """Fit all that is free; as `Decomposition.fit`."""
        flat, held_out = with_dev(sequences, Z, dev, self.random_state)
        training, trained = number(sequences, self.scheme)
        self.vocabulary_ = self._learn(trained)
        self._remember(training, np.asarray(Z))
        self._fit = fit_least_squares(
            self._design(self._behind(training, dev)),
            flat,
            held_out,
            n_layers=np.shape(Z)[0] if np.ndim(Z) == 3 else 1,
            penalties=self.penalties,
            refit=dev is None,
        )
        return self

    @property
    def penalty_(self) -> Any:
        """The penalty as chosen: a float, or one a layer, shape (n_layers,)."""
        chosen = self._fit.penalties
        return float(chosen[0]) if len(self._shape) == 1 else chosen

    def _predict(self, bindings: Bindings) -> Floats:
        return self._fit.predict(self._design(bindings))

    def _binding(self, filler: int, role: int) -> Floats:
        one = Bindings(1, np.zeros(1, np.int64), np.asarray([filler]), np.asarray([[role]]))
        design = self._design(one)
        if not design.nnz:
            raise InputError(
                "this filler did not occur in this role in training; the additive decomposition "
                "knows pairs one by one (GivenTPDN and TPDN do not)"
            )
        return self._fit.direction(design)[0]
