"""Sequences as counts of filler-role bindings: what a decomposition is fitted on."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from probes.errors import InputError
from probes.roles.numbers import Numbered, lengths_of, numbered
from probes.roles.schemes import Role, RoleScheme
from probes.roles.sequences import Fillers

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

UNSEEN = -1


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """The fillers and roles of the training sequences, numbered as they come.

    Parameters
    ----------
    fillers : dict of filler to int
        Their numbers.
    roles : tuple of dict of role to int
        For each part of the scheme (one, unless it is a sum); the numbers go on from part to part.
    """

    fillers: dict[Hashable, int]
    roles: tuple[dict[Role, int], ...]

    @property
    def n_roles(self) -> int:
        """Number of roles, over all parts."""
        return sum(map(len, self.roles))

    def filler(self, filler: Hashable) -> int:
        """Give a filler's number.

        Raises
        ------
        InputError
            If training lacked it.
        """
        if filler not in self.fillers:
            raise InputError(
                f"the filler {filler!r} does not occur in the {len(self.fillers)} of training"
            )
        return self.fillers[filler]

    def role(self, role: Role, part: int = 0) -> int:
        """Give a role's number.

        Raises
        ------
        InputError
            If training lacked it.
        """
        if not 0 <= part < len(self.roles):
            raise InputError(f"part {part} of a scheme of {len(self.roles)}")
        if role not in self.roles[part]:
            raise InputError(
                f"the role {role!s} does not occur in the {len(self.roles[part])} of training"
            )
        return self.roles[part][role]


@dataclass(frozen=True, eq=False)
class Bindings:
    """The items of sequences, numbered.

    Parameters
    ----------
    n_sequences : int
        How many sequences there are, empty ones too.
    sequence : ndarray of shape (n_items,), int64
        The sequence that each item stands in.
    filler : ndarray of shape (n_items,), int64
        The item's filler; `UNSEEN` where training lacks it.
    roles : ndarray of shape (n_parts, n_items), int64
        Its role in each part of the scheme; `UNSEEN` likewise.
    """

    n_sequences: int
    sequence: Ints
    filler: Ints
    roles: Ints

    @property
    def triples(self) -> tuple[Ints, Ints, Ints]:
        """Sequence, filler and role of each binding of known ones; several an item in a sum."""
        known = (self.filler >= 0) & (self.roles >= 0)
        if len(known) == 1 and known.all():
            return self.sequence, self.filler, self.roles[0]
        parts, items = np.nonzero(known)
        return self.sequence[items], self.filler[items], self.roles[parts, items]

    def take(self, keep: npt.NDArray[np.bool_]) -> Bindings:
        """Keep some sequences, numbered anew."""
        number = np.cumsum(keep) - 1
        of = keep[self.sequence]
        return Bindings(
            int(keep.sum()), number[self.sequence[of]], self.filler[of], self.roles[:, of]
        )


def join(first: Bindings, second: Bindings) -> Bindings:
    """Put the sequences of one behind those of another."""
    return Bindings(
        first.n_sequences + second.n_sequences,
        np.concatenate([first.sequence, second.sequence + first.n_sequences]),
        np.concatenate([first.filler, second.filler]),
        np.concatenate([first.roles, second.roles], axis=1),
    )


def number(sequences: Sequence[Fillers], scheme: RoleScheme) -> tuple[Bindings, Vocabulary]:
    """Number the fillers and roles of training sequences.

    Parameters
    ----------
    sequences : sequence of sequences of fillers
        Lengths may differ.
    scheme : RoleScheme
        Gives the roles.

    Returns
    -------
    Bindings, Vocabulary
        The items, and what their numbers stand for.

    Raises
    ------
    InputError
        If there is no item at all.
    """
    fillers, filler = numbered(chain.from_iterable(sequences))
    if not fillers:
        raise InputError(f"{len(sequences)} sequences without an item; give at least one filler")
    rows, roles, first = [], [], 0
    for part in scheme.parts:
        known, row = part.numbered(sequences)
        rows.append(row + first)
        roles.append({role: k + first for role, k in known.items()})
        first += len(known)
    return _bindings(sequences, filler, rows), Vocabulary(fillers, tuple(roles))


def renumber(sequences: Sequence[Fillers], scheme: RoleScheme, vocabulary: Vocabulary) -> Bindings:
    """Number the fillers and roles of other sequences as in training.

    Parameters
    ----------
    sequences : sequence of sequences of fillers
        Lengths may differ.
    scheme : RoleScheme
        That of the vocabulary.
    vocabulary : Vocabulary
        From `number`.

    Returns
    -------
    Bindings
        With `UNSEEN` for what training lacks.
    """
    rows = [
        _looked_up(known, part.numbered(sequences))
        for part, known in zip(scheme.parts, vocabulary.roles, strict=True)
    ]
    filler = _looked_up(vocabulary.fillers, numbered(chain.from_iterable(sequences)))
    return _bindings(sequences, filler, rows)


def _looked_up(known: Mapping[Hashable, int], found: Numbered) -> Ints:
    values, numbers = found
    of_values = np.fromiter(map(known.get, values, repeat(UNSEEN)), np.int64, len(values))
    return of_values[numbers] if len(values) else numbers


def _bindings(sequences: Sequence[Fillers], filler: Ints, roles: list[Ints]) -> Bindings:
    of = np.repeat(np.arange(len(sequences)), lengths_of(sequences))
    return Bindings(len(sequences), of, filler, np.stack(roles))


def counts(bindings: Bindings, n_fillers: int, n_roles: int) -> sparse.csr_array:
    """Count the filler-role pairs of each sequence.

    Parameters
    ----------
    bindings : Bindings
        Items; those with an unknown filler or role count nowhere.
    n_fillers, n_roles : int
        Of the vocabulary.

    Returns
    -------
    csr_array of shape (n_sequences, n_fillers · n_roles), float64
        Column ``filler · n_roles + role``.
    """
    sequence, filler, role = bindings.triples
    shape = (bindings.n_sequences, n_fillers * n_roles)
    return _summed(sequence, filler * n_roles + role, np.ones(len(role)), shape)


def weighted(bindings: Bindings, vectors: Floats, n_roles: int) -> sparse.csr_array:
    """Sum the fillers' vectors of each sequence, role by role: Σ e(f) ⊗ onehot(r).

    Parameters
    ----------
    bindings : Bindings
        Items; those with an unknown filler or role add nothing.
    vectors : ndarray of shape (n_fillers, dimension)
        By the filler's number.
    n_roles : int
        Of the vocabulary.

    Returns
    -------
    csr_array of shape (n_sequences, dimension · n_roles), float64
        Column ``k · n_roles + role`` for component k.
    """
    sequence, filler, role = bindings.triples
    dimension = vectors.shape[1]
    columns = (np.arange(dimension) * n_roles)[None, :] + role[:, None]
    shape = (bindings.n_sequences, dimension * n_roles)
    rows = np.repeat(sequence, dimension)
    return _summed(rows, columns.reshape(-1), vectors[filler].reshape(-1), shape)


def _summed(rows: Ints, columns: Ints, values: Floats, shape: tuple[int, int]) -> sparse.csr_array:
    return sparse.coo_array((values, (rows, columns)), shape=shape).tocsr()  # sums what is twice


def given_vectors(
    embeddings: Mapping[Any, npt.NDArray[Any]], fillers: Collection[Hashable], n_trained: int
) -> Floats:
    """Lay out given embeddings of fillers, with a constant for the bias of their linear squeeze.

    Parameters
    ----------
    embeddings : mapping of filler to ndarray of shape (dimension,)
        Of each filler.
    fillers : collection of hashable
        In the order of their numbers, those of training first.
    n_trained : int
        How many are of training; by their root mean square all are divided.

    Returns
    -------
    ndarray of shape (n_fillers, 1 + dimension)
        The constant is 1.

    Raises
    ------
    InputError
        If a filler has no embedding.
    """
    for filler in fillers:
        if filler not in embeddings:
            raise InputError(f"no embedding of the filler {filler!r}; give one for each")
    table = np.stack([np.asarray(embeddings[filler], np.float64) for filler in fillers])
    size = np.sqrt((table[:n_trained] ** 2).mean()) or 1.0
    return np.column_stack([np.ones(len(table)), table / size])


def bound(sequence: Ints, fillers: Floats, roles: Floats, n: int) -> Floats:
    """Sum the tensor products of the items of each sequence: Σ_i f_i ⊗ r_i.

    Parameters
    ----------
    sequence : ndarray of shape (n_items,), int64
        The sequence that each item stands in.
    fillers, roles : ndarray of shape (n_items, filler_dim) and (n_items, role_dim)
        Embeddings of each item.
    n : int
        Number of sequences.

    Returns
    -------
    ndarray of shape (n, filler_dim · role_dim)
        Made without the products of single items, which would be many.
    """
    dim = fillers.shape[1]
    rows = sequence[:, None] * dim + np.arange(dim)
    starts = np.arange(0, fillers.size + 1, dim)
    placed = sparse.csc_array(
        (fillers.reshape(-1), rows.reshape(-1), starts), shape=(n * dim, len(fillers))
    )
    return np.asarray(placed @ roles).reshape(n, -1)


def distinct(codes: Ints) -> tuple[Ints, Ints]:
    """Give the different codes, which are not negative, in order, and how often each occurs."""
    if codes.max(initial=0) > 4 * len(codes):  # so many numbers are not worth a table
        found, n = np.unique(codes, return_counts=True)
        return found, n
    times = np.bincount(codes)
    found = np.flatnonzero(times)
    return found, times[found]


@dataclass(frozen=True)
class Shares:
    """How much of some sequences training lacked.

    Parameters
    ----------
    fillers, roles, pairs : float
        Share of the bindings whose filler, role, or pair of both did not occur in training.
    n : int
        Number of bindings.
    """

    fillers: float
    roles: float
    pairs: float
    n: int


def unseen(bindings: Bindings, pairs: Ints, n_roles: int) -> Shares:
    """Measure how much of some sequences training lacked.

    Parameters
    ----------
    bindings : Bindings
        From `renumber`.
    pairs : ndarray of shape (n_pairs,), int64
        ``filler · n_roles + role`` of those that training had.
    n_roles : int
        Of the vocabulary.

    Returns
    -------
    Shares
        Of the bindings.
    """
    filler = np.broadcast_to(bindings.filler, bindings.roles.shape).reshape(-1)
    role = bindings.roles.reshape(-1)
    n = len(role)
    if n == 0:
        return Shares(0.0, 0.0, 0.0, 0)
    known = (filler >= 0) & (role >= 0)
    known &= np.isin(filler * n_roles + role, pairs)
    return Shares(float((filler < 0).mean()), float((role < 0).mean()), float((~known).mean()), n)
