"""Labellings that hold nothing linguistic, and answers that need no model."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from probes.diagnostic.questions import Ints, Questions
from probes.task import SPLITS


def control_task(questions: Questions, seed: int, draw: int) -> npt.NDArray[Any]:
    """Draw the control task of word types: every type gets one label, whatever its context.

    Parameters
    ----------
    questions : Questions
        Whose training labels are drawn from, with their frequencies.
    seed, draw : int
        Of the run, and number of the draw.

    Returns
    -------
    ndarray of shape (n_units,)
        Class codes or values, as ``questions.gold``.

    Notes
    -----
    Hewitt & Liang (2019), §2: the label of a type is drawn from the empirical distribution over
    tokens, and types are registered over all splits, so that a type of the test split has the
    label that it had in training. For real values, the same with values.
    """
    random = np.random.default_rng([seed, draw, 1])
    observed = questions.gold[questions.rows["train"]]
    of_type = random.choice(observed, size=int(questions.types.max()) + 1)
    return of_type[questions.types]


def permuted(questions: Questions, seed: int, draw: int) -> npt.NDArray[Any]:
    """Permute the labels of each split among its units.

    Parameters
    ----------
    questions : Questions
        Whose labels they are.
    seed, draw : int
        Of the run, and number of the draw.

    Returns
    -------
    ndarray of shape (n_units,)
        Class codes or values, as ``questions.gold``.
    """
    random = np.random.default_rng([seed, draw, 2])
    labels = questions.gold.copy()
    for split in SPLITS:
        rows = questions.rows[split]
        labels[rows] = random.permutation(labels[rows])
    return labels


def majority(questions: Questions) -> npt.NDArray[Any]:
    """Answer every test unit with the commonest training class, or the mean training value.

    Parameters
    ----------
    questions : Questions
        With a training and a test split.

    Returns
    -------
    ndarray of shape (n_test,)
        Class codes or values.
    """
    observed = questions.gold[questions.rows["train"]]
    answer = observed.mean() if questions.is_real else np.bincount(observed).argmax()
    return np.full(len(questions.rows["test"]), answer)


def word_identity(questions: Questions) -> npt.NDArray[Any]:
    """Answer every test unit by what its form was most often in training.

    Parameters
    ----------
    questions : Questions
        With a training and a test split.

    Returns
    -------
    ndarray of shape (n_test,)
        Class codes or values: of the form's commonest training class (the first of equals), or
        its mean training value; `majority` for a form that training lacks.
    """
    return by_clue(questions, questions.types)


def by_clue(questions: Questions, codes: Ints) -> npt.NDArray[Any]:
    """Answer every test unit by what units with its code were most often in training.

    Parameters
    ----------
    questions : Questions
        With a training and a test split.
    codes : ndarray of shape (n_units,), int64
        From 0 on: of a unit's form, of its place, …

    Returns
    -------
    ndarray of shape (n_test,)
        As `word_identity`, with the code in place of the form.
    """
    train, test = questions.rows["train"], questions.rows["test"]
    answer = majority(questions)
    known = np.isin(codes[test], codes[train])
    answer[known] = _of_types(questions, codes, train)[codes[test][known]]
    return answer


def _of_types(questions: Questions, codes: Ints, train: Ints) -> npt.NDArray[Any]:
    types, labels = codes[train], questions.gold[train]
    n_types = int(codes.max()) + 1
    if questions.is_real:
        counts = np.bincount(types, minlength=n_types)
        return np.bincount(types, weights=labels, minlength=n_types) / np.maximum(counts, 1)
    pairs, n = np.unique(types * questions.n_known + labels, return_counts=True)
    order = np.lexsort((pairs, -n))
    commonest = np.zeros(n_types, dtype=np.int64)
    commonest[pairs[order][::-1] // questions.n_known] = pairs[order][::-1] % questions.n_known
    return commonest
