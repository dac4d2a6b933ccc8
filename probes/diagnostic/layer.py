"""One layer: the penalty chosen on dev, the answers on test, the control at that penalty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from probes.diagnostic.logistic import fit_logistic
from probes.diagnostic.questions import Ints, Questions
from probes.diagnostic.ridge import fit_ridge
from probes.diagnostic.scale import fit_scale
from probes.task import Split

FIRST = 3
"""How many of the strongest penalties are fitted together, before dev is asked; each weaker one
goes on from its stronger neighbour."""

ENOUGH = 1.02
"""Weaker penalties are left untried where the weakest yet has this many times the best dev loss: on
the way from the strongest, that loss falls and then rises, and the weakest cost most to fit."""

EXTENSIONS = 3
"""Decades by which the penalties are extended where dev chooses an edge."""


@dataclass(frozen=True, eq=False)
class Linear:
    """One fitted probe, on standardised inputs.

    Parameters
    ----------
    coef : Tensor of shape (n_outputs, width)
        Weights: one row a class, or one row for a real value.
    intercept : Tensor of shape (n_outputs,)
        Intercepts.
    """

    coef: Tensor
    intercept: Tensor

    def __call__(self, X: Tensor) -> Tensor:
        """Compute logits or values, shape (n, n_outputs)."""
        return torch.addmm(self.intercept.to(X.dtype), X, self.coef.T.to(X.dtype))


@dataclass(frozen=True, eq=False)
class LayerAnswers:
    """What a layer's probe answered.

    Parameters
    ----------
    layer : str
        The layer.
    penalty : float
        As dev chose it.
    at_edge : bool
        Whether it is still the weakest or the strongest that was tried.
    dev_losses : dict of float to float
        By penalty, what dev chose by: cross-entropy in nats (of units whose class the training
        split has), or the mean squared error.
    dev_score : float
        Accuracy or R² on dev at the chosen penalty.
    predicted : dict of Split to ndarray
        Class codes or values on dev and test.
    log_probability : ndarray of shape (n_test,)
        Natural logarithm of the gold class's probability; NaN for real values and for classes that
        the training split lacks.
    control : tuple of (ndarray, ndarray)
        Gold and predicted on test, one pair a draw.
    """

    layer: str
    penalty: float
    at_edge: bool
    dev_losses: dict[float, float]
    dev_score: float
    predicted: dict[Split, npt.NDArray[Any]]
    log_probability: npt.NDArray[np.float64]
    control: tuple[tuple[npt.NDArray[Any], npt.NDArray[Any]], ...]


def probe_layer(
    layer: str,
    X: dict[Split, npt.NDArray[np.float32]],
    questions: Questions,
    penalties: Sequence[float],
    controls: Sequence[npt.NDArray[Any]] = (),
    device: torch.device | str = "cpu",
) -> LayerAnswers:
    """Probe one layer.

    Parameters
    ----------
    layer : str
        Its name.
    X : dict of Split to ndarray of shape (n_rows, width), float32
        Vectors of the answered units, in the order of ``questions.rows``.
    questions : Questions
        What is asked.
    penalties : sequence of float
        Tried on dev from the strongest on, until its loss has risen; extended by decades, at most
        three, while dev chooses an edge.
    controls : sequence of ndarray of shape (n_units,)
        Control labellings, fitted at the chosen penalty.
    device : torch.device or str
        Where to solve.

    Returns
    -------
    LayerAnswers
        Standardisation is fitted on the training split alone.

    Notes
    -----
    Dev chooses by its loss and not by its accuracy: accuracies of neighbouring penalties differ by
    a handful of units, and a choice by such luck drifts to penalties that hardly penalise.
    """
    raw = {split: torch.from_numpy(x).to(device) for split, x in X.items()}
    scale = fit_scale(raw["train"])
    scaled = {split: scale(x) for split, x in raw.items()}
    del raw
    gold = questions.gold
    labels = gold[questions.rows["train"]]
    models, losses = _path(scaled, labels, penalties, questions)
    best = _chosen(losses)
    held_out: tuple[Split, Split] = ("dev", "test")
    outputs = {split: models[best](scaled[split]) for split in held_out}
    predicted: dict[Split, npt.NDArray[Any]] = {
        split: _answers(z, questions) for split, z in outputs.items()
    }
    return LayerAnswers(
        layer=layer,
        penalty=best,
        at_edge=len(losses) > 1 and best in (min(losses), max(losses)),
        dev_losses=dict(sorted(losses.items())),
        dev_score=_score(predicted["dev"], questions),
        predicted=predicted,
        log_probability=_log_probability(outputs["test"], questions),
        control=_controls(scaled, controls, best, questions),
    )


def _path(
    scaled: dict[Split, Tensor],
    labels: npt.NDArray[Any],
    penalties: Sequence[float],
    questions: Questions,
) -> tuple[dict[float, Linear], dict[float, float]]:
    """Fit the penalties from the strongest on, until dev has had enough of weakening."""
    order = sorted(penalties, reverse=True)
    if questions.is_constant:
        order = order[:1]  # each would answer alike
    models: dict[float, Linear] = {}
    losses: dict[float, float] = {}

    def fit(some: Sequence[float]) -> None:
        stronger = min((p for p in models if p > max(some)), default=None)
        start = models[stronger] if stronger is not None else None
        found = _fit(scaled["train"], [labels], some, questions, start)[0]
        for penalty, model in zip(some, found, strict=True):
            models[penalty] = model
            losses[penalty] = _loss(model, scaled["dev"], questions)

    fit(order[:FIRST])
    for penalty in order[FIRST:]:
        if losses[min(losses)] > ENOUGH * min(losses.values()):
            break
        fit([penalty])
    for _ in range(EXTENSIONS if len(order) > 1 else 0):
        best = _chosen(losses)
        if best == min(losses):
            fit([best / 10])
        elif best == max(losses):
            fit([best * 10])
        else:
            break
    return models, losses


def _chosen(losses: dict[float, float]) -> float:
    return min(losses, key=lambda penalty: (losses[penalty], -penalty))


def _fit(
    X: Tensor,
    columns: Sequence[npt.NDArray[Any]],
    penalties: Sequence[float],
    questions: Questions,
    start: Linear | None = None,
) -> list[list[Linear]]:
    """Fit columns at penalties; the outputs of a class model are numbered as the column's codes.

    A start is that of the task's own labels alone, in which no class is absent.
    """
    if questions.is_real:
        Y = torch.from_numpy(np.stack(columns, axis=1)).to(X.device)
        ridge = fit_ridge(X, Y, penalties)
        return [
            [
                Linear(ridge.coef[p, c : c + 1], ridge.intercept[p, c : c + 1])
                for p in range(len(penalties))
            ]
            for c in range(len(columns))
        ]
    coded = [np.unique(column, return_inverse=True) for column in columns]
    several = [c for c, (present, _) in enumerate(coded) if len(present) > 1]
    zero = torch.zeros((1, X.shape[1]), dtype=torch.float64, device=X.device)
    # one class alone, of a draw or of the labelling: its answer is always that class
    found = [[(zero, zero[:, 0])] * len(penalties) for _ in columns]
    if several:
        fit = fit_logistic(
            X,
            [torch.from_numpy(coded[c][1].astype(np.int64)).to(X.device) for c in several],
            [list(penalties)] * len(several),
            start=None if start is None else [(start.coef, start.intercept)],
        )
        for k, c in enumerate(several):
            found[c] = list(zip(fit.coef[k], fit.intercept[k], strict=True))
    return [
        [_widened(w, b, present, questions.n_known) for w, b in models]
        for (present, _), models in zip(coded, found, strict=True)
    ]


def _widened(coef: Tensor, intercept: Tensor, present: Ints, n_classes: int) -> Linear:
    """Number a model's outputs by the codes that were present, the others never answered."""
    if len(present) == n_classes:
        return Linear(coef, intercept)
    wide = torch.zeros((n_classes, coef.shape[1]), dtype=coef.dtype, device=coef.device)
    floor = torch.full((n_classes,), -torch.inf, dtype=intercept.dtype, device=coef.device)
    rows = torch.from_numpy(present).to(coef.device)
    wide[rows], floor[rows] = coef, intercept
    return Linear(wide, floor)


def _loss(model: Linear, X: Tensor, questions: Questions) -> float:
    gold = questions.gold[questions.rows["dev"]]
    outputs = model(X).double().cpu()
    if questions.is_real:
        return float(((outputs[:, 0].numpy() - gold) ** 2).mean())
    known = gold < questions.n_known
    logs = torch.log_softmax(outputs, dim=1).numpy()[known, gold[known]]
    return float(-logs.mean()) if known.any() else 0.0


def _score(predicted: npt.NDArray[Any], questions: Questions) -> float:
    gold = questions.gold[questions.rows["dev"]]
    if not questions.is_real:
        return float((predicted == gold).mean())
    variance = ((gold - gold.mean()) ** 2).mean()
    return float(1 - ((gold - predicted) ** 2).mean() / variance) if variance > 0 else 0.0


def _answers(outputs: Tensor, questions: Questions) -> npt.NDArray[Any]:
    if questions.is_real:
        return outputs[:, 0].double().cpu().numpy()
    return outputs.argmax(dim=1).cpu().numpy()


def _log_probability(outputs: Tensor, questions: Questions) -> npt.NDArray[np.float64]:
    gold = questions.gold[questions.rows["test"]]
    found = np.full(len(gold), np.nan)
    if not questions.is_real:
        logs = torch.log_softmax(outputs.double(), dim=1).cpu().numpy()
        known = np.flatnonzero(gold < questions.n_known)
        found[known] = logs[known, gold[known]]
    return found


def _controls(
    scaled: dict[Split, Tensor],
    controls: Sequence[npt.NDArray[Any]],
    penalty: float,
    questions: Questions,
) -> tuple[tuple[npt.NDArray[Any], npt.NDArray[Any]], ...]:
    if not controls:
        return ()
    train, test = questions.rows["train"], questions.rows["test"]
    fits = _fit(scaled["train"], [c[train] for c in controls], [penalty], questions)
    return tuple(
        (column[test], _answers(models[0](scaled["test"]), questions))
        for column, models in zip(controls, fits, strict=True)
    )
