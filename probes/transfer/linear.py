"""Linear probing: a head fitted on features that stay as they are, its penalty chosen on dev.

Kumar et al. (2022), arXiv:2202.10054, §4 and their code: features are computed once, normalised by
one mean and one deviation of the whole training matrix, logistic regression is fitted at 50
penalties from C = 1e-7 to 100, the best by accuracy on ID validation is folded back to the head of
the network. They fit one penalty after the other by scikit-learn; here all are solved together
(`probes.diagnostic.logistic`), to the same objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.diagnostic.logistic import fit_logistic
from probes.errors import InputError
from probes.task import Task
from probes.transfer.classifier import BATCH, Classifier
from probes.transfer.examples import labelled, require_classes
from probes.transfer.passes import features_of
from probes.transfer.processes import Processes
from probes.transfer.sets import NEVER

CS: tuple[float, ...] = tuple(float(c) for c in np.logspace(-7, 2, 50))
"""scikit-learn's C, the weight of the summed loss against half the squared weights."""


@dataclass(frozen=True)
class PathPoint:
    """One penalty of the path.

    Parameters
    ----------
    C : float
        As scikit-learn's `LogisticRegression` has it.
    objective : float
        Mean training loss in nats, plus the penalty.
    accuracy : float
        On dev.
    converged : bool
        Whether the solver reached its tolerance.
    """

    C: float
    objective: float
    accuracy: float
    converged: bool


@dataclass(frozen=True, eq=False)
class Probed:
    """What linear probing found.

    Parameters
    ----------
    classifier : Classifier
        The given one's features with the chosen head.
    path : tuple of PathPoint
        From the strongest penalty on.
    chosen : int
        Which of them: the most accurate on dev, of equals the strongest.
    n_cut : int
        Training and dev items of which some was left out.
    heads : (Tensor, Tensor)
        Weights, shape (penalties, classes, width), and intercepts, (penalties, classes), in the
        order of the path.
    """

    classifier: Classifier
    path: tuple[PathPoint, ...]
    chosen: int
    n_cut: int
    heads: tuple[Tensor, Tensor]

    def accuracies(
        self, X: Tensor, labels: npt.NDArray[np.int64], barred: Sequence[int] = ()
    ) -> list[float]:
        """Score every head of the path.

        Parameters
        ----------
        X : Tensor of shape (n, width)
            Features.
        labels : ndarray of shape (n,)
            Of the items; -1 is never right.
        barred : sequence of int
            Classes that may not be answered.

        Returns
        -------
        list of float
            In the order of the path.
        """
        return _accuracies(self.heads, X, labels, barred)


def linear_probe(
    classifier: Classifier,
    task: Task,
    *,
    Cs: Sequence[float] = CS,
    tol: float = 1e-4,
    batch_size: int = BATCH,
    processes: Processes | None = None,
    known: Mapping[str, tuple[Tensor, int]] | None = None,
) -> Probed:
    """Fit the head of a classifier on frozen features.

    Parameters
    ----------
    classifier : Classifier
        Is not changed; its head does not enter.
    task : Task
        Over sentences or images; train is fitted, dev chooses.
    Cs : sequence of float
        Penalties to try, as scikit-learn's C.
    tol : float
        Relative distance from the optimal objective, at every penalty.
    batch_size : int
        Items of a pass.
    processes : Processes, optional
        Those that share the pass; by default those that a launcher started.
    known : mapping, optional
        Of ``train`` and ``dev``, the classifier's features as
        `probes.transfer.passes.features_of` gives them, where they are there already.

    Returns
    -------
    Probed
        The classifier has the same features, bit for bit.

    Raises
    ------
    InputError
        If the task's classes are not the classifier's, or a penalty is not positive.

    Notes
    -----
    For two classes scikit-learn has one row of weights where this has two that differ by it; C
    means the same: the same probabilities, and an objective of the same value.
    """
    classes = require_classes(classifier.classes, task)
    if not Cs or not all(0 < C < float("inf") for C in Cs):
        raise InputError(f"Cs {tuple(Cs)}: expected one or more positive numbers")
    processes = processes or Processes.join()
    parts = {s: labelled(task, s, classes) for s in ("train", "dev")}
    classifier = classifier.copy().to(processes.device)
    found = known or {
        s: features_of(classifier, part, batch_size, processes) for s, part in parts.items()
    }
    order = sorted(Cs)
    heads, objective, converged = _fit(found["train"][0], parts["train"].labels, order, tol)
    accuracy = _accuracies(heads, found["dev"][0], parts["dev"].labels)
    chosen = int(np.argmax(accuracy))  # of equals the first: the strongest penalty
    path = tuple(PathPoint(*row) for row in zip(order, objective, accuracy, converged, strict=True))
    n_cut = sum(n for _, n in found.values())
    best = classifier.with_head(heads[0][chosen], heads[1][chosen])
    return Probed(best, path, chosen, n_cut, heads)


def with_fresh_scale(classifier: Classifier) -> Classifier:
    """Bring a head to the scale of a drawn one; what is answered stays the same.

    Parameters
    ----------
    classifier : Classifier
        As `linear_probe` gives it. A head that is fitted on features that tell classes apart has
        large weights, which send large gradients into the features.

    Returns
    -------
    Classifier
        A copy, whose head's weights have the standard deviation of PyTorch's for a linear layer,
        1/√(3 width); its bias is scaled alike, and so are its logits.

    Raises
    ------
    InputError
        If all weights are one number.

    Notes
    -----
    The option ``normalize_lp`` of the code of Kumar et al. (2022).
    """
    weight, bias = classifier.head.weight.detach(), classifier.head.bias.detach()
    deviation = float(weight.double().std(correction=0))
    if not deviation > 0:
        raise InputError("all weights of the head are one number, which has no scale; fit the head")
    factor = (3 * classifier.features.width) ** -0.5 / deviation
    return classifier.with_head(weight * factor, bias * factor)


def _fit(
    X: Tensor, labels: npt.NDArray[np.int64], Cs: Sequence[float], tol: float
) -> tuple[tuple[Tensor, Tensor], list[float], list[bool]]:
    """Solve all penalties on the normalised features; weights of the features themselves."""
    mean = X.mean(dtype=torch.float64)
    Z = X - mean.float()
    shift = Z.mean(dtype=torch.float64)  # what float32 left of the mean
    deviation = (
        torch.linalg.vector_norm(Z, dtype=torch.float64) ** 2 / Z.numel() - shift**2
    ).sqrt()
    if not deviation > 0:
        raise InputError("all features are one number; give a network that tells items apart")
    y = torch.from_numpy(labels).to(X.device)
    n_classes = int(labels.max()) + 1
    scale = 2 if n_classes == 2 else 1
    penalties = [scale / (len(X) * C) for C in Cs]
    fit = fit_logistic(Z.div_(deviation.float()), [y], [penalties], tol=tol)
    weight = fit.coef[0] / deviation.float().double()
    bias = fit.intercept[0] - weight.sum(2) * mean.float().double()
    return (weight, bias), fit.objective[0].tolist(), fit.converged[0].tolist()


def _accuracies(
    heads: tuple[Tensor, Tensor],
    X: Tensor,
    labels: npt.NDArray[np.int64],
    barred: Sequence[int] = (),
) -> list[float]:
    """Score each head as the network will compute it: in float32, from the features themselves."""
    weight, bias = (part.float() for part in heads)
    y = torch.from_numpy(labels).to(X.device)
    found: list[Any] = []
    for w, b in zip(weight, bias, strict=True):
        logits = torch.addmm(b, X, w.T)
        logits[:, list(barred)] = NEVER
        found.append((logits.argmax(1) == y).double().mean())
    return [float(value) for value in found]
