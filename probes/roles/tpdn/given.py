"""The decomposition with given fillers: role by role a linear map of the words' own vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from probes.roles.schemes import RoleScheme
from probes.roles.tpdn.bindings import (
    UNSEEN,
    Bindings,
    Floats,
    Vocabulary,
    given_vectors,
    weighted,
)
from probes.roles.tpdn.least_squares import PENALTIES
from probes.roles.tpdn.linear import LinearDecomposition

STRONG = (10.0, 1.0, 0.1, *PENALTIES)
"""Components have a mean square of 1, and there are hundreds of them for a few thousand sentences:
the penalties that count are stronger than those of the rare pairs of the additive fit."""


class GivenTPDN(LinearDecomposition):
    """Ridge regression on Σ_i (1, e(s_i)) ⊗ onehot(role_i(s)), exact, all layers together.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles.
    embeddings : mapping of filler to ndarray of shape (dimension,)
        The fillers' vectors e: leading components of a model's word-embedding table, static
        vectors. (Not a model's layer 0, which may hold position.) `fit` raises InputError if a
        filler of training has none.
    penalties : tuple of float
        Of the squared weights, per mean loss; held-out sequences choose one for each layer.
        Components are divided by their overall root mean square first.
    random_state : int
        Of the draw of held-out sequences.

    Notes
    -----
    The tensor product decomposition of McCoy et al. (2019, section 2) with pretrained filler
    embeddings and one-hot roles; the constant 1 beside e is the bias of their linear squeeze. A
    filler that training lacks is decomposed by its vector all the same; `unseen` still counts it.
    """

    def __init__(
        self,
        scheme: RoleScheme,
        embeddings: Mapping[Any, npt.NDArray[Any]],
        *,
        penalties: Sequence[float] = STRONG,
        random_state: int = 0,
    ) -> None:
        self.scheme = scheme
        self.embeddings = embeddings
        self.penalties = penalties
        self.random_state = random_state

    def _learn(self, trained: Vocabulary) -> Vocabulary:
        fillers = dict(trained.fillers)
        for filler in self.embeddings:
            fillers.setdefault(filler, len(fillers))
        self._n_trained = len(trained.fillers)
        self._table: Floats = given_vectors(self.embeddings, fillers, self._n_trained)
        return Vocabulary(fillers, trained.roles)

    def _design(self, bindings: Bindings) -> sparse.csr_array:
        return weighted(bindings, self._table, self.vocabulary_.n_roles)

    def _of_training(self, bindings: Bindings) -> Bindings:
        return replace(
            bindings, filler=np.where(bindings.filler < self._n_trained, bindings.filler, UNSEEN)
        )

    @property
    def n_parameters_(self) -> int:
        """Components, the constant among them, times roles times width."""
        return self._table.shape[1] * self.vocabulary_.n_roles * self._shape[-1]
