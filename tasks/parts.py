"""The splits of a source, called by our names."""

from __future__ import annotations

from collections.abc import Sequence

from probes_tasks.cells import SPLIT_NAMES
from probes_tasks.rows import Rows, Source

from probes.errors import InputError
from probes.task import SPLITS, Split


def named_splits(source: Source, labels: Sequence[str]) -> tuple[dict[Split, Rows], list[str], int]:
    """Call the splits by our names; leave out those that are none of ours or hide all labels.

    Parameters
    ----------
    source : Source
        Its parts as the data name them; one without a name is all in train.
    labels : sequence of str
        Columns of labels.

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
        If there is nothing to train on.
    """
    if list(source.parts) == [""]:
        return {"train": source.parts[""]}, [], 0
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
    if "train" not in parts:
        raise InputError(
            f"{source.title} has no train split, only {', '.join(source.parts)}; "
            "give data to train on"
        )
    return {split: parts[split] for split in SPLITS if split in parts}, notes, n_out
