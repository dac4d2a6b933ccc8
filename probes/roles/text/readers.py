"""What reads a model's last hidden state: its own head, or a linear head fitted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.diagnostic.probe import LinearProbe
from probes.encoders.head import LanguageModelHead

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, eq=False)
class LinearHead:
    """A linear head.

    Parameters
    ----------
    coef : Tensor of shape (n_classes, width)
        Its weights.
    intercept : Tensor of shape (n_classes,)
        Its bias.
    classes : tuple of str
        What it answers.
    accuracy, majority : float
        Its accuracy on test, and that of the commonest training class.
    """

    coef: Tensor
    intercept: Tensor
    classes: tuple[str, ...]
    accuracy: float
    majority: float

    def __call__(self, states: Tensor) -> Tensor:
        """Compute logits, shape (…, n_classes)."""
        return states.to(self.coef) @ self.coef.T + self.intercept


Read = LanguageModelHead | LinearHead


def fit_head(X: Mapping[str, npt.NDArray[Any]], labels: Mapping[str, Sequence[str]]) -> LinearHead:
    """Fit a linear head on last hidden states, its penalty chosen on dev.

    Parameters
    ----------
    X : mapping of str to ndarray of shape (n, width)
        Last hidden states of sentences, pooled, by split.
    labels : mapping of str to sequence of str
        What it is to answer, by split.

    Returns
    -------
    LinearHead
        By multinomial logistic regression.
    """
    fits = [
        LinearProbe(penalty).fit(X["train"], np.asarray(labels["train"])) for penalty in PENALTIES
    ]
    best = max(fits, key=lambda fit: _accuracy(fit.predict(X["dev"]), labels["dev"]))
    coef, intercept = torch.from_numpy(best.coef_), torch.from_numpy(best.intercept_)
    if len(best.classes_) == 2:
        coef = torch.cat([torch.zeros_like(coef), coef])
        intercept = torch.cat([torch.zeros_like(intercept), intercept])
    names, counts = np.unique(np.asarray(labels["train"]), return_counts=True)
    common = names[np.argmax(counts)]
    return LinearHead(
        coef,
        intercept,
        tuple(map(str, best.classes_)),
        _accuracy(best.predict(X["test"]), labels["test"]),
        float(np.mean(np.asarray(labels["test"]) == common)),
    )


def _accuracy(predicted: npt.NDArray[Any], gold: Sequence[str]) -> float:
    return float(np.mean(predicted == np.asarray(gold)))
