"""What a unit says without a model: bags of words, length, a few pixels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge

from probes.diagnostic.layer import probe_layer
from probes.diagnostic.questions import Questions

SIDE = 8
"""Of the thumbnails that stand for an image without a model."""


def bag_of_words(questions: Questions, penalties: Sequence[float]) -> npt.NDArray[Any]:
    """Answer every test unit by a linear model of which words it holds.

    Parameters
    ----------
    questions : Questions
        Of spans, pairs or sentences.
    penalties : sequence of float
        L2 penalties per mean loss, of which dev chooses one.

    Returns
    -------
    ndarray of shape (n_test,)
        Class codes or values.

    Notes
    -----
    Words are maximal runs of characters that are not white space, in lower case; each counts once.
    """
    surfaces = np.asarray(questions.task.surfaces, dtype=object)
    counter = CountVectorizer(token_pattern=r"\S+", binary=True)
    train = counter.fit_transform(surfaces[questions.rows["train"]])
    others = {s: counter.transform(surfaces[questions.rows[s]]) for s in ("dev", "test")}
    return _best(questions, penalties, train, others)


def length(questions: Questions, penalties: Sequence[float]) -> npt.NDArray[Any]:
    """Answer every test unit by a linear model of its number of words and of characters.

    Parameters
    ----------
    questions : Questions
        Of spans, pairs or sentences.
    penalties : sequence of float
        L2 penalties per mean loss, of which dev chooses one.

    Returns
    -------
    ndarray of shape (n_test,)
        Class codes or values.

    Notes
    -----
    Both numbers and their squares, each standardised.
    """
    counts = np.array([(len(s.split()), len(s)) for s in questions.task.surfaces], dtype=float)
    X = np.concatenate([counts, counts**2], axis=1)
    train = X[questions.rows["train"]]
    deviation = train.std(axis=0)
    X = (X - train.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    others = {s: X[questions.rows[s]] for s in ("dev", "test")}
    return _best(questions, penalties, X[questions.rows["train"]], others)


def few_pixels(questions: Questions, penalties: Sequence[float]) -> npt.NDArray[Any]:
    """Answer every test image by a probe of its thumbnail.

    Parameters
    ----------
    questions : Questions
        Of images.
    penalties : sequence of float
        L2 penalties per mean loss, of which dev chooses one as for a layer.

    Returns
    -------
    ndarray of shape (n_test,)
        Class codes or values.

    Notes
    -----
    `SIDE` × `SIDE` pixels of three colours, each the mean over its part of the image.
    """
    images = questions.task.images
    assert images is not None  # the task's units are images
    X = {split: images.at(rows).thumbnails(SIDE) for split, rows in questions.rows.items()}
    return probe_layer("pixels", X, questions, penalties).predicted["test"]


def _best(
    questions: Questions, penalties: Sequence[float], train: Any, others: dict[str, Any]
) -> npt.NDArray[Any]:
    y = questions.gold[questions.rows["train"]]
    dev = questions.gold[questions.rows["dev"]]
    best, answer = -np.inf, None
    for penalty in sorted(penalties, reverse=True):
        if questions.is_real:
            model: Any = Ridge(alpha=penalty * len(y))
        else:
            model = LogisticRegression(C=1 / (penalty * len(y)), max_iter=500)
        with warnings.catch_warnings():
            # a baseline need not be solved to the last digit that lbfgs asks for
            warnings.simplefilter("ignore", ConvergenceWarning)
            score = model.fit(train, y).score(others["dev"], dev)
        if score > best:
            best, answer = score, model.predict(others["test"])
    assert answer is not None
    return answer
