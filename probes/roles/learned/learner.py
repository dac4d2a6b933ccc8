"""ROLE: roles that are learned and not given (Soulos et al. 2020)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import chain, compress
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import v_measure_score
from torch import Tensor

from probes.errors import InputError, unknown
from probes.roles.learned.assigner import Learned, Padded, attend, pad, snap, squared_error
from probes.roles.learned.projected import Projected
from probes.roles.numbers import numbered
from probes.roles.schemes import Own, RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.decomposition import draw_held_out, side_by_side

Sequences = Sequence[Fillers]
Floats = npt.NDArray[np.float32]


class Recipe(Protocol):
    """How roles are learned: `Projected`, `Tied`, or the paper's `Regularised`."""

    def learn(
        self, data: Padded, Z: Tensor, dev: Padded, Z_dev: Tensor, fillers: Tensor, n_roles: int
    ) -> Learned:
        """Learn an assigner, and bindings for it."""


class RoleLearner:
    """Learn which role each item of a sequence has, from encodings alone.

    encoding(s) ≈ W · Σ_i f(s_i) ⊗ r_i(s) + b, where r_i(s) is a distribution over `n_roles` roles
    that an LSTM gives after reading s.

    Parameters
    ----------
    n_roles : int
        Roles; of the default recipe, at most.
    filler_dim : int
        Width of the fillers' embeddings, which are learned. Up to so many different fillers have a
        direction of their own each, and nothing of them is learned.
    embeddings : mapping of filler to vector, optional
        Given embeddings of the fillers instead.
    recipe : Recipe, optional
        `Projected` by default; `Tied` for roles that depend on the item itself, as in a tree over
        digits; `Regularised` is the paper's.
    n_restarts : int
        From as many random states, of which the one with the lowest error on the development data
        is kept. No more are tried once the error is under 0.1 % of the variance.
    random_state : int
        Of the first.

    Attributes
    ----------
    n_roles_ : int
        Roles found.
    intercept_ : ndarray of shape (width,)
    mse_dev_ : float
        Of the snapped predictions on the development data.

    Notes
    -----
    Soulos, McCoy, Linzen, Smolensky (2020), arXiv:1910.09113. The recipes read sequences in both
    directions by default, since places from the right are not known before the end.
    """

    def __init__(
        self,
        n_roles: int = 20,
        filler_dim: int = 64,
        embeddings: Mapping[Hashable, npt.NDArray[np.floating]] | None = None,
        recipe: Recipe | None = None,
        n_restarts: int = 1,
        random_state: int = 0,
    ) -> None:
        self.n_roles = n_roles
        self.filler_dim = filler_dim
        self.embeddings = embeddings
        self.recipe = recipe
        self.n_restarts = n_restarts
        self.random_state = random_state

    def fit(
        self, sequences: Sequences, Z: Floats, dev: tuple[Sequences, Floats] | None = None
    ) -> RoleLearner:
        """Learn roles and bindings.

        Parameters
        ----------
        sequences : sequence of sequences of fillers
            Lengths may differ.
        Z : ndarray of shape (n, width)
            An encoding each.
        dev : pair of sequences and ndarray, optional
            Decides when to stop, how many roles, and between restarts. By default a tenth of the
            sequences is held out for it.

        Returns
        -------
        self : RoleLearner

        Raises
        ------
        InputError
            If there are fewer than 2 sequences, or not as many encodings, a value is not finite,
            or an embedding is missing.
        """
        Z = _checked(sequences, Z)
        if len(Z) < 2:
            raise InputError(f"{len(Z)} sequences to learn roles from; give 2 sequences or more")
        if dev is None:
            held = draw_held_out(len(Z), self.random_state)
            dev = [*compress(sequences, held)], Z[held]
            sequences, Z = [*compress(sequences, ~held)], Z[~held]
        dev_sequences, Z_dev = dev[0], _checked(*dev)
        if Z_dev.shape[1] != Z.shape[1]:
            raise InputError(f"dev has {Z_dev.shape[1]} dimensions, training {Z.shape[1]}")
        self._numbers, _ = numbered(chain.from_iterable(sequences))
        mean = Z.mean(0)
        scale = float(np.sqrt(((Z - mean) ** 2).sum(1).mean())) or 1.0
        data, dev_data = pad(sequences, self._numbers), pad(dev_sequences, self._numbers)
        scaled, dev_scaled = (torch.from_numpy((z - mean) / scale) for z in (Z, Z_dev))
        best, error = self._best_of(data, scaled, dev_data, dev_scaled)
        self._learned = Learned(
            best.assigner,
            best.fillers,
            best.table * scale,
            best.intercept * scale + torch.from_numpy(mean),
        )
        self.n_roles_ = best.assigner.out.out_features
        self.intercept_ = self._learned.intercept.numpy()
        self._labels = dict(zip(map(tuple, sequences), self.roles(sequences), strict=True))
        self.mse_dev_ = error * scale**2 / Z.shape[1]
        return self

    def _best_of(
        self, data: Padded, Z: Tensor, dev: Padded, Z_dev: Tensor
    ) -> tuple[Learned, float]:
        recipe = self.recipe or Projected()
        found: list[tuple[float, Learned]] = []
        for k in range(self.n_restarts):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.random_state + k)
                learned = recipe.learn(data, Z, dev, Z_dev, self._fillers(), self.n_roles)
            hard = snap(attend(learned.assigner, dev))
            found.append((squared_error(learned, dev, Z_dev, hard), learned))
            if found[-1][0] < 1e-3:
                break
        error, best = min(found, key=lambda pair: pair[0])
        return best, error

    def _fillers(self) -> Tensor:
        n = len(self._numbers)
        if self.embeddings is not None:
            missing = [item for item in self._numbers if item not in self.embeddings]
            if missing:
                raise InputError(
                    f"no embedding of {missing[0]!r} and {len(missing) - 1} other fillers; give "
                    "one for each filler of the sequences"
                )
            rows = np.stack([self.embeddings[item] for item in self._numbers])
            given = torch.from_numpy(rows.astype(np.float32))
            return torch.cat(
                [given / given.square().mean().sqrt(), given.new_zeros(1, len(rows[0]))]
            )
        if n <= self.filler_dim:
            return torch.eye(n + 1, n)
        drawn = torch.randn(n + 1, self.filler_dim)
        drawn[-1] = 0
        return drawn.requires_grad_()

    def predict(self, sequences: Sequences, snapped: bool = False) -> Floats:
        """Give the encodings of the learned decomposition.

        Parameters
        ----------
        sequences : sequence of sequences of fillers
            A filler that was not there in `fit` adds nothing.
        snapped : bool
            Whether each item has its most likely role alone, as in the paper's second score.

        Returns
        -------
        ndarray of shape (n, width)
        """
        data = pad(sequences, self._numbers)
        attention = attend(self._learned.assigner, data)
        with torch.no_grad():
            chosen = snap(attention) if snapped else attention
            return self._learned.predict(data, chosen).numpy()

    def mse(self, sequences: Sequences, Z: Floats, snapped: bool = False) -> float:
        """Give the mean squared error, over sequences and dimensions."""
        return float(np.mean((self.predict(sequences, snapped) - _checked(sequences, Z)) ** 2))

    def score(self, sequences: Sequences, Z: Floats) -> float:
        """Give R², 1 − error / variance, over all dimensions together."""
        Z = _checked(sequences, Z)
        return 1 - self.mse(sequences, Z) / float(np.mean((Z - Z.mean(0)) ** 2))

    def roles(self, sequences: Sequences) -> list[list[int]]:
        """Give each item the number of its most likely role.

        Parameters
        ----------
        sequences : sequence of sequences of fillers
            Of any lengths.

        Returns
        -------
        list of list of int
            One a sequence, one an item.
        """
        data = pad(sequences, self._numbers)
        labels = attend(self._learned.assigner, data).argmax(-1).tolist()
        return [row[: len(s)] for row, s in zip(labels, sequences, strict=True)]

    @property
    def scheme(self) -> RoleScheme:
        """The learned roles as a scheme, to be refitted by any estimator of a decomposition.

        Those of the training sequences are known; others are read one by one, which is slow: for
        many, call `roles`.
        """
        labels = self._labels

        def read(sequence: Fillers) -> list[int]:
            known = labels.get(tuple(sequence))
            return self.roles([sequence])[0] if known is None else known

        return Own(read, "learned")

    def binding(self, filler: Hashable, role: int) -> Floats:
        """Give what a filler in a role adds to an encoding.

        Parameters
        ----------
        filler : hashable
            One of `fit`.
        role : int
            From 0 on.

        Returns
        -------
        ndarray of shape (width,)

        Raises
        ------
        InputError
            If there is no such filler or role.
        """
        if filler not in self._numbers:
            raise unknown("filler", str(filler), map(str, self._numbers))
        if role not in range(self.n_roles_):
            raise InputError(f"role {role!r}; the learned roles are 0 … {self.n_roles_ - 1}")
        vector = self._learned.fillers[self._numbers[filler]]
        return (vector @ self._learned.table.view(len(vector), self.n_roles_, -1)[:, role]).numpy()

    def v_measure(self, sequences: Sequences, scheme: RoleScheme) -> float:
        """Compare the learned roles with known ones.

        Parameters
        ----------
        sequences : sequence of sequences of fillers
            All their items count alike.
        scheme : RoleScheme
            Gives the known roles.

        Returns
        -------
        float
            The harmonic mean of homogeneity and completeness (Rosenberg and Hirschberg 2007): 1
            where the two are the same up to names, 0 where one tells nothing of the other.
        """
        _, known = scheme.numbered(sequences)
        found = [role for labels in self.roles(sequences) for role in labels]
        return float(v_measure_score(known, found))


def _checked(sequences: Sequences, Z: npt.NDArray[np.floating]) -> Floats:
    if np.ndim(Z) != 2:
        raise InputError(f"encodings of shape {np.shape(Z)}; roles are learned from (n, width)")
    return side_by_side(sequences, np.asarray(Z, dtype=np.float32))
