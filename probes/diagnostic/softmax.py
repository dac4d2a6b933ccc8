"""Mean log loss of many linear softmax models on one matrix, with its gradient, in one pass.

The rows are taken in blocks: the logits of a block are made, turned into residuals in place and
folded into the gradient while they are still in cache. No array of size n × classes is ever held.
All models of a call share the two matrix products of a block.

On a CPU each core takes blocks of its own: the products are too thin to be worth sharing, and no
core waits for another within a block. What the blocks give is added in their order, so the result
does not depend on the number of cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Each = Callable[..., Iterator[Any]]
"""`map`, or what does the same on several cores; a function that runs on it must not call it."""

BLOCK_ROWS = 2048
"""On a CPU a block of 170 logits a row is 1.4 MB; more rows do not pay, fewer cost overhead."""

BLOCK_ELEMENTS = 1 << 27
"""On an accelerator a block is as large as half a gigabyte of logits allows."""


@dataclass(frozen=True, eq=False)
class Loss:
    """The mean log losses of J models and their gradients."""

    value: Tensor
    """Shape (J,), fp64: mean over rows of −log softmax(W x + b)[y]."""
    coef: Tensor
    """Shape (J, K, d), fp64: gradient in W, mean of (p − y) xᵀ."""
    intercept: Tensor
    """Shape (J, K), fp64: gradient in b, mean of p − y."""


def log_loss(X: Tensor, labels: Tensor, coef: Tensor, intercept: Tensor, each: Each = map) -> Loss:
    """Evaluate J models with K classes each.

    The matrix products are done in the precision of X. Everything summed over more than one block
    of losses is summed in fp64. The residual of the true class is taken as minus the sum of the
    others', and the loss from that sum where it is small, so both keep their relative precision
    when the data are separated.

    Parameters
    ----------
    X : Tensor of shape (n, d)
        The inputs.
    labels : LongTensor of shape (J, n)
        A class, from 0 to K − 1, for each model and row. May be expanded.
    coef : Tensor of shape (J, K, d)
        W of each model.
    intercept : Tensor of shape (J, K)
        b of each model.
    each : callable
        Takes the blocks: `map`, or the `map` of `probes.cores.each_core`.

    Returns
    -------
    Loss
        Values and gradients in fp64, on the device of X.
    """
    if coef.shape[1] == 2:
        return _two_classes(X, labels, coef, intercept, each)
    n, d = X.shape
    n_models, n_classes, _ = coef.shape
    width = n_models * n_classes
    rows = block_rows(n, width, X.device)
    W = coef.reshape(width, d).to(X.dtype)
    b = intercept.reshape(width, 1).to(X.dtype)

    def block_loss(start: int) -> tuple[Tensor, Tensor, Tensor]:
        block = X[start : start + rows]
        flat = torch.addmm(b, W, block.T)
        R = flat.view(n_models, n_classes, len(block))
        value = _residuals(R, labels[:, None, start : start + rows])
        return value, flat @ block, R.sum(2)

    value = X.new_zeros(n_models, dtype=torch.float64)
    G = X.new_zeros(width, d, dtype=torch.float64)
    g = X.new_zeros(n_models, n_classes, dtype=torch.float64)
    for one, coef_part, intercept_part in each(block_loss, range(0, n, rows)):
        value += one
        G += coef_part
        g += intercept_part
    return Loss(value / n, G.view(n_models, n_classes, d) / n, g / n)


def _two_classes(X: Tensor, labels: Tensor, coef: Tensor, intercept: Tensor, each: Each) -> Loss:
    """Of two classes the difference of the logits says all: half the products."""
    n, d = X.shape
    rows = block_rows(n, len(coef), X.device)
    W = (coef[:, 1] - coef[:, 0]).to(X.dtype)
    b = (intercept[:, 1:] - intercept[:, :1]).to(X.dtype)

    def block_loss(start: int) -> tuple[Tensor, Tensor, Tensor]:
        block = X[start : start + rows]
        sign = 1 - 2 * labels[:, start : start + rows].to(X.dtype)  # 1 for class 0, -1 for class 1
        Z = torch.addmm(b, W, block.T).mul_(sign)  # how far the other class is ahead
        value = torch.nn.functional.softplus(Z).sum(1, dtype=torch.float64)
        R = torch.sigmoid(Z).mul_(sign)  # p - y of class 1
        return value, R @ block, R.sum(1)

    value = X.new_zeros(len(coef), dtype=torch.float64)
    G = X.new_zeros(len(coef), d, dtype=torch.float64)
    g = X.new_zeros(len(coef), dtype=torch.float64)
    for one, coef_part, intercept_part in each(block_loss, range(0, n, rows)):
        value += one
        G += coef_part
        g += intercept_part
    return Loss(value / n, torch.stack([-G, G], 1) / n, torch.stack([-g, g], 1) / n)


def block_rows(n: int, width: int, device: torch.device) -> int:
    """Rows to take at a time, for so many logits a row."""
    if device.type == "cpu":
        return min(n, BLOCK_ROWS)
    return min(n, max(BLOCK_ROWS, BLOCK_ELEMENTS // width))


def _residuals(Z: Tensor, true: Tensor) -> Tensor:
    """Turn logits (J, K, m) into p − y in place and sum the losses over the rows, fp64 (J,)."""
    torch.softmax(Z, 1, out=Z)
    p = Z.gather(1, true)
    Z.scatter_(1, true, torch.zeros_like(p))
    others = Z.sum(1, keepdim=True)
    Z.scatter_(1, true, -others)
    tiny = torch.finfo(Z.dtype).tiny
    loss = torch.where(
        others < 0.5, -torch.log1p(-others.clamp(max=0.5)), -p.clamp_(min=tiny).log()
    )
    return loss.sum((1, 2), dtype=torch.float64)
