"""The task `digits`: sequences of digits, drawn as McCoy et al. (2019) drew theirs."""

from __future__ import annotations

import random
from dataclasses import dataclass

from probes.errors import InputError
from probes.task import Split, Task, word_task

TRAIN_SHARE, DEV_SHARE = 0.8, 0.1
FEWEST = 10
DIGITS = 10


@dataclass(frozen=True)
class Digits:
    """Sequences of digits, each digit labelled by itself.

    Distinct sequences of random digits. What a role scheme says of a digit's place is a labelling
    of the same units.
    """

    n: int = 50_000
    """How many sequences, all distinct: 80 % train, 10 % dev, 10 % test."""
    longest: int = 6
    """The most digits of a sequence; lengths are drawn from 1 to this."""
    seed: int = 0
    """Another seed draws other sequences, and divides them otherwise."""

    def load(self) -> tuple[Task]:
        """Draw the sequences and label their digits.

        Returns
        -------
        tuple of Task
            One: each word is a digit, labelled by itself.

        Raises
        ------
        InputError
            If a number is out of its range.
        """
        drawn = draw_digits(self.n, self.longest, self.seed)
        words = [[str(digit) for digit in sequence] for sequence in drawn]
        task = word_task(
            words,
            words,
            splits=split_digits(self.n),
            groups=[f"digits-{number}" for number in range(self.n)],
            group_kind="sentence",
            name="digits",
            labelling="digit",
            kind="class",
            title="Digits",
            source=f"drawn by layerprobes, seed {self.seed}",
            licence="MIT",
            citation="drawn as by McCoy, Linzen, Dunbar, Smolensky (2019), arXiv:1812.08718",
        )
        return (task,)


def draw_digits(n: int = 50_000, longest: int = 6, seed: int = 0) -> list[tuple[int, ...]]:
    """Draw distinct sequences of digits.

    Parameters
    ----------
    n : int
        How many.
    longest : int
        The most digits of a sequence.
    seed : int
        Of the draw.

    Returns
    -------
    list of tuple of int
        In random order. The length is drawn evenly from 1 to `longest`, then each digit evenly; a
        sequence that is there already is drawn again, so that short ones run out, and most are
        long.

    Raises
    ------
    InputError
        If a number is out of its range, or there are not so many sequences.

    Notes
    -----
    McCoy, Linzen, Dunbar, Smolensky (2019), arXiv:1812.08718, section 3.
    """
    if longest < 1:
        raise InputError(f"longest is {longest}; give 1 or more")
    if seed < 0:
        raise InputError(f"seed is {seed}; give 0 or more")
    most = sum(DIGITS**length for length in range(1, longest + 1)) // 2  # or drawing takes long
    if not FEWEST <= n <= most:
        raise InputError(f"n is {n}; give {FEWEST} to {most:,} sequences of 1 to {longest} digits")
    draw = random.Random(seed)
    drawn: dict[tuple[int, ...], None] = {}
    while len(drawn) < n:
        length = draw.randint(1, longest)
        drawn[tuple(draw.randrange(DIGITS) for _ in range(length))] = None
    sequences = list(drawn)
    draw.shuffle(sequences)
    return sequences


def split_digits(n: int) -> list[Split]:
    """Give each of n sequences its split, in order: 80 % train, 10 % dev, 10 % test."""
    n_train, n_dev = round(TRAIN_SHARE * n), round(DEV_SHARE * n)
    splits: list[Split] = ["train"] * n_train
    splits += ["dev"] * n_dev
    splits += ["test"] * (n - n_train - n_dev)
    return splits
