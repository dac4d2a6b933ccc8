"""One sequence of a run, kept with its roles and (of digits) all parts of its decompositions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.roles.digits.kept import Order, taught
from probes.roles.digits.networks import Network, substitution_accuracy
from probes.roles.digits.pieces import Data
from probes.roles.naming import parse_scheme
from probes.roles.notation import role_names
from probes.roles.schemes import RoleScheme
from probes.roles.sequences import Fillers, Sentence
from probes.roles.tpdn.bindings import Floats
from probes.roles.tpdn.lowrank import TPDN
from probes.task import SPLITS

SHOWN = (3, 7, 6)
"""The digits of the figure, as on the lecture's slide."""
GOOD_LENGTH = 7
"""Words of an example: enough for a tree, few enough for a page."""
DIGITS = 4
"""Of a number that is kept for a figure."""


def roles_example(sequence: Fillers, schemes: Sequence[RoleScheme]) -> dict[str, Any]:
    """Say the roles of a sequence, so that a page can show them.

    Parameters
    ----------
    sequence : sequence of fillers, or Sentence
        Digits or words.
    schemes : sequence of RoleScheme
        Of the run.

    Returns
    -------
    dict
        ``items``, ``tree`` (merges, or None), and ``roles``: the names by scheme.
    """
    tree = sequence.tree if isinstance(sequence, Sentence) else None
    return {
        "items": [str(item) for item in sequence],
        "tree": None if tree is None else [list(merge) for merge in tree],
        "roles": {s.name: role_names(s, s.roles(sequence)) for s in schemes},
    }


def sentence_example(
    sentences: Sequence[Sentence], schemes: Sequence[RoleScheme]
) -> dict[str, Any]:
    """Say the roles of the first sentence whose length is nearest to seven words."""
    lengths = [abs(len(sentence) - GOOD_LENGTH) for sentence in sentences]
    return roles_example(sentences[int(np.argmin(lengths))], schemes)


def digits_example(
    order: Order, data: Data, store: Path, schemes: Sequence[str], dims: tuple[int, int]
) -> dict[str, Any]:
    """Decompose one sequence of a taught network under each scheme, and keep every part.

    Parameters
    ----------
    order, data, store
        The network, as of `taught`.
    schemes : sequence of str
        Names of role schemes.
    dims : tuple of int
        Widths of a filler's and a role's embedding.

    Returns
    -------
    dict
        ``network``, ``sequence``, ``right`` (the task's own answer), ``answer`` (the decoder's to
        the encoder's encoding), ``encoding``, and ``schemes``: the parts of each. They are `TPDN`,
        which takes seconds; the sequence is left out of what they are fitted to.
    """
    network, _ = taught(order, data.split("train"), data.split("dev"), store)
    sequence = SHOWN[: data.longest]
    splits: dict[str, list[tuple[int, ...]]] = {
        name: [s for s in data.split(name) if s != sequence] for name in SPLITS
    }
    Z = {name: network.encode(splits[name]) for name in ("train", "dev")}
    encoding = network.encode([sequence])
    kept: dict[str, Any] = {
        "network": order.name,
        "sequence": list(sequence),
        "right": list(network.right(sequence)),
        "answer": list(network.decode(encoding, [sequence])[0]),
        "encoding": _rounded(encoding[0]),
        "n_train": len(splits["train"]),
        "n_test": len(splits["test"]),
        "schemes": {},
    }
    for name in schemes:
        tpdn = TPDN(parse_scheme(name), *dims)
        tpdn.fit(splits["train"], Z["train"], dev=(splits["dev"], Z["dev"]))
        kept["schemes"][name] = _parts(tpdn, network, sequence, encoding[0], splits)
    return kept


def _parts(
    tpdn: TPDN,
    network: Network,
    sequence: tuple[int, ...],
    encoding: npt.NDArray[np.float32],
    splits: dict[str, list[tuple[int, ...]]],
) -> dict[str, Any]:
    """Take a decomposition apart for one sequence."""
    roles = tpdn.scheme.roles(sequence)
    fillers, known_roles = tpdn.vocabulary_.fillers, tpdn.vocabulary_.roles[0]
    f = _rows(tpdn.filler_embeddings_, [fillers.get(item) for item in sequence])
    r = _rows(tpdn.role_embeddings_, [known_roles.get(role) for role in roles])
    predicted = tpdn.predict([sequence])
    return {
        "roles": role_names(tpdn.scheme, roles),
        "fillers": _rounded(f),
        "role_embeddings": _rounded(r),
        "bound": _rounded(f.T @ r),
        "width": int(tpdn.weights_.shape[-1]),
        "intercept": _rounded(tpdn.intercept_),
        "encoding": _rounded(predicted[0]),
        "mse": float(((predicted[0] - encoding) ** 2).mean()),
        "answer": list(network.decode(predicted, [sequence])[0]),
        "dev": substitution_accuracy(network, tpdn, splits["dev"]),
        "test": substitution_accuracy(network, tpdn, splits["test"]),
    }


def _rows(table: Floats, numbers: Sequence[int | None]) -> Floats:
    """Take rows of embeddings; of what training lacked, noughts, which add nothing."""
    rows = [np.zeros(table.shape[1]) if k is None else table[k] for k in numbers]
    return np.stack(rows)


def _rounded(values: Any) -> Any:
    return np.asarray(values, np.float64).round(DIGITS).tolist()
