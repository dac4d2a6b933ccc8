"""Encodings that are a tensor product by construction."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from probes.roles.schemes import RoleScheme
from probes.roles.tpdn.bindings import number

Encodings = npt.NDArray[np.float64]
Digits = list[tuple[int, ...]]


def draw_digits(n: int, seed: int, *, shortest: int = 1, longest: int = 6) -> Digits:
    """Draw digit sequences of mixed lengths."""
    random = np.random.default_rng([seed, 77])
    lengths = random.integers(shortest, longest + 1, n)
    return [tuple(int(x) for x in random.integers(0, 10, length)) for length in lengths]


def plant(
    sequences: Digits,
    scheme: RoleScheme,
    seed: int,
    *,
    width: int = 30,
    dims: tuple[int, int] | None = None,
    r2: float = 1.0,
) -> Encodings:
    """Bind random fillers and roles, of these dimensions or of as many as there are of each.

    The noise leaves the bindings this share of the variance.
    """
    random = np.random.default_rng([seed, 78])
    bindings, known = number(sequences, scheme)
    filler_dim, role_dim = dims or (len(known.fillers), known.n_roles)
    fillers = random.standard_normal((len(known.fillers), filler_dim))
    roles = random.standard_normal((known.n_roles, role_dim))
    W = random.standard_normal((filler_dim, role_dim, width)) / np.sqrt(filler_dim * role_dim)
    sequence, filler, role = bindings.triples
    table = np.einsum("fa,rc,acw->frw", fillers, roles, W, optimize=True)
    Z = np.zeros((len(sequences), width))
    np.add.at(Z, sequence, table[filler, role])
    noise = random.standard_normal(Z.shape) * np.sqrt(Z.var() * (1 - r2) / r2)
    return Z + noise + random.standard_normal(width)


def halves(sequences: Digits, Z: Encodings, n: int) -> Any:
    """Cut into the first n and the rest."""
    return (sequences[:n], Z[:n]), (sequences[n:], Z[n:])
