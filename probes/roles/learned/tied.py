"""Roles that depend on their own item, learned with names that all fillers share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from probes.errors import InputError
from probes.roles.learned.assigner import (
    Assigner,
    Learned,
    Padded,
    attend,
    batches,
    bind,
)
from probes.roles.learned.exchange import Reader, exchanges, tie, unite_alike
from probes.roles.learned.projected import Moments, distil, one_hot, project, solved

MOST = 5000
"""Bindings of a filler and a role: exchanges are counted in a table of each with each."""


@dataclass(frozen=True)
class Tied:
    """Learn roles that may depend on the item itself, as those of a tree over digits do.

    `Projected` hides an item from its own role by default, and so names the roles of all fillers
    alike. An assigner that sees the item may name them anew for each filler, at no cost: the names
    have to be tied. Over and over:

    1. *Variable projection*, as in `Projected`, with an assigner that sees the item.
    2. *Roles of each filler.* At first k-means on what the mixtures add to an encoding, filler by
       filler; later the likeliest role. Those of one filler that add the same are united.
    3. *Names.* Roles of different fillers are tied so that an item's role changes as seldom as
       possible when the item is exchanged for another (`tie`).
    4. *Distillation* of a new assigner, with smoothed labels, from which the projection goes on.

    Parameters
    ----------
    n_mixed : int
        Roles that the first projection mixes, which need not be as many as there are.
    n_rounds : int
        Of steps 2 to 4 and a projection.
    n_steps, n_again, n_distilled : int
        Of Adam: in the first projection, in each later one, and in each distillation.
    batch : int
        Sequences in a step.
    lr : float
        Of Adam, falling to zero.
    forget, ridge : float
        As in `Projected`.
    smoothing : float
        Share of a label that all roles have in the distillation.
    tolerance : float
        Share of the variance that the unions of a filler's roles may cost.
    n_exchanged : int
        Sequences whose items are exchanged.
    hidden, width : int
        Of the assigner.

    Notes
    -----
    Each exchange reads as many sequences as there are fillers: made for few fillers.
    """

    n_mixed: int = 30
    n_rounds: int = 3
    n_steps: int = 800
    n_again: int = 400
    n_distilled: int = 300
    batch: int = 256
    lr: float = 1e-2
    forget: float = 0.1
    ridge: float = 1e-2
    smoothing: float = 0.3
    tolerance: float = 4e-3
    n_exchanged: int = 3000
    hidden: int = 64
    width: int = 16

    def learn(
        self, data: Padded, Z: Tensor, dev: Padded, Z_dev: Tensor, fillers: Tensor, n_roles: int
    ) -> Learned:
        """Learn roles and bindings; the parameters are those of `Projected.learn`."""
        n_fillers = len(fillers) - 1
        if n_fillers * n_roles > MOST:
            raise InputError(
                f"{n_fillers} fillers with {n_roles} roles; names are tied for up to {MOST} "
                "bindings: give fewer roles, or learn with Projected()"
            )
        assigner = Assigner(n_fillers, min(self.n_mixed, n_roles), self.width, self.hidden)
        fillers = self._project(assigner, data, Z, fillers, self.n_steps)
        read: Reader = _clusters(assigner, data, Z, fillers, n_roles)
        for _ in range(self.n_rounds):
            labels = self._tied(read, data, Z, fillers, n_roles)
            n_found = int(labels.max()) + 1
            assigner = Assigner(n_fillers, n_found, self.width, self.hidden)
            sizes = self.n_distilled, self.batch, self.lr, self.smoothing
            distil(assigner, data, labels, *sizes)
            self._project(assigner, data, Z, fillers, self.n_again)
            read = _Likeliest(assigner)
        _prune(assigner, read(data)[data.mask].unique())
        return solved(assigner, fillers, data, Z, dev, Z_dev)

    def _project(
        self, assigner: Assigner, data: Padded, Z: Tensor, fillers: Tensor, n_steps: int
    ) -> Tensor:
        adam = torch.optim.Adam([*assigner.parameters(), fillers], self.lr)
        slower = torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.02, n_steps)
        drawn = batches(len(data), self.batch, n_steps)
        for _ in project(assigner, data, Z, fillers, adam, drawn, self.forget, self.ridge):
            slower.step()
        return fillers.detach()

    def _tied(self, read: Reader, data: Padded, Z: Tensor, fillers: Tensor, n_roles: int) -> Tensor:
        """Name the role of each item, (n, length); padding gets 0."""
        n_fillers = len(fillers) - 1
        roles, items = read(data), data.items[data.mask]
        nodes = items * n_roles + roles[data.mask]
        X = bind(fillers, data, one_hot(roles[data.mask], data.mask, n_roles))
        bindings = _bindings(fillers, X, Z, ridge=1e-6)
        sizes = torch.bincount(nodes, minlength=n_fillers * n_roles).view(n_fillers, -1) / len(data)
        united = unite_alike(bindings, sizes, self.tolerance)
        node = (united + n_roles * torch.arange(n_fillers)[:, None]).flatten()
        drawn = torch.randperm(len(data))[: self.n_exchanged]
        counts = exchanges(read, data[drawn], n_fillers, n_roles)
        counts = torch.zeros_like(counts).index_add_(0, node, counts)
        counts = torch.zeros_like(counts).index_add_(1, node, counts)
        names = tie(counts, n_fillers)[node][nodes]
        rank = torch.bincount(names).argsort(descending=True).argsort()
        labels = torch.zeros_like(roles)
        labels[data.mask] = rank[names].clamp_max(n_roles - 1)  # the rarest share the last
        return labels


@dataclass(frozen=True)
class _Likeliest:
    """Read the likeliest role of each item."""

    assigner: Assigner

    def __call__(self, data: Padded) -> Tensor:
        return attend(self.assigner, data).argmax(-1)


@dataclass(frozen=True)
class _Nearest:
    """Read, of each filler, the cluster of mixtures whose effect is the nearest."""

    assigner: Assigner
    bindings: Tensor
    centres: tuple[Tensor, ...]

    def __call__(self, data: Padded) -> Tensor:
        mixtures = attend(self.assigner, data)
        found = torch.zeros_like(data.items)
        for filler, centres in enumerate(self.centres):
            here = data.items == filler
            effects = mixtures[here] @ self.bindings[filler]
            found[here] = torch.cdist(effects, centres).argmin(1)
        return found


def _clusters(
    assigner: Assigner, data: Padded, Z: Tensor, fillers: Tensor, n_roles: int
) -> _Nearest:
    mixtures = attend(assigner, data)
    bindings = _bindings(fillers, bind(fillers, data, mixtures), Z, ridge=1e-5)
    centres = []
    for filler, effects in enumerate(bindings):
        points = mixtures[data.items == filler] @ effects
        n_clusters = min(n_roles, len(points.unique(dim=0)))
        means = KMeans(n_clusters, n_init=1, random_state=0).fit(points.numpy())
        centres.append(torch.from_numpy(means.cluster_centers_))
    return _Nearest(assigner, bindings, tuple(centres))


def _bindings(fillers: Tensor, X: Tensor, Z: Tensor, ridge: float) -> Tensor:
    """Solve for what each filler in each role adds, (n_fillers, n_roles, width)."""
    moments = Moments()
    moments.add(X, Z)
    table = moments.solve(ridge)[0].view(fillers.shape[1], -1, Z.shape[1])
    return torch.einsum("fd,dkw->fkw", fillers[:-1], table)


@torch.no_grad()
def _prune(assigner: Assigner, used: Tensor) -> None:
    """Leave out the roles that no item has."""
    out = torch.nn.Linear(assigner.out.in_features, len(used))
    out.weight.copy_(assigner.out.weight[used])
    out.bias.copy_(assigner.out.bias[used])
    assigner.out = out
