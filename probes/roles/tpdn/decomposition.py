"""What every decomposition of encodings into filler-role bindings has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.schemes import Role, RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.bindings import (
    Bindings,
    Floats,
    Ints,
    Shares,
    Vocabulary,
    distinct,
    join,
    renumber,
    unseen,
)

Dev = tuple[Sequence[Fillers], npt.NDArray[Any]]

HELD_OUT = 0.1
"""Share of the training sequences by which a penalty is chosen, where no dev set is given."""


class Decomposition(ABC):
    """Encodings as an intercept and a sum of bindings: e(s) ≈ b + Σ_i B(s_i, role_i(s)).

    The kinds differ in what B may be. Encodings are of shape (n, width), or (n_layers, n, width)
    where a kind fits all layers together.

    Attributes
    ----------
    vocabulary_ : Vocabulary
        Fillers and roles of the training sequences.
    intercept_ : ndarray of shape (width,) or (n_layers, width)
        b.
    """

    scheme: RoleScheme
    vocabulary_: Vocabulary
    _shape: tuple[int, ...]
    _pairs: Ints
    _n_of_pairs: Ints

    @abstractmethod
    def fit(
        self, sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None = None
    ) -> Self:
        """Fit to encodings.

        Parameters
        ----------
        sequences : sequence of sequences of fillers
            Lengths may differ.
        Z : ndarray of shape (n, width) or (n_layers, n, width)
            One encoding a sequence.
        dev : tuple of (sequences, Z), optional
            By which penalties are chosen, or training is stopped; by default a tenth of the
            training sequences, drawn by seed.

        Returns
        -------
        Decomposition
            Itself.

        Raises
        ------
        InputError
            If there are not as many encodings as sequences, or one is not finite.
        """

    @abstractmethod
    def _predict(self, bindings: Bindings) -> Floats:
        """Predict from numbered items, shape (n, n_layers · width)."""

    @abstractmethod
    def _binding(self, filler: int, role: int) -> Floats:
        """Give B of a numbered pair, shape (n_layers · width,)."""

    @property
    @abstractmethod
    def n_parameters_(self) -> int:
        """Number of free numbers for one layer, intercept left out."""

    @property
    def intercept_(self) -> Floats:
        """What an empty sequence is decomposed into."""
        empty = Bindings(1, np.empty(0, np.int64), np.empty(0, np.int64), self._no_roles())
        return self._as_given(self._predict(empty))[..., 0, :]

    def _no_roles(self) -> Ints:
        return np.empty((len(self.vocabulary_.roles), 0), np.int64)

    @property
    def n_roles_(self) -> int:
        """Number of roles that occur in the training sequences."""
        return self.vocabulary_.n_roles

    def predict(self, sequences: Sequence[Fillers]) -> Floats:
        """Decompose sequences: the intercept and the sum of their bindings.

        Parameters
        ----------
        sequences : sequence of sequences of fillers
            A binding that was not learnt adds nothing; `unseen` counts them.

        Returns
        -------
        ndarray of shape (n, width) or (n_layers, n, width), float64
            As the encodings were.
        """
        return self._as_given(self._predict(self._renumbered(sequences)))

    def binding(self, filler: Hashable, role: Role, part: int = 0) -> Floats:
        """Give what a filler in a role adds to an encoding.

        Parameters
        ----------
        filler : hashable
            As in the sequences.
        role : hashable
            As the scheme gives it.
        part : int
            Of a scheme that is a sum, which addend the role belongs to.

        Returns
        -------
        ndarray of shape (width,) or (n_layers, width)
            B.

        Raises
        ------
        InputError
            If the filler or the role did not occur in training, or (where pairs are learnt one by
            one) the pair did not.
        """
        f, r = self.vocabulary_.filler(filler), self.vocabulary_.role(role, part)
        return self._as_given(self._binding(f, r)[None])[..., 0, :]

    def unseen(self, sequences: Sequence[Fillers]) -> Shares:
        """Measure which shares of fillers, roles and filler-role pairs training lacked."""
        bindings = self._of_training(self._renumbered(sequences))
        return unseen(bindings, self._pairs, self.n_roles_)

    def _of_training(self, bindings: Bindings) -> Bindings:
        """Leave out the fillers that are known from elsewhere."""
        return bindings

    def errors(self, sequences: Sequence[Fillers], Z: npt.NDArray[Any]) -> Floats:
        """Give the squared error of each sequence, the mean over dimensions.

        Parameters
        ----------
        sequences, Z
            As in `fit`.

        Returns
        -------
        ndarray of shape (n,) or (n_layers, n)
            Their mean is the MSE.

        Raises
        ------
        InputError
            If the shapes do not fit.
        """
        predicted = self.predict(sequences)
        if predicted.shape != np.shape(Z):
            raise InputError(
                f"encodings of shape {np.shape(Z)} for {len(sequences)} sequences; expected "
                f"{predicted.shape}"
            )
        squares: Floats = ((predicted - Z) ** 2).mean(axis=-1)
        return squares

    def mse(self, sequences: Sequence[Fillers], Z: npt.NDArray[Any]) -> Any:
        """Give the mean squared error over sequences and dimensions, one a layer."""
        return self.errors(sequences, Z).mean(axis=-1)

    def score(self, sequences: Sequence[Fillers], Z: npt.NDArray[Any]) -> Any:
        """Give R²: one less MSE over the mean variance of the dimensions, one a layer."""
        return 1 - self.mse(sequences, Z) / np.var(np.asarray(Z, np.float64), axis=-2).mean(axis=-1)

    def _renumbered(self, sequences: Sequence[Fillers]) -> Bindings:
        return renumber(sequences, self.scheme, self.vocabulary_)

    def _as_given(self, flat: Floats) -> Floats:
        """Lay out (n, n_layers · width) as the encodings were."""
        if len(self._shape) == 1:
            return flat
        return flat.reshape(len(flat), *self._shape).swapaxes(0, 1)

    def _behind(self, training: Bindings, dev: Dev | None) -> Bindings:
        """Put dev's items behind those of training."""
        return training if dev is None else join(training, self._renumbered(dev[0]))

    def _remember(self, bindings: Bindings, Z: npt.NDArray[Any]) -> None:
        _, filler, role = bindings.triples
        codes = filler * self.vocabulary_.n_roles + role
        self._pairs, self._n_of_pairs = distinct(codes)
        self._shape = Z.shape[-1:] if Z.ndim == 2 else (Z.shape[0], Z.shape[2])


def side_by_side(sequences: Sequence[Fillers], Z: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Lay the layers of encodings side by side.

    Parameters
    ----------
    sequences : sequence
        Of which there must be as many as encodings.
    Z : ndarray of shape (n, width) or (n_layers, n, width)
        Encodings.

    Returns
    -------
    ndarray of shape (n, n_layers · width)
        The layers after one another.

    Raises
    ------
    InputError
        If the shape is another.
    """
    Z = np.asarray(Z)
    if Z.ndim not in (2, 3) or Z.shape[-2] != len(sequences):
        raise InputError(
            f"encodings of shape {Z.shape} for {len(sequences)} sequences; expected (n, width) or "
            "(n_layers, n, width), with one encoding a sequence"
        )
    if not np.isfinite(Z).all():
        row = np.argwhere(~np.isfinite(Z).all(axis=-1))[0]
        raise InputError(f"the encoding of sequence {row[-1]} holds NaN or infinity")
    return Z if Z.ndim == 2 else Z.swapaxes(0, 1).reshape(Z.shape[1], -1)


def draw_held_out(n: int, seed: int) -> npt.NDArray[np.bool_]:
    """Draw a tenth of n sequences, one at least."""
    chosen = np.zeros(n, dtype=bool)
    random = np.random.default_rng([seed, n])
    chosen[random.permutation(n)[: max(round(HELD_OUT * n), 1)]] = True
    return chosen


def with_dev(
    sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None, seed: int
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Put dev's encodings behind the training sequences', or draw dev from them.

    Parameters
    ----------
    sequences, Z, dev
        As in `Decomposition.fit`.
    seed : int
        Of the draw.

    Returns
    -------
    Z : ndarray of shape (n, n_layers · width)
        The encodings of training, and of dev where it is given.
    held_out : ndarray of shape (n,), bool
        Which of them are dev.
    """
    flat = side_by_side(sequences, Z)
    if dev is None:
        return flat, draw_held_out(len(flat), seed)
    more = side_by_side(*dev)
    if more.shape[1] != flat.shape[1]:
        raise InputError(f"dev has {more.shape[1]} dimensions, training {flat.shape[1]}")
    held_out = np.arange(len(flat) + len(more)) >= len(flat)
    return np.concatenate([flat, more]), held_out
