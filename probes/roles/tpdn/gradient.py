"""The two recipes by which McCoy et al. (2019) train a tensor product decomposition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from probes.errors import InputError, unknown
from probes.roles.numbers import places
from probes.roles.schemes import RoleScheme
from probes.roles.sequences import Fillers
from probes.roles.tpdn.bindings import Bindings, Floats, bound, number
from probes.roles.tpdn.decomposition import Decomposition, Dev, with_dev

Recipe = Literal["paper", "master"]
"""``paper``: Adam at 1e-3; an update sums the MSE of 32 batches of 32 sequences of equal length;
dev is asked after the first update of each epoch, and after every 31 more of it; the best is kept;
training ends after 10 times without a gain, after an epoch without one, or after 100 epochs.
``master``: an update a batch, and training ends at the first time without a gain on dev, which is
asked every 32 updates (how often the authors ask it there is not known to us)."""

BATCH = 32
TOGETHER = {"paper": 32, "master": 1}
EVERY = {"paper": 31, "master": 32}
PATIENCE = {"paper": 10, "master": 1}
MOST_EPOCHS = 100


class GradientTPDN(Decomposition):
    """A tensor product decomposition by stochastic gradients, as published.

    Parameters
    ----------
    scheme : RoleScheme
        Gives the roles; no sum.
    filler_dim, role_dim : int
        Dimensions of the embeddings.
    recipe : {"paper", "master"}
        The branch of the authors' repository: the paper's results are of the first.
    random_state : int
        Of the initial embeddings, the order of batches, and the draw of held-out sequences.

    Attributes
    ----------
    n_epochs_ : int
        How many were begun.
    dev_losses_ : list of float
        MSE on dev, each time that it was asked.

    Notes
    -----
    McCoy, Linzen, Dunbar, Smolensky (2019), arXiv:1812.08718, and the branches ``tpdn_paper`` and
    ``master`` of their code. Batches are of equal length there; sequences of a group of batches are
    padded and run as one here, which sums the same losses.
    """

    def __init__(
        self,
        scheme: RoleScheme,
        filler_dim: int = 20,
        role_dim: int = 20,
        *,
        recipe: Recipe = "paper",
        random_state: int = 0,
    ) -> None:
        self.scheme = scheme
        self.filler_dim = filler_dim
        self.role_dim = role_dim
        self.recipe = recipe
        self.random_state = random_state

    def fit(
        self, sequences: Sequence[Fillers], Z: npt.NDArray[Any], dev: Dev | None = None
    ) -> Self:
        """Train; as `Decomposition.fit`, of one layer.

        Raises
        ------
        InputError
            Also if Z has several layers, the scheme is a sum, or the recipe is unknown.
        """
        if self.recipe not in get_args(Recipe):
            raise unknown("recipe", self.recipe, get_args(Recipe))
        if np.ndim(Z) != 2 or len(self.scheme.parts) != 1:
            raise InputError(
                f"encodings of shape {np.shape(Z)} under the scheme {self.scheme.name}; the "
                "published recipes take one layer, (n, width), and no sum of schemes"
            )
        flat, held_out = with_dev(sequences, Z, dev, self.random_state)
        every = [*sequences, *(dev[0] if dev is not None else ())]
        kept = [*compress(every, ~held_out)]
        training, self.vocabulary_ = number(kept, self.scheme)
        self._remember(training, np.asarray(Z))
        items = _padded(training, self._sizes, flat[~held_out])
        asked = [*compress(every, held_out)]
        dev_items = _padded(self._renumbered(asked), self._sizes, flat[held_out])
        torch_state = torch.random.get_rng_state()
        torch.manual_seed(self.random_state)
        net = _Net(*self._sizes, self.filler_dim, self.role_dim, flat.shape[1])
        torch.random.set_rng_state(torch_state)
        self._train(net, items, dev_items)
        with torch.no_grad():
            self.filler_embeddings_: Floats = net.fillers.weight[:-1].double().numpy()
            self.role_embeddings_: Floats = net.roles.weight[:-1].double().numpy()
            self.weights_: Floats = net.last.weight.double().numpy().T.copy()
            self._bias: Floats = net.last.bias.double().numpy()
        return self

    @property
    def _sizes(self) -> tuple[int, int]:
        return len(self.vocabulary_.fillers), self.vocabulary_.n_roles

    def _train(self, net: _Net, items: _Items, dev: _Items) -> None:
        adam = torch.optim.Adam(net.parameters(), lr=1e-3)
        random = np.random.default_rng(self.random_state)
        stop = _Stopping(net, dev, PATIENCE[self.recipe])
        self.n_epochs_ = 0
        for _ in range(MOST_EPOCHS):
            self.n_epochs_ += 1
            gains = stop.n_gains
            updates = _updates(items, random, TOGETHER[self.recipe])
            for update, (rows, weights) in enumerate(updates):
                adam.zero_grad()
                squares = (net(items.fillers[rows], items.roles[rows]) - items.Z[rows]) ** 2
                (squares.mean(dim=1) * weights).sum().backward()
                adam.step()
                if update % EVERY[self.recipe] == 0 and stop.asks():
                    break
            if stop.is_over or (self.recipe == "paper" and stop.n_gains == gains):
                break
        stop.asks()
        net.load_state_dict(stop.best)
        self.dev_losses_ = stop.losses

    def _predict(self, bindings: Bindings) -> Floats:
        sequence, filler, role = bindings.triples
        f, r = self.filler_embeddings_[filler], self.role_embeddings_[role]
        return bound(sequence, f, r, bindings.n_sequences) @ self.weights_ + self._bias

    def _binding(self, filler: int, role: int) -> Floats:
        pair = np.outer(self.filler_embeddings_[filler], self.role_embeddings_[role])
        return pair.reshape(-1) @ self.weights_

    @property
    def n_parameters_(self) -> int:
        """Numbers in the embeddings and in W."""
        return self.filler_embeddings_.size + self.role_embeddings_.size + self.weights_.size


class _Net(nn.Module):
    """Embeddings, their tensor product, and the last linear map; index -1 stands for padding."""

    def __init__(
        self, n_fillers: int, n_roles: int, filler_dim: int, role_dim: int, width: int
    ) -> None:
        super().__init__()
        self.fillers = nn.Embedding(n_fillers + 1, filler_dim, padding_idx=n_fillers)
        self.roles = nn.Embedding(n_roles + 1, role_dim, padding_idx=n_roles)
        self.last = nn.Linear(filler_dim * role_dim, width)

    def forward(self, fillers: Tensor, roles: Tensor) -> Tensor:
        """Bind items of shape (n, length), add, and map, shape (n, width).

        The map is linear: where there are fewer pairs of a filler and a role than items, each pair
        is bound and mapped once, and what the pairs of a sequence give is added.
        """
        if self.fillers.num_embeddings * self.roles.num_embeddings > fillers.numel():
            bound = self.fillers(fillers).transpose(1, 2) @ self.roles(roles)
            out: Tensor = self.last(bound.flatten(1))
            return out
        width, (n_roles, _) = self.last.out_features, self.roles.weight.shape
        maps = self.last.weight.view(width * self.fillers.embedding_dim, -1)
        of_roles = (self.roles.weight @ maps.T).view(n_roles, width, -1)
        of_pairs = (of_roles @ self.fillers.weight.T).permute(2, 0, 1).reshape(-1, width)
        added = nn.functional.embedding_bag(fillers * n_roles + roles, of_pairs, mode="sum")
        return added + self.last.bias


@dataclass(frozen=True, eq=False)
class _Items:
    """Padded numbers of fillers and roles, lengths, and encodings."""

    fillers: Tensor
    roles: Tensor
    lengths: npt.NDArray[np.int64]
    Z: Tensor


def _padded(bindings: Bindings, sizes: tuple[int, int], Z: npt.NDArray[Any]) -> _Items:
    lengths = np.bincount(bindings.sequence, minlength=bindings.n_sequences)
    place = places(lengths)
    tables = []
    for ids, size in zip((bindings.filler, bindings.roles[0]), sizes, strict=True):
        table = np.full((bindings.n_sequences, int(lengths.max(initial=1))), size)
        table[bindings.sequence, place] = np.where(ids < 0, size, ids)
        tables.append(torch.from_numpy(table))
    fillers, roles = tables
    return _Items(fillers, roles, lengths, torch.from_numpy(np.asarray(Z, np.float32)))


def _updates(
    items: _Items, random: np.random.Generator, together: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Give the rows of each update of an epoch, and what each row's mean square counts."""
    batches = []
    for length in np.unique(items.lengths):
        rows = random.permutation(np.flatnonzero(items.lengths == length))
        batches += np.split(rows, range(BATCH, len(rows), BATCH))
    order = random.permutation(len(batches))
    for first in range(0, len(order), together):
        some = [batches[k] for k in order[first : first + together]]
        weights = np.concatenate([np.full(len(rows), 1 / len(rows)) for rows in some])
        yield torch.from_numpy(np.concatenate(some)), torch.from_numpy(weights.astype(np.float32))


class _Stopping:
    """Asks dev, keeps the best weights, and says when it has had enough."""

    def __init__(self, net: _Net, dev: _Items, patience: int) -> None:
        self._net, self._dev, self._patience = net, dev, patience
        self.losses: list[float] = []
        self.n_gains = 0
        self._waited = 0
        self.best = {name: value.clone() for name, value in net.state_dict().items()}

    @property
    def is_over(self) -> bool:
        """Whether dev was asked often enough without a gain."""
        return self._waited >= self._patience

    def asks(self) -> bool:
        """Ask dev, and say whether that is the end."""
        with torch.no_grad():
            predicted = self._net(self._dev.fillers, self._dev.roles)
            loss = float(((predicted - self._dev.Z) ** 2).mean())
        if not self.losses or loss < min(self.losses):
            self.best = {name: value.clone() for name, value in self._net.state_dict().items()}
            self.n_gains += 1
            self._waited = 0
        else:
            self._waited += 1
        self.losses.append(loss)
        return self.is_over
