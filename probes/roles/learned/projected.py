"""Roles learned with everything linear solved exactly, the default recipe of `RoleLearner`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from sklearn.cluster import KMeans
from torch import Tensor

from probes.roles.learned.assigner import (
    Assigner,
    Learned,
    Padded,
    attend,
    batches,
    bind,
    snap,
    squared_error,
)


@dataclass(frozen=True)
class Projected:
    """Learn roles in four steps, with an exact solution wherever there is one.

    1. *Variable projection.* A step of Adam on the assigner alone: for the distributions that it
       gives, the binding of each filler and role is solved by ridge regression from moments that
       forget slowly, and the error is that of the solution. No regulariser is needed.
    2. *Roles as clusters.* That solution mixes roles, as any invertible mixture fits as well. But
       items of one role have one mixture: k-means on what the mixtures add to an encoding.
    3. *As few as do.* The two clusters whose union costs the least are united, over and over, and
       of all numbers of roles up to ``n_roles`` the fewest are kept whose error on the
       development data is the lowest, but for `tolerance` of the variance.
    4. *Distillation.* The assigner learns the clusters by cross-entropy, so that its distributions
       are one-hot in effect. The first step is taken up again from there, by which items that were
       in a wrong cluster find theirs, and the bindings are solved for the snapped roles.

    Parameters
    ----------
    n_steps, n_distilled, n_refined : int
        Of Adam: at most in the first step, and in both parts of the last.
    batch : int
        Sequences in a step.
    lr : float
        Of Adam.
    forget : float
        Weight of a batch in the moments.
    ridge : float
        Of the moments' mean diagonal, in the first step.
    patience : int
        The first step ends when so many steps lower the development error by less than 2 %.
    tolerance : float
        Share of the variance that the last roles must explain together.
    hidden, width : int
        Of the assigner.
    bidirectional : bool
        Whether the assigner reads backwards too; roles from the right need it.
    sees_item : bool
        Whether an item's role may depend on the item itself.

    Notes
    -----
    Variable projection: Golub and Pereyra (1973). By the envelope theorem the gradient is that at
    fixed bindings. Compared with the recipe of the paper (`Regularised`), embeddings of roles and
    W are one table of bindings here, and no weight of a regulariser has to be chosen.
    """

    n_steps: int = 800
    n_distilled: int = 300
    n_refined: int = 100
    batch: int = 256
    lr: float = 1e-2
    forget: float = 0.1
    ridge: float = 1e-2
    patience: int = 150
    tolerance: float = 2e-3
    hidden: int = 32
    width: int = 16
    bidirectional: bool = True
    sees_item: bool = False

    def learn(
        self, data: Padded, Z: Tensor, dev: Padded, Z_dev: Tensor, fillers: Tensor, n_roles: int
    ) -> Learned:
        """Learn roles and bindings.

        Parameters
        ----------
        data, dev : Padded
            Sequences to learn from, and to choose by.
        Z, Z_dev : Tensor of shape (n, width)
            Their encodings, centred, the mean of the squared norms 1.
        fillers : Tensor of shape (n_fillers + 1, d)
            A vector each, the last zero. Learned too, if it asks for a gradient.
        n_roles : int
            At most.

        Returns
        -------
        Learned
        """
        sizes = self.width, self.hidden, self.bidirectional, self.sees_item
        assigner = Assigner(len(fillers) - 1, n_roles, *sizes)
        fillers = self._project(assigner, data, Z, dev, Z_dev, fillers, self.n_steps, self.lr)
        mixtures = attend(assigner, data)
        labels = self._choose(assigner, mixtures, data, Z, dev, Z_dev, fillers)
        assigner.out = torch.nn.Linear(assigner.out.in_features, int(labels.max()) + 1)
        distil(assigner, data, labels, self.n_distilled, self.batch, self.lr)
        self._project(assigner, data, Z, dev, Z_dev, fillers, self.n_refined, self.lr / 5)
        return solved(assigner, fillers, data, Z, dev, Z_dev)

    def _project(
        self,
        assigner: Assigner,
        data: Padded,
        Z: Tensor,
        dev: Padded,
        Z_dev: Tensor,
        fillers: Tensor,
        n_steps: int,
        lr: float,
    ) -> Tensor:
        adam = torch.optim.Adam([*assigner.parameters(), fillers], lr)
        drawn = batches(len(data), self.batch, n_steps)
        best, best_at = torch.inf, 0
        solutions = project(assigner, data, Z, fillers, adam, drawn, self.forget, self.ridge)
        for step, solution in enumerate(solutions, 1):
            if step % 25 == 0:
                error = squared_error(solution, dev, Z_dev, attend(assigner, dev))
                if error < 0.98 * best:
                    best, best_at = error, step
                if error < self.tolerance / 4 or step - best_at >= self.patience:
                    break
        return fillers.detach()

    def _choose(
        self,
        assigner: Assigner,
        mixtures: Tensor,
        data: Padded,
        Z: Tensor,
        dev: Padded,
        Z_dev: Tensor,
        fillers: Tensor,
    ) -> Tensor:
        """Cluster the items; padding gets 0."""
        n_roles = mixtures.shape[2]
        moments = Moments()
        moments.add(bind(fillers, data, mixtures), Z)
        to_effects = _effects(moments.solve(1e-4)[0], n_roles)
        points = mixtures[data.mask] @ to_effects
        most = min(2 * n_roles, len(points.unique(dim=0)))
        means = KMeans(most, n_init=3, random_state=0).fit(points.numpy())
        dev_points = attend(assigner, dev)[dev.mask] @ to_effects
        found = torch.from_numpy(means.labels_).long()
        found_dev = torch.from_numpy(means.predict(dev_points.numpy())).long()
        errors, unions = [], []
        centres = torch.from_numpy(means.cluster_centers_)
        for union in _unions(centres, torch.bincount(found, minlength=len(centres)), n_roles):
            hard, hard_dev = (
                one_hot(union[labels], part.mask, int(union.max()) + 1)
                for labels, part in ((found, data), (found_dev, dev))
            )
            moments = Moments()
            moments.add(bind(fillers, data, hard), Z)
            solution = Learned(assigner, fillers, *moments.solve(1e-4))
            errors.append(squared_error(solution, dev, Z_dev, hard_dev))
            unions.append(union)
        fewest = max(k for k, e in enumerate(errors) if e <= min(errors) + self.tolerance)
        labels = torch.zeros(data.items.shape, dtype=torch.long)
        labels[data.mask] = unions[fewest][found]
        return labels


def project(
    assigner: Assigner,
    data: Padded,
    Z: Tensor,
    fillers: Tensor,
    adam: torch.optim.Optimizer,
    drawn: Iterable[Tensor],
    forget: float,
    ridge: float,
) -> Iterator[Learned]:
    """Take a step of variable projection for the rows of each batch, and give its bindings."""
    moments = Moments(forget)
    for rows in drawn:
        X = bind(fillers, data[rows], assigner.attention(data[rows]))
        moments.add(X.detach(), Z[rows])
        table, intercept = moments.solve(ridge)
        loss = (X @ table + intercept - Z[rows]).square().sum(1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        yield Learned(assigner, fillers.detach(), table, intercept)


def distil(
    assigner: Assigner,
    data: Padded,
    labels: Tensor,
    n_steps: int,
    batch: int,
    lr: float,
    smoothing: float = 0.0,
) -> None:
    """Teach an assigner the role of each item, (n, length), by cross-entropy."""
    adam = torch.optim.Adam(assigner.parameters(), lr)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, n_steps)
    for rows in batches(len(data), batch, n_steps):
        part = data[rows]
        loss = torch.nn.functional.cross_entropy(
            assigner(part)[part.mask], labels[rows][part.mask], label_smoothing=smoothing
        )
        adam.zero_grad()
        loss.backward()
        adam.step()
        slower.step()


class Moments:
    """Second moments of features and encodings, the newest weighing the most."""

    def __init__(self, forget: float = 1.0) -> None:
        self._forget = forget
        self._weight = 0.0
        self._XX = self._XZ = torch.zeros(())

    def add(self, X: Tensor, Z: Tensor) -> None:
        """Take in a batch (n, d), (n, width)."""
        X = torch.cat([X, X.new_ones(len(X), 1)], 1)
        keep = 1 - self._forget
        self._XX = keep * self._XX + self._forget * (X.T @ X).double() / len(X)
        self._XZ = keep * self._XZ + self._forget * (X.T @ Z).double() / len(X)
        self._weight = keep * self._weight + self._forget

    def solve(self, ridge: float) -> tuple[Tensor, Tensor]:
        """Give the table (d, width) and the intercept (width,)."""
        A = self._XX / self._weight
        diagonal = A.diagonal()[:-1]  # the intercept is not shrunk
        diagonal += ridge * diagonal.mean() + 1e-12
        solution = torch.linalg.solve(A, self._XZ / self._weight).float()
        return solution[:-1], solution[-1]


def _effects(table: Tensor, n_roles: int) -> Tensor:
    """Map mixtures to coordinates whose distances are those of what mixtures add to an encoding.

    Over all fillers together, (n_roles, n_roles). What all roles add alike is left out.
    """
    effects = table.double().view(-1, n_roles, table.shape[1])
    effects = effects - effects.mean(1, keepdim=True)
    values, vectors = torch.linalg.eigh(torch.einsum("dkw,dlw->kl", effects, effects))
    return (vectors * values.clamp_min(0).sqrt()).float()


def _unions(centres: Tensor, sizes: Tensor, most: int) -> Iterator[Tensor]:
    """Unite the two clusters whose union moves points the least, until one is left.

    Yields, from `most` clusters down, the new number of each old one.
    """
    group = torch.arange(len(centres))
    while True:
        n_groups = int(group.max()) + 1
        if n_groups <= most:
            yield group
        if n_groups == 1:
            return
        weight = torch.zeros(n_groups).index_add_(0, group, sizes.float()).clamp_min(1e-9)
        weighted = centres.float() * sizes[:, None].float()
        mean = torch.zeros(n_groups, centres.shape[1]).index_add_(0, group, weighted)
        mean /= weight[:, None]
        share = weight[:, None] * weight / (weight[:, None] + weight)
        cost = share * torch.cdist(mean, mean).square()
        cost.fill_diagonal_(torch.inf)
        first, second = sorted(divmod(int(cost.argmin()), n_groups))
        group = torch.where(group == second, first, group)
        group = torch.where(group > second, group - 1, group)


def one_hot(labels: Tensor, mask: Tensor, n_roles: int) -> Tensor:
    """Put all of each item's attention on its role; `labels` are those where the mask is set."""
    hard = torch.zeros(*mask.shape, n_roles)
    hard[mask] = torch.nn.functional.one_hot(labels, n_roles).float()
    return hard


RIDGES = (1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 1e-1)


@torch.no_grad()
def solved(
    assigner: Assigner, fillers: Tensor, data: Padded, Z: Tensor, dev: Padded, Z_dev: Tensor
) -> Learned:
    """Solve the bindings for an assigner, with the ridge that is best on development data."""
    moments = Moments()
    moments.add(bind(fillers, data, snap(attend(assigner, data))), Z)
    attention = snap(attend(assigner, dev))
    solutions = [Learned(assigner, fillers, *moments.solve(ridge)) for ridge in RIDGES]
    return min(solutions, key=lambda solution: squared_error(solution, dev, Z_dev, attention))
