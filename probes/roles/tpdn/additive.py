"""The additive decomposition: one free vector for each filler-role pair, by least squares.

The upper bound on what any tensor product decomposition of the scheme can fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from probes.errors import InputError
from probes.roles.schemes import RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.bindings import Bindings, Floats, counts, number
from probes.roles.tpdn.decomposition import Decomposition, Dev, with_dev
from probes.roles.tpdn.least_squares import PENALTIES, LinearFit, fit_least_squares


class AdditiveTPDN(Decomposition):
    """Ridge regression on counts of filler-role pairs, exact, all layers together.

    e(s) ≈ b + Σ_i v(s_i, role_i(s)), with a free vector v for each pair that occurs in training.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles.
    penalties : tuple of float
        Of the squared vectors, per mean loss; held-out sequences choose one for each layer.
    random_state : int
        Of the draw of held-out sequences.

    Attributes
    ----------
    penalty_ : float, or ndarray of shape (n_layers,)
        As chosen.

    Notes
    -----
    Every W, filler and role embedding of McCoy et al. (2019, section 2) give some vectors
    v(f, r) = W (f ⊗ r), so none fits better; on sequences of words, where most pairs are rare,
    a good fit shows no tensor structure, and an unseen pair adds nothing.
    """

    def __init__(
        self,
        scheme: RoleScheme,
        *,
        penalties: Sequence[float] = PENALTIES,
        random_state: int = 0,
    ) -> None:
        self.scheme = scheme
        self.penalties = penalties
        self.random_state = random_state

    def fit(
        self, sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None = None
    ) -> Self:
        """Fit the vectors of all pairs; as `Decomposition.fit`."""
        n_layers = np.shape(Z)[0] if np.ndim(Z) == 3 else 1
        flat, held_out = with_dev(sequences, Z, dev, self.random_state)
        training, self.vocabulary_ = number(sequences, self.scheme)
        self._remember(training, np.asarray(Z))
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
        """Count the pairs of training; others count nowhere."""
        n_fillers, n_roles = len(self.vocabulary_.fillers), self.vocabulary_.n_roles
        return counts(bindings, n_fillers, n_roles)[:, self._pairs]

    def _predict(self, bindings: Bindings) -> Floats:
        return self._fit.predict(self._design(bindings))

    def _binding(self, filler: int, role: int) -> Floats:
        pair = filler * self.vocabulary_.n_roles + role
        at = int(np.searchsorted(self._pairs, pair))
        if at == len(self._pairs) or self._pairs[at] != pair:
            raise InputError(
                "this filler did not occur in this role in training; the additive decomposition "
                "knows pairs one by one (GivenTPDN and TPDN do not)"
            )
        one = sparse.csr_array(([1.0], ([0], [at])), shape=(1, len(self._pairs)))
        return self._fit.direction(one)[0]

    @property
    def n_parameters_(self) -> int:
        """Pairs times width."""
        return len(self._pairs) * self._shape[-1]
