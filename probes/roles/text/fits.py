"""Decompositions of all layers under one scheme, beside their controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xxhash

from probes.roles.schemes import Own, Role, RoleScheme, Sum
from probes.roles.sequences import Fillers, Sentence
from probes.roles.tpdn.additive import AdditiveTPDN
from probes.roles.tpdn.bindings import Shares
from probes.roles.tpdn.decomposition import Decomposition
from probes.roles.tpdn.given import GivenTPDN

Kind = Literal["given", "additive"]
Floats = npt.NDArray[np.float64]
Encodings = Mapping[str, npt.NDArray[Any]]
"""By split, shape (n_layers, n, width)."""


PENALTIES: dict[Kind, tuple[float, ...]] = {
    "given": (10.0, 1.0, 1e-1, 1e-2, 1e-3),
    "additive": (1.0, 1e-1, 1e-2, 1e-3, 1e-4),
}
"""Stronger than for digits: of the thousands of words of a text most stand there a few times, and
many schemes have more columns than there are sentences."""


@dataclass(frozen=True, eq=False)
class SchemeFit:
    """One scheme on all layers.

    Parameters
    ----------
    scheme : RoleScheme
        The scheme.
    kind : {"given", "additive"}
        Which decomposition.
    decomposition : Decomposition
        Fitted; of its layers the last is the random target.
    errors : ndarray of shape (n_layers, n_test)
        Squared error of each test sentence, the mean over dimensions.
    permuted : ndarray of shape (n_layers, n_test), or None
        The same where roles are permuted within each sentence, in training and in test; None where
        it was not asked for, or permuting changes nothing.
    random : ndarray of shape (n_layers,)
        Mean squared error on a random target of the same mean and variance as the test encodings.
    shares : Shares
        What of the test sentences training lacked.
    penalties : ndarray of shape (n_layers,)
        As dev chose them.
    """

    scheme: RoleScheme
    kind: Kind
    decomposition: Decomposition
    errors: Floats
    permuted: Floats | None
    random: Floats
    shares: Shares
    penalties: Floats

    def predict(self, sentences: Sequence[Fillers]) -> Floats:
        """Decompose sentences, shape (n_layers, n, width)."""
        return self.decomposition.predict(sentences)[:-1]


def fit_scheme(
    scheme: RoleScheme,
    kind: Kind,
    sentences: Mapping[str, Sequence[Sentence]],
    Z: Encodings,
    embeddings: Mapping[Any, npt.NDArray[Any]],
    *,
    permute: bool = True,
    seed: int = 0,
) -> SchemeFit:
    """Fit a scheme, and its controls.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles.
    kind : {"given", "additive"}
        Which decomposition.
    sentences : mapping of str to sequence of Sentence
        By split; dev chooses the penalty, test is scored.
    Z : mapping of str to ndarray of shape (n_layers, n, width)
        Their encodings.
    embeddings : mapping of str to ndarray of shape (n_components,)
        Of the words.
    permute : bool
        Whether permuted roles are fitted too.
    seed : int
        Of permuted roles and random targets.

    Returns
    -------
    SchemeFit
        Of all layers.

    Notes
    -----
    The random target is one more layer of standard normal numbers, fitted alike: since each
    dimension is fitted for itself, the error on a target of any mean and variance is its error
    times the variance: that of the test encodings, which of a causal model's heavy-tailed states is
    not that of the training ones.
    """
    random = np.random.default_rng([seed, 1])
    noise = {
        split: random.standard_normal((1, *z.shape[1:])).astype(np.float32)
        for split, z in Z.items()
    }
    whole = {split: np.concatenate([z, noise[split]]) for split, z in Z.items()}
    fitted = _fitted(scheme, kind, sentences, whole, embeddings, seed)
    errors = fitted.errors(sentences["test"], whole["test"])
    variance = Z["test"].var(axis=1, dtype=np.float64).mean(axis=-1)
    shuffled = None
    if permute and scheme.name != "bow":
        control = _fitted(permuted(scheme, seed), kind, sentences, Z, embeddings, seed)
        shuffled = control.errors(sentences["test"], Z["test"])
    return SchemeFit(
        scheme,
        kind,
        fitted,
        errors[:-1],
        shuffled,
        variance * float(errors[-1].mean()),
        fitted.unseen(sentences["test"]),
        np.atleast_1d(fitted.penalty_)[:-1],
    )


def _fitted(
    scheme: RoleScheme,
    kind: Kind,
    sentences: Mapping[str, Sequence[Sentence]],
    Z: Encodings,
    embeddings: Mapping[Any, npt.NDArray[Any]],
    seed: int,
) -> GivenTPDN | AdditiveTPDN:
    decomposition = (
        GivenTPDN(scheme, embeddings, penalties=PENALTIES["given"], random_state=seed)
        if kind == "given"
        else AdditiveTPDN(scheme, penalties=PENALTIES["additive"], random_state=seed)
    )
    return decomposition.fit(sentences["train"], Z["train"], dev=(sentences["dev"], Z["dev"]))


def permuted(scheme: RoleScheme, seed: int = 0) -> RoleScheme:
    """Make a scheme in which the roles of each sequence are dealt out at random among its items.

    Parameters
    ----------
    scheme : RoleScheme
        Whose roles are dealt out; those of a sum together.
    seed : int
        Of the draw, which depends on the words alone: a sentence always gets the same.

    Returns
    -------
    RoleScheme
        With the same roles in each sequence.
    """
    parts = tuple(_permuted(part, seed) for part in scheme.parts)
    return parts[0] if len(parts) == 1 else Sum(parts)


def _permuted(scheme: RoleScheme, seed: int) -> RoleScheme:
    def roles(sequence: Fillers) -> list[Role]:
        dealt = scheme.roles(sequence)
        text = "\x00".join(str(item) for item in sequence).encode()
        random = np.random.default_rng([seed, xxhash.xxh3_64_intdigest(text)])
        return [dealt[k] for k in random.permutation(len(dealt))]

    return Own(roles, f"{scheme.name}, permuted")
