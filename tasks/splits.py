"""Seeded splits and samples of whole groups, and what a reader must know of the splits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.task import SPLITS, Split

SHARE = 0.1  # of the sentences, for each split that is not given


def draw_groups(
    groups: Sequence[str], target: float, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Draw whole groups at random until they hold about so many items.

    Parameters
    ----------
    groups : sequence of str
        The group of each item.
    target : float
        Number of items wanted.
    random : numpy.random.Generator
        Decides the order in which groups are considered.

    Returns
    -------
    ndarray of shape (n_items,), bool
        The items of the groups drawn. A group is passed over where it would lead further from
        the target; at least one group is drawn.
    """
    number = {name: k for k, name in enumerate(dict.fromkeys(groups))}
    index = np.fromiter((number[name] for name in groups), dtype=np.int64, count=len(groups))
    sizes = np.bincount(index, minlength=len(number))
    drawn = np.zeros(len(number), dtype=bool)
    total = 0
    for k in random.permutation(len(number)):
        if total + sizes[k] / 2 <= target:
            drawn[k] = True
            total += int(sizes[k])
    if not drawn.any():
        drawn[np.argmin(sizes)] = True
    return drawn[index]


def cut_splits(
    groups: Sequence[str], missing: Collection[Split], seed: int
) -> npt.NDArray[np.str_]:
    """Cut the splits that are not given from the training items, by group.

    Parameters
    ----------
    groups : sequence of str
        The group of each item; none is divided.
    missing : collection of {"dev", "test"}
        The splits to cut; each gets about a tenth of the items.
    seed : int
        Decides which groups; the test split is the same whether dev is cut too or not.

    Returns
    -------
    ndarray of shape (n_items,), str
        The split of each item.

    Raises
    ------
    InputError
        If there are too few groups for every split to have one.
    """
    splits = np.full(len(groups), "train", dtype="<U5")
    n_groups = len(set(groups))
    if n_groups <= len(missing):
        raise InputError(
            f"{n_groups} group(s) cannot be cut into train, {' and '.join(sorted(missing))} "
            "without dividing one; give the splits yourself, or finer groups"
        )
    for split in ("test", "dev"):
        if split in missing:
            left = np.flatnonzero(splits == "train")
            random = np.random.default_rng([seed, SPLITS.index(split)])
            drawn = draw_groups(_at(groups, left), SHARE * len(groups), random)
            splits[left[drawn]] = split
    return splits


def sample_training(
    groups: Sequence[str], splits: npt.NDArray[np.str_], limit: int | None, seed: int
) -> npt.NDArray[np.bool_]:
    """Sample whole groups of the training split; keep the other splits whole.

    Parameters
    ----------
    groups : sequence of str
        The group of each item.
    splits : ndarray of shape (n_items,), str
        The split of each item.
    limit : int or None
        About how many training items to keep; None keeps all.
    seed : int
        Decides which groups.

    Returns
    -------
    ndarray of shape (n_items,), bool
        The items to keep.
    """
    keep = np.ones(len(groups), dtype=bool)
    train = np.flatnonzero(splits == "train")
    if limit is None or limit >= len(train):
        return keep
    random = np.random.default_rng([seed, SPLITS.index("train")])
    keep[train] = draw_groups(_at(groups, train), limit, random)
    return keep


def text_groups(texts: Sequence[str]) -> list[str]:
    """Name a group for each text; the same words, in whatever case, are one group.

    Parameters
    ----------
    texts : sequence of str
        The sentences.

    Returns
    -------
    list of str
        For each, the number (from 1) of the first text with the same words.
    """
    first: dict[str, int] = {}
    return [
        str(first.setdefault(text.casefold(), number)) for number, text in enumerate(texts, start=1)
    ]


def pair_groups(firsts: Sequence[str], seconds: Sequence[str]) -> list[str]:
    """Name a group for each pair of texts; pairs that share a text, in whatever case, are one.

    Parameters
    ----------
    firsts, seconds : sequence of str
        The two texts of each pair.

    Returns
    -------
    list of str
        For each, the number (from 1) of the first pair that it is tied to: by a text, first or
        second, that both hold, or by a chain of pairs that share one each.
    """
    parent: dict[str, str] = {}

    def root(text: str) -> str:
        while parent.setdefault(text, text) != text:
            parent[text] = parent[parent[text]]
            text = parent[text]
        return text

    for first, second in zip(firsts, seconds, strict=True):
        parent[root(second.casefold())] = root(first.casefold())
    return text_groups([root(first.casefold()) for first in firsts])


def count_pair_duplicates(
    firsts: Sequence[str], seconds: Sequence[str], splits: Sequence[str] | npt.NDArray[np.str_]
) -> tuple[dict[str, int], list[str]]:
    """Count the pairs that stand in two splits, and those of which one text stands in train.

    Parameters
    ----------
    firsts, seconds : sequence of str
        The two texts of each pair.
    splits : sequence of str
        The split of each.

    Returns
    -------
    counts : dict of str to int
        As `count_duplicates`, of pairs; also ``known_first_texts`` (test pairs whose first text
        stands in a pair of train, in either place), ``known_second_texts``, and the same of dev
        (``known_first_texts_dev``, …).
    notes : list of str
        The same in words, where there are any.
    """
    pairs = [f"{first}\0{second}" for first, second in zip(firsts, seconds, strict=True)]
    counts, notes = count_duplicates(pairs, splits, "pairs")
    names = [str(split) for split in splits]
    sides = [[text.casefold() for text in side] for side in (firsts, seconds)]
    train = {text for side in sides for text, s in zip(side, names, strict=True) if s == "train"}
    for split, ending in (("test", ""), ("dev", "_dev")):
        for called, side in zip(("first", "second"), sides, strict=True):
            held = [text in train for text, s in zip(side, names, strict=True) if s == split]
            counts[f"known_{called}_texts{ending}"] = sum(held)
            if any(held):
                notes.append(
                    f"of {sum(held):,} of {len(held):,} {split} pairs the {called} text also "
                    "stands in a pair of train"
                )
    return counts, notes


def count_duplicates(
    texts: Sequence[str], splits: Sequence[str] | npt.NDArray[np.str_], called: str = "sentences"
) -> tuple[dict[str, int], list[str]]:
    """Count the texts that stand in two splits, in whatever case.

    Parameters
    ----------
    texts : sequence of str
        The sentences, or digests of images.
    splits : sequence of str
        The split of each.
    called : str
        What they are, in the notes.

    Returns
    -------
    counts : dict of str to int
        ``duplicates`` (test sentences that also stand in train), ``duplicates_dev`` (dev in
        train), ``duplicates_test_dev`` (test in dev).
    notes : list of str
        The same in words, where there are any.
    """
    held: dict[str, list[str]] = {split: [] for split in SPLITS}
    for text, split in zip(texts, splits, strict=True):
        held[str(split)].append(text.casefold())
    counts, notes = {}, []
    for name, split, other in (
        ("duplicates", "test", "train"),
        ("duplicates_dev", "dev", "train"),
        ("duplicates_test_dev", "test", "dev"),
    ):
        seen = set(held[other])
        counts[name] = sum(text in seen for text in held[split])
        if counts[name]:
            notes.append(
                f"{counts[name]:,} of {len(held[split]):,} {split} {called} also stand in {other}"
            )
    return counts, notes


def check_labels(
    labels: npt.NDArray[Any],
    splits: npt.NDArray[np.str_],
    labelling: str,
    source: str,
    needed: Sequence[Split] = SPLITS,
) -> None:
    """Refuse a labelling of which nothing can be learnt or nothing can be asked.

    Parameters
    ----------
    labels : ndarray of shape (n_units,)
        Str and None, or floats and NaN.
    splits : ndarray of shape (n_units,), str
        The split of each unit.
    labelling, source : str
        What the labels say and where they come from, for the message.
    needed : sequence of Split
        Which must be there.

    Raises
    ------
    InputError
        If a split carries no label, or the training split one label only. A class that the
        training split lacks is no error.
    """
    real = labels.dtype != object
    asked = ~np.isnan(labels) if real else np.array([v is not None for v in labels], dtype=bool)
    for split in needed:
        if not (asked & (splits == split)).any():
            raise InputError(
                f"labelling {labelling!r} of {source}: no unit of the {split} split carries a "
                "label; ask for another labelling, or give other splits"
            )
    values = labels[asked & (splits == "train")]
    distinct = set(values.tolist())
    if len(distinct) == 1:
        raise InputError(
            f"labelling {labelling!r} of {source} is constant: all {len(values):,} labels of the "
            f"training split are {distinct.pop()!r}; give a labelling with at least two values"
        )


def check_draw(limit: int | None, seed: int) -> None:
    """Refuse a limit or seed that means nothing.

    Parameters
    ----------
    limit, seed : int
        As the user gave them.

    Raises
    ------
    InputError
        If the limit is below 1 or the seed below 0.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit is {limit}; give at least 1, or leave it out to keep everything")
    if seed < 0:
        raise InputError(f"seed is {seed}; give 0 or more")


def _at(names: Sequence[str], places: npt.NDArray[np.int64]) -> list[str]:
    return [names[k] for k in places.tolist()]
