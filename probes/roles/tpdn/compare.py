"""Which scheme? Nested schemes compared, with the number of roles taken into account.

A richer scheme fits its training data no worse, and often stands for a poorer one. So: errors on
sequences that were not fitted, with paired intervals; the scheme of the fewest roles whose error is
within one standard error of the best (Breiman, Friedman, Olshen & Stone 1984, section 3.4.3);
description lengths; and schemes that divide the items alike are reported as tied.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.roles.schemes import RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.bindings import Floats, Shares
from probes.roles.tpdn.decomposition import Decomposition
from probes.roles.tpdn.ratios import estimate, mean_of
from probes.stats import Interval

LEAST_VARIANCE = 1e-12
"""Of an error, as a share of the encodings' variance, below which a description length is not
made shorter: nothing is described more finely than float32 holds it."""


@dataclass(frozen=True)
class Standing:
    """How one scheme does beside the others.

    Parameters
    ----------
    scheme : str
        Its name.
    n_roles, n_parameters : int
        Roles that occur in training, and free numbers.
    mse, r2 : float
        On the test sequences.
    behind : Interval
        Its error less the best scheme's, with a 95 % interval paired by sequence.
    bits : float
        Description length of the training encodings, per number.
    tied : tuple of str
        Schemes that divide the training items exactly alike.
    selected : bool
        Whether it is the one of the fewest roles within one standard error of the best.
    unseen : Shares
        What the test sequences hold that training lacked.
    """

    scheme: str
    n_roles: int
    n_parameters: int
    mse: float
    r2: float
    behind: Interval
    bits: float
    tied: tuple[str, ...]
    selected: bool
    unseen: Shares


def compare(
    schemes: Sequence[RoleScheme],
    train: tuple[Sequence[Fillers], npt.NDArray[Any]],
    test: tuple[Sequence[Fillers], npt.NDArray[Any]],
    *,
    make: Callable[[RoleScheme], Decomposition] = AdditiveTPDN,
) -> list[Standing]:
    """Fit each scheme, and compare them on other sequences.

    Parameters
    ----------
    schemes : sequence of RoleScheme
        At least one.
    train, test : tuple of (sequences, Z)
        Encodings Z of shape (n, width).
    make : callable
        From a scheme to the decomposition that is fitted; `AdditiveTPDN` by default.

    Returns
    -------
    list of Standing
        In the order of `schemes`; one of them is selected.

    Raises
    ------
    InputError
        If no scheme is given, or one stands twice.
    """
    names = [scheme.name for scheme in schemes]
    if not names or len(set(names)) < len(names):
        raise InputError(f"schemes {', '.join(names) or 'none'}; expected at least one, each once")
    fits = [make(scheme).fit(*train) for scheme in schemes]
    errors = [fit.errors(*test) for fit in fits]
    variance = float(np.var(np.asarray(test[1], np.float64), axis=0).mean())
    best = min(range(len(fits)), key=lambda k: errors[k].mean())
    behind = [estimate((1.0, mean_of(e - errors[best]))) for e in errors]
    selected = select(errors, [fit.n_roles_ for fit in fits])
    tied = ties(schemes, train[0])
    return [
        Standing(
            scheme=names[k],
            n_roles=fits[k].n_roles_,
            n_parameters=fits[k].n_parameters_,
            mse=float(errors[k].mean()),
            r2=1 - float(errors[k].mean()) / variance if variance > 0 else 0.0,
            behind=behind[k],
            bits=description_length(fits[k], *train),
            tied=tied[k],
            selected=k == selected,
            unseen=fits[k].unseen(test[0]),
        )
        for k in range(len(fits))
    ]


def select(errors: Sequence[Floats], n_roles: Sequence[int]) -> int:
    """Choose the scheme of the fewest roles within one standard error of the best.

    Parameters
    ----------
    errors : sequence of ndarray of shape (n,)
        Of each scheme, the errors on the same sequences.
    n_roles : sequence of int
        Of each scheme.

    Returns
    -------
    int
        Its place; of equally many roles, that of the least error. The standard error is that of
        the difference from the best, paired by sequence.
    """
    means = [float(e.mean()) for e in errors]
    best = min(range(len(errors)), key=means.__getitem__)

    def reach(k: int) -> float:
        difference = errors[k] - errors[best]
        n = len(difference)
        return float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0

    within = [k for k in range(len(errors)) if means[k] <= means[best] + reach(k)]
    return min(within, key=lambda k: (n_roles[k], means[k]))


def ties(schemes: Sequence[RoleScheme], sequences: Sequence[Fillers]) -> list[tuple[str, ...]]:
    """Name, for each scheme, the others that divide the items of the sequences alike."""
    divisions = [division(scheme, sequences) for scheme in schemes]
    return [
        tuple(
            other.name for j, other in enumerate(schemes) if j != k and divisions[j] == divisions[k]
        )
        for k in range(len(schemes))
    ]


def division(scheme: RoleScheme, sequences: Sequence[Fillers]) -> tuple[tuple[int, ...], ...]:
    """Say how a scheme divides the items of sequences, whatever it calls the roles.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles.
    sequences : sequence of sequences of fillers
        Whose items are divided.

    Returns
    -------
    tuple of tuple of int
        For each part of the scheme, the roles of all items, numbered as they first occur.
    """
    return tuple(tuple(part.numbered(sequences)[1].tolist()) for part in scheme.parts)


def description_length(
    fit: Decomposition, sequences: Sequence[Fillers], Z: npt.NDArray[Any]
) -> float:
    """Give the bits per number by which a fitted decomposition describes its encodings.

    Parameters
    ----------
    fit : Decomposition
        Fitted to them, one layer.
    sequences, Z
        The training data.

    Returns
    -------
    float
        Two-part code: half log2 n bits a free number, and the residuals under a normal
        distribution of their own variance, one for each dimension. Only differences between
        schemes mean anything: numbers on a line have no bits of their own.

    Notes
    -----
    Rissanen (1978), "Modeling by shortest data description", the asymptotic form (half of BIC).
    """
    n, width = np.shape(Z)
    variance = ((fit.predict(sequences) - Z) ** 2).mean(axis=0)
    least = LEAST_VARIANCE * np.var(np.asarray(Z, np.float64), axis=0).mean() or LEAST_VARIANCE
    residuals = 0.5 * np.log2(2 * np.pi * np.e * np.maximum(variance, least)).mean()
    return float(residuals + 0.5 * np.log2(n) * fit.n_parameters_ / (n * width))


def hold_out_pairs(
    sequences: Sequence[Fillers], scheme: RoleScheme, share: float = 0.1, seed: int = 0
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Divide sequences so that some filler-role pairs occur in the second set alone.

    Parameters
    ----------
    sequences : sequence of sequences of fillers
        To be divided.
    scheme : RoleScheme
        Whose pairs are held out.
    share : float
        Of the pairs that occur, how many are held out, between 0 and 1.
    seed : int
        Of the draw.

    Returns
    -------
    without, with_ : ndarray of shape (n_sequences,), bool
        Sequences with none of the held-out pairs, and those with at least one of them whose
        filler and whose role occur, apart, in the first set.

    Raises
    ------
    InputError
        If nothing is left on one side.
    """
    if not 0 < share < 1:
        raise InputError(f"share {share}; expected more than 0 and less than 1")
    pairs = [
        {(k, x, r) for k, p in enumerate(scheme.parts) for x, r in zip(s, p.roles(s), strict=True)}
        for s in sequences
    ]
    known = list(dict.fromkeys(pair for row in pairs for pair in sorted(row, key=str)))
    random = np.random.default_rng([seed, len(known)])
    chosen = {known[k] for k in random.permutation(len(known))[: max(round(share * len(known)), 1)]}
    without = np.array([not (row & chosen) for row in pairs])
    left = [row for row, kept in zip(pairs, without, strict=True) if kept]
    fillers = {x for row in left for _, x, _ in row}
    roles = {(k, r) for row in left for k, _, r in row}
    apart = np.array([all(x in fillers and (k, r) in roles for k, x, r in row) for row in pairs])
    if not without.any() or not (~without & apart).any():
        raise InputError(
            f"holding out {share:.0%} of {len(known)} pairs under {scheme.name} leaves "
            f"{int(without.sum())} sequences to fit and {int((~without & apart).sum())} to test; "
            "choose a smaller share, or more sequences"
        )
    return without, ~without & apart
