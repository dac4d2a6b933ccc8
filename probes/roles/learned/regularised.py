"""Roles learned by gradient with three regularisers: the recipe of the paper of ROLE."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from probes.roles.learned.assigner import (
    Assigner,
    Learned,
    Padded,
    attend,
    batches,
    bind,
    squared_error,
)


@dataclass(frozen=True)
class Regularised:
    """Learn the assigner, fillers, roles and W together, by Adam, as Soulos et al. (2020) do.

    The loss of a batch is its squared error and, for each sequence and a_t the distribution of its
    item t, ``one_hot`` · Σ_t Σ_k a_tk (1 − a_tk) + ``concentration`` · −Σ_t Σ_k a_tk² + ``unique``
    · Σ_k (s_k (1 − s_k))² with s = Σ_t a_t: an item should have one role, and a role one item.

    Parameters
    ----------
    filler_dim, role_dim : int
        Of the embeddings that are bound; the fillers' are a linear map of those that
        `RoleLearner` hands over. Rows of the roles' are normalised.
    one_hot, concentration, unique : float
        Weights of the regularisers. The squared error is in units of the encodings' variance.
    burn_in, ramp : int
        Epochs before the regularisers begin, and in which they rise to their full weight.
    n_epochs, patience : int
        At most; and without a lower loss on the development data, counted after the ramp.
    batch : int
        Sequences in a step.
    lr : float
        Of Adam.
    hidden, width : int
        Of the assigner.
    bidirectional : bool
        Whether the assigner reads backwards too.

    Notes
    -----
    The published weights were searched anew for each data set, so that there are none to repeat.
    """

    filler_dim: int = 20
    role_dim: int = 20
    one_hot: float = 0.01
    concentration: float = 0.01
    unique: float = 0.01
    burn_in: int = 20
    ramp: int = 20
    n_epochs: int = 200
    patience: int = 10
    batch: int = 32
    lr: float = 1e-3
    hidden: int = 32
    width: int = 16
    bidirectional: bool = True

    def learn(
        self, data: Padded, Z: Tensor, dev: Padded, Z_dev: Tensor, fillers: Tensor, n_roles: int
    ) -> Learned:
        """Learn roles and bindings; the parameters are those of `Projected.learn`."""
        sizes = self.width, self.hidden, self.bidirectional
        net = _Joint(Assigner(len(fillers) - 1, n_roles, *sizes), fillers, Z.shape[1], self)
        adam = torch.optim.Adam(net.parameters(), self.lr)
        best, lowest, best_at = net.learned(), torch.inf, 0
        for epoch in range(self.n_epochs):
            heat = min(max(epoch - self.burn_in, 0) / max(self.ramp, 1), 1.0)
            for rows in batches(len(data), self.batch, len(data) // self.batch or 1):
                attention = net.assigner.attention(data[rows])
                predicted = net(data[rows], attention)
                loss = (predicted - Z[rows]).square().sum(1).mean()
                loss = loss + heat * self._penalty(attention)
                adam.zero_grad()
                loss.backward()
                adam.step()
            if epoch < self.burn_in + self.ramp:
                continue  # losses under different weights do not compare
            learned = net.learned()
            attention = attend(learned.assigner, dev)
            error = squared_error(learned, dev, Z_dev, attention)
            error += float(self._penalty(attention))
            if error < lowest:
                best, lowest, best_at = learned, error, epoch
            elif epoch - best_at >= self.patience:
                break
        return best

    def _penalty(self, attention: Tensor) -> Tensor:
        """Give the regularisers' sum for a batch, by the number of its sequences."""
        weights = attention.new_tensor([self.one_hot, self.concentration, self.unique])
        return weights @ penalties(attention) / len(attention)


def penalties(attention: Tensor) -> Tensor:
    """Give the three regularisers of the paper, unweighted.

    Parameters
    ----------
    attention : Tensor of shape (n, length, n_roles)
        Distributions over roles, zero on padding.

    Returns
    -------
    Tensor of shape (3,)
        one-hot Σ a (1 − a), concentration −Σ a², and unique Σ (s (1 − s))² with s the attention of
        a whole sequence to a role: lowest (0, − the number of items, 0) where each item has one
        role, and no role two items of a sequence.
    """
    total = attention.sum(1)
    return torch.stack(
        [
            (attention * (1 - attention)).sum(),
            -attention.square().sum(),
            (total * (1 - total)).square().sum(),
        ]
    )


class _Joint(nn.Module):
    """The whole network of the paper."""

    def __init__(self, assigner: Assigner, fillers: Tensor, width: int, sizes: Regularised) -> None:
        super().__init__()
        self.assigner = assigner
        if fillers.requires_grad:
            self.given = nn.Parameter(fillers.detach())
        else:
            self.register_buffer("given", fillers)
        self.squeeze = nn.Linear(fillers.shape[1], sizes.filler_dim, bias=False)
        nn.init.normal_(self.squeeze.weight)
        self.roles = nn.Parameter(torch.randn(assigner.out.out_features, sizes.role_dim))
        self.out = nn.Linear(sizes.filler_dim * sizes.role_dim, width)

    def forward(self, batch: Padded, attention: Tensor) -> Tensor:
        roles = attention @ nn.functional.normalize(self.roles, dim=1)
        encodings: Tensor = self.out(bind(self.squeeze(self.given), batch, roles))
        return encodings

    @torch.no_grad()
    def learned(self) -> Learned:
        """Give the fillers, and W and the roles as one table."""
        roles = nn.functional.normalize(self.roles, dim=1)
        W = self.out.weight.view(len(self.out.weight), -1, roles.shape[1])
        table = torch.einsum("wdr,kr->dkw", W, roles).flatten(0, 1)
        fillers = self.squeeze(self.given)
        return Learned(copy.deepcopy(self.assigner), fillers, table, self.out.bias.detach().clone())
