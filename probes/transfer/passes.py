"""Passes without gradients over labelled items, shared by all processes."""

from __future__ import annotations

import torch
from torch import Tensor

from probes.transfer.classifier import BATCH, Classifier
from probes.transfer.examples import LabelledItems
from probes.transfer.processes import Processes


def features_of(
    classifier: Classifier, part: LabelledItems, batch_size: int, processes: Processes
) -> tuple[Tensor, int]:
    """Compute features, each process every so manieth batch: the same batches as one makes alone.

    Parameters
    ----------
    classifier : Classifier
        On this process's device.
    part : LabelledItems
        Whose items are read.
    batch_size : int
        Items of a pass.
    processes : Processes
        All of them get all features.

    Returns
    -------
    X : Tensor of shape (n, width), float32
        On the device.
    n_cut : int
        Items of which some was left out.
    """
    share = (processes.world.rank, processes.world.size)
    found, n = classifier.feature_matrix(part.items, batch_size, share)
    X = torch.from_numpy(found).to(processes.device)
    n_cut = torch.tensor([n], device=processes.device)
    processes.total([X])
    processes.total([n_cut])
    return X, int(n_cut)


def score(
    classifier: Classifier, part: LabelledItems, processes: Processes, batch_size: int = BATCH
) -> tuple[float, float]:
    """Score a classifier on labelled items.

    Parameters
    ----------
    classifier, part, processes, batch_size
        As `features_of`.

    Returns
    -------
    accuracy, loss : float
        Share of right answers, and mean cross-entropy in nats over items of classes that are
        there.
    """
    X, _ = features_of(classifier, part, batch_size, processes)
    with classifier.evaluating():
        logits = classifier.head(X).double()
    y = torch.from_numpy(part.labels).to(logits.device)
    loss = torch.nn.functional.cross_entropy(logits, y, ignore_index=-1)
    return float((logits.argmax(1) == y).double().mean()), float(loss)
