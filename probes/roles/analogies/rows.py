"""Rows of a run of `probes roles analogies`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.results import Row
from probes.roles.analogies.answers import Answered
from probes.roles.analogies.solve import Outcome
from probes.roles.rows import RowMaker
from probes.roles.tpdn.ratios import mean_of

OFFSETS = "offsets"
DECODER = "decoder"


def rows_of(make: RowMaker, outcome: Outcome, layer: str) -> Iterator[Row]:
    """Make the rows of one kind of analogies at one layer.

    Parameters
    ----------
    make : RowMaker
        Of the run; a unit is an analogy.
    outcome : Outcome
        Of the kind.
    layer : str
        Of a model; empty of an encoder without layers.

    Yields
    ------
    Row
        Of each method ``accuracy`` (A, B and C left out of the answers), ``accuracy-honest`` (not
        left out), ``answers-a``, ``answers-a*`` and ``answers-b`` (honest answers that are A, B and
        C), ``tied`` (an answer chosen by chance among different vectors) and of ambiguous analogies
        ``rival`` and ``rival-honest`` (the other scheme's answer is given). Of ``offsets``
        ``cosine``, and of ambiguous ones ``cosine-rival`` and ``apart``. Of a ``decoder`` ``exact``
        and ``exact-rival``. The setting names the kind, and counts the sequences that may be
        answers and their different vectors.
    """
    about: dict[str, Any] = {
        "kind": outcome.kind,
        "sequences": outcome.n_sequences,
        "vectors": outcome.n_vectors,
    }
    for method, metric, column in _columns(outcome):
        is_share = column.dtype == np.bool_
        found = make.share(column) if is_share else make.estimate((1.0, mean_of(column)))
        yield make.row(layer, method, metric, found, **about)


def _columns(outcome: Outcome) -> Iterator[tuple[str, str, npt.NDArray[Any]]]:
    columns: list[tuple[str, str, npt.NDArray[Any] | None]] = []
    for one in outcome.answered:
        columns += [(one.method, metric, column) for metric, column in _shares(one).items()]
    columns += [
        (OFFSETS, "cosine", outcome.cosine),
        (OFFSETS, "cosine-rival", outcome.cosine_rival),
        (OFFSETS, "apart", outcome.apart),
        (DECODER, "exact", outcome.exact),
        (DECODER, "exact-rival", outcome.exact_rival),
    ]
    for method, metric, column in columns:
        if column is not None:
            yield method, metric, column


def _shares(found: Answered) -> dict[str, npt.NDArray[np.bool_] | None]:
    return {
        "accuracy": found.right,
        "accuracy-honest": found.honest,
        **{f"answers-{word}": on for word, on in found.on.items()},
        "tied": found.tied,
        "rival": found.rival,
        "rival-honest": found.rival_honest,
    }
