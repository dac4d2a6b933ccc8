"""What is said alike in the terminal and on the page of a run of analogies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from probes.analogy.methods import OF_PAIRS, counted
from probes.analogy.offsets import FEWEST
from probes.analogy.way import Way
from probes.report.words import number
from probes.results import Row

FILTERED = "Accuracy, a, a* and b left out of the answers"
HONEST = "Accuracy, honest: any word may be the answer"
SHOWN = (("accuracy", FILTERED), ("accuracy-honest", HONEST))
"""Accuracies and their titles; each has a mean over relations, ``-macro``."""

MEAN = "mean over relations"
ON = {"answers-a": "a", "answers-a*": "a*", "answers-b": "b"}
OFFSET_COLUMNS = {"ocs": "OCS", "ocs-shuffled": "shuffled", "pcs": "PCS", "p": "p"}
_MOST_NAMED = 3


def plural(n: int, one: str, many: str = "") -> str:
    """Write a number and what it counts."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def listed(names: Sequence[str]) -> str:
    """Write names as a sentence does."""
    return " and ".join([*([", ".join(names[:-1])] if len(names) > 1 else []), names[-1]])


def asked_of(way: Way, run: Mapping[str, Any]) -> str:
    """Say how many questions were asked, how many were lost, and how many have no answer."""
    asked, n = way.spaces[0]["questions_asked"], run["questions"]
    said = [f"{asked:,} of {plural(n, 'question')} asked"]
    if asked < n:
        said.append(f"{n - asked:,} lost: a word without a vector")
    if given := way.spaces[0]["questions_given_away"]:
        said.append(f"{given:,} have no answer but a, a* or b")
    return " · ".join(said)


def anisotropy_of(way: Way) -> str:
    """Say how far the vectors point one way, at the first layer and at the last one."""
    ends = [way.spaces[0]] if len(way.spaces) == 1 else [way.spaces[0], way.spaces[-1]]
    if len(ends) == 1:
        return f"anisotropy {number(ends[0]['anisotropy'])}"
    said = (f"{number(one['anisotropy'])} at layer {one['layer']}" for one in ends)
    return f"anisotropy {', '.join(said)}"


def notes_of(way: Way) -> list[str]:
    """Give what a reader must know, each note once."""
    return list(dict.fromkeys(note for one in way.spaces for note in one["notes"]))


def size_of(rows: Mapping[str, Row]) -> str:
    """Say on how many questions, and on how many pairs, accuracies by method rest."""
    said = {}
    for method, row in rows.items():
        said[counted(method)] = plural(row.n, counted(method).removesuffix("s"))
    return " and ".join(said[what] for what in ("questions", "pairs") if what in said)


def once(methods: Sequence[str]) -> Iterator[str]:
    """Say which methods answer once a pair, where any does."""
    if of_pairs := [name for name in methods if name in OF_PAIRS]:
        verb = "answers" if len(of_pairs) == 1 else "answer"
        yield (
            f"{listed(of_pairs)} {verb} once a pair, the others every question; the {MEAN} counts "
            "each relation once, and so compares them."
        )


def unmeasured_of(way: Way) -> Iterator[str]:
    """Say of which relations no offsets are measured, and why."""
    if names := way.unmeasured:
        more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
        shown = ", ".join(names[:_MOST_NAMED]) if more else listed(names)
        yield (
            f"No offsets are measured of {shown}{more}: fewer than {FEWEST} pairs of which both "
            "words have vectors, and not one and the same."
        )
