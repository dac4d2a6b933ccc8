"""The additive decomposition: one free vector for each filler-role pair, by least squares.

The upper bound on what any tensor product decomposition of the scheme can fit.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy import sparse

from probes.roles.schemes import RoleScheme
from probes.roles.tpdn.bindings import Bindings, Vocabulary, counts
from probes.roles.tpdn.least_squares import PENALTIES
from probes.roles.tpdn.linear import LinearDecomposition


class AdditiveTPDN(LinearDecomposition):
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

    def _learn(self, trained: Vocabulary) -> Vocabulary:
        return trained

    def _design(self, bindings: Bindings) -> sparse.csr_array:
        """Count the pairs of training; others count nowhere."""
        n_fillers, n_roles = len(self.vocabulary_.fillers), self.vocabulary_.n_roles
        return counts(bindings, n_fillers, n_roles)[:, self._pairs]

    @property
    def n_parameters_(self) -> int:
        """Pairs times width."""
        return len(self._pairs) * self._shape[-1]
