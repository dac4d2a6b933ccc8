"""The splits of a source, called by our names."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from probes_tasks.cells import SPLIT_NAMES, split_of
from probes_tasks.rows import Rows, Source

from probes.errors import InputError
from probes.task import SPLITS, Split

ASKED: tuple[Split, ...] = ("test", "dev")
"""Splits that are asked rather than learnt from, the better one first."""


def named_splits(
    source: Source, labels: Sequence[str], *, as_test: bool = False
) -> tuple[dict[Split, Rows], list[str], int]:
    """Call the splits by our names; leave out those that are none of ours or hide all labels.

    Parameters
    ----------
    source : Source
        Its parts as the data name them; one without a name is all in train.
    labels : sequence of str
        Columns of labels.
    as_test : bool
        Nothing is to be learnt from these data: their test split alone is given, where there is
        none their dev split, and all of a source of one part; as the test split.

    Returns
    -------
    parts : dict of Split to Rows
        In our order.
    notes : list of str
        What was left out, and why.
    n_out : int
        Rows that were.

    Raises
    ------
    InputError
        If there is nothing to train on, or (`as_test`) several splits of which none says test or
        dev.
    """
    if as_test:
        return _asked(source, labels)
    if list(source.parts) == [""]:
        return {"train": source.parts[""]}, _unread(source.parts[""]), 0
    parts, notes, n_out = _known_parts(source, labels)
    if "train" not in parts:
        raise InputError(
            f"{source.title} has no train split, only {', '.join(source.parts)}; "
            "give data to train on"
        )
    return parts, notes, n_out


def row_splits(
    rows: Rows,
    part: Split,
    column: str | None,
    notes: MutableSequence[str],
    *,
    as_test: bool = False,
) -> list[Split | None]:
    """Say the split of each row.

    Parameters
    ----------
    rows : Rows
        Of one part.
    part : {"train", "dev", "test"}
        The split of them all, where no column says it.
    column : str, optional
        Says train, dev or test.
    notes : list of str
        Is added to, where rows are left out.
    as_test : bool
        As in `named_splits`: of the splits that the column names, one is asked.

    Returns
    -------
    list of Split or None
        None for a row that is left out.

    Raises
    ------
    InputError
        If the column names another split.
    """
    if column is None:
        return [part] * len(rows.numbers)
    named: list[Split] = [split_of(rows, k, column) for k in range(len(rows.numbers))]
    if not as_test:
        return [*named]
    chosen = next(split for split in (*ASKED, "train") if split in named)
    if n_out := sum(split != chosen for split in named):
        notes.append(
            f"of the splits in column {column!r}, {chosen} is asked; {n_out:,} rows left out"
        )
    return ["test" if split == chosen else None for split in named]


def _asked(source: Source, labels: Sequence[str]) -> tuple[dict[Split, Rows], list[str], int]:
    if len(source.parts) == 1:
        (rows,) = source.parts.values()
        return {"test": rows}, _unread(rows), 0
    parts, notes, n_out = _known_parts(source, labels)
    chosen = next((split for split in ASKED if split in parts), None)
    if chosen is None:
        raise InputError(
            f"{source.title} has the splits {', '.join(source.parts)}, and none of them says test "
            "or dev; give data of one split"
        )
    if chosen != "test":
        notes.append(f"the {chosen} split is asked, there is no test split")
    n_out += sum(len(rows.numbers) for split, rows in parts.items() if split != chosen)
    return {"test": parts[chosen]}, notes, n_out


def _unread(rows: Rows) -> list[str]:
    """Point to a column that a reader would think is heeded."""
    names = sorted(name for name in rows.unread if name.lower() == "split")
    return [
        f"the column {name!r} is not read; where it says train, dev or test, name it by the option "
        "split"
        for name in names
    ]


def _known_parts(source: Source, labels: Sequence[str]) -> tuple[dict[Split, Rows], list[str], int]:
    parts: dict[Split, Rows] = {}
    notes, n_out = [], 0
    for name, rows in source.parts.items():
        split = SPLIT_NAMES.get(name.lower())
        hidden = all(name in rows.coded and not any(rows.columns[name]) for name in labels)
        if split is None or split in parts or hidden:
            why = "its labels are hidden" if hidden else "its name says neither train, dev nor test"
            notes.append(f"split {name} left out ({len(rows.numbers):,} rows): {why}")
            n_out += len(rows.numbers)
        else:
            parts[split] = rows
    return {split: parts[split] for split in SPLITS if split in parts}, notes, n_out
