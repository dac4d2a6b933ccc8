"""The decomposition with given fillers: role by role a linear map of the words' own vectors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from probes.errors import InputError
from probes.roles.schemes import RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.bindings import (
    Bindings,
    Floats,
    Ints,
    Shares,
    Vocabulary,
    number,
    unseen,
    weighted,
)
from probes.roles.tpdn.decomposition import Decomposition, Dev, with_dev
from probes.roles.tpdn.least_squares import PENALTIES, LinearFit, fit_least_squares

STRONG = (10.0, 1.0, 0.1, *PENALTIES)
"""Components have a mean square of 1, and there are hundreds of them for a few thousand sentences:
the penalties that count are stronger than those of the rare pairs of the additive fit."""


class GivenTPDN(Decomposition):
    """Ridge regression on Σ_i (1, e(s_i)) ⊗ onehot(role_i(s)), exact, all layers together.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles.
    embeddings : mapping of filler to ndarray of shape (dimension,)
        The fillers' vectors e: leading components of a model's word-embedding table, static
        vectors. (Not a model's layer 0, which may hold position.)
    penalties : tuple of float
        Of the squared weights, per mean loss; held-out sequences choose one for each layer.
        Components are divided by their overall root mean square first.
    random_state : int
        Of the draw of held-out sequences.

    Attributes
    ----------
    penalty_ : float, or ndarray of shape (n_layers,)
        As chosen.

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

    def fit(
        self, sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None = None
    ) -> Self:
        """Fit a linear map a role; as `Decomposition.fit`.

        Raises
        ------
        InputError
            Also if a filler of training has no embedding.
        """
        n_layers = np.shape(Z)[0] if np.ndim(Z) == 3 else 1
        flat, held_out = with_dev(sequences, Z, dev, self.random_state)
        training, trained = number(sequences, self.scheme)
        self._n_trained = len(trained.fillers)
        for filler in trained.fillers:
            if filler not in self.embeddings:
                raise InputError(f"no embedding of the filler {filler!r}; give one for each")
        fillers: dict[Hashable, int] = dict(trained.fillers)
        for filler in self.embeddings:
            fillers.setdefault(filler, len(fillers))
        self.vocabulary_ = Vocabulary(fillers, trained.roles)
        self._remember(training, np.asarray(Z))
        table = np.stack([np.asarray(self.embeddings[f], np.float64) for f in fillers])
        size = np.sqrt((table[: self._n_trained] ** 2).mean()) or 1.0
        self._table: Floats = np.column_stack([np.ones(len(table)), table / size])
        self._fit: LinearFit = fit_least_squares(
            self._design(self._behind(training, dev)),
            flat,
            held_out,
            n_layers=n_layers,
            penalties=self.penalties,
            refit=dev is None,
        )
        chosen = self._fit.penalties
        self.penalty_ = float(chosen[0]) if np.ndim(Z) == 2 else chosen
        return self

    def _design(self, bindings: Bindings) -> sparse.csr_array:
        return weighted(bindings, self._table, self.vocabulary_.n_roles)

    def _predict(self, bindings: Bindings) -> Floats:
        return self._fit.predict(self._design(bindings))

    def _binding(self, filler: int, role: int) -> Floats:
        one = Bindings(1, np.zeros(1, np.int64), np.asarray([filler]), np.asarray([[role]]))
        return self._fit.direction(self._design(one))[0]

    def unseen(self, sequences: Sequence[Fillers]) -> Shares:
        """Measure which shares of fillers, roles and filler-role pairs training lacked."""
        n_roles, known = self.vocabulary_.n_roles, self._pairs
        bindings = self._renumbered(sequences)
        trained = np.where(bindings.filler < self._n_trained, bindings.filler, -1)
        old = Bindings(bindings.n_sequences, bindings.sequence, trained, bindings.roles)

        def knows(filler: Ints, role: Ints) -> npt.NDArray[np.bool_]:
            return np.isin(filler * n_roles + role, known)

        return unseen(old, knows)

    @property
    def n_parameters_(self) -> int:
        """Components, the constant among them, times roles times width."""
        return self._table.shape[1] * self.vocabulary_.n_roles * self._shape[-1]
