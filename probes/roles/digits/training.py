"""Teaching a digit network by the recipe of McCoy et al. (2019), epoch by epoch, resumable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import save
from torch import Tensor
from torch.nn.functional import cross_entropy

from probes.errors import InputError
from probes.files import write_whole
from probes.roles.digits.batches import Batch, Digits, by_length
from probes.roles.digits.networks import Network


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is taught.

    Parameters
    ----------
    learning_rate : float
        Of Adam.
    batch : int
        Sequences of a batch, all of one length. What is left over of a length is left out, as the
        published code has it.
    dev_every : int
        After how many batches the loss on dev is measured, from the first of each epoch on. The
        weights of the least are kept.
    most_epochs : int
        The end, at the latest; else the first epoch in which dev is nowhere better than before.
    """

    learning_rate: float = 1e-3
    batch: int = 32
    dev_every: int = 10_000 // 32
    most_epochs: int = 100


@dataclass(frozen=True)
class Course:
    """How the teaching went.

    Parameters
    ----------
    dev : tuple of float
        The losses on dev in order: negative log likelihood a sequence, in nats.
    epochs : int
        How many there were.
    left_out : int
        Sequences of train that filled no batch.
    """

    dev: tuple[float, ...]
    epochs: int
    left_out: int


def teach(
    network: Network,
    train: Sequence[Digits],
    dev: Sequence[Digits],
    recipe: Recipe,
    *,
    seed: int = 0,
    state: Path | None = None,
) -> Course:
    """Teach a network, in place.

    Parameters
    ----------
    network : Network
        Gets the weights that were best on dev.
    train, dev : sequence of sequence of int
        Of any lengths.
    recipe : Recipe
        How.
    seed : int
        Of the order of the batches.
    state : Path, optional
        File in which to stand after each epoch. Where it is there, the teaching goes on from it,
        and ends with the same weights, bit for bit, as one that was never interrupted. The caller
        sees to it that a state is of the same network, data and recipe.

    Returns
    -------
    Course
        How it went.

    Raises
    ------
    InputError
        If train or dev fills no batch, or the state is damaged.
    """
    batches, left_out = _full_batches(network, train, recipe.batch, "train")
    held_out, _ = _full_batches(network, dev, recipe.batch, "dev")
    lesson = _Lesson(network, recipe)
    if state is not None and state.is_file():
        lesson.read(state)
    network.train()
    while not lesson.is_over:
        order = np.random.default_rng([seed, lesson.epochs]).permutation(len(batches))
        lesson.epoch([batches[k] for k in order], held_out)
        if state is not None:
            write_whole(state, lesson.written())
    network.load_state_dict(lesson.best)
    network.eval()
    return Course(tuple(lesson.dev), lesson.epochs, left_out)


Answered = tuple[Batch, Tensor]
"""A batch, and the right answers in the layout of its digits."""


def _full_batches(
    network: Network, sequences: Sequence[Digits], size: int, what: str
) -> tuple[list[Answered], int]:
    batches = []
    for _, batch in by_length(sequences, network.n_digits, size):
        if batch.n == size:
            answers = [network.right(sequence) for sequence in batch.digits.T.tolist()]
            batches.append((batch, torch.tensor(answers).T.contiguous()))
    if not batches:
        raise InputError(
            f"the {len(sequences)} sequences of {what} fill no batch of {size} of one length; give "
            "more, or a smaller batch"
        )
    return batches, len(sequences) - size * len(batches)


class _Lesson:
    """A network under way: its weights, the best so far, the optimiser, the losses on dev."""

    def __init__(self, network: Network, recipe: Recipe) -> None:
        self.network, self.recipe = network, recipe
        self.adam = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=True)
        self.best = _copied(network)
        self.dev: list[float] = []
        self.epochs = 0
        self.improved = True

    @property
    def is_over(self) -> bool:
        return not self.improved or self.epochs >= self.recipe.most_epochs

    def epoch(self, batches: Sequence[Answered], held_out: Sequence[Answered]) -> None:
        self.improved = False
        for number, batch in enumerate(batches):
            self.adam.zero_grad()
            _loss(self.network, batch).backward()
            self.adam.step()
            if number % self.recipe.dev_every == 0:
                self._measure(held_out)
        self.epochs += 1

    def _measure(self, held_out: Sequence[Answered]) -> None:
        with torch.inference_mode():
            loss = float(torch.stack([_loss(self.network, batch) for batch in held_out]).mean())
        if loss < min(self.dev, default=float("inf")):
            self.improved = True
            self.best = _copied(self.network)
        self.dev.append(loss)

    def written(self) -> bytes:
        """Lay out everything that decides how the teaching goes on."""
        tensors = {f"now.{name}": t for name, t in self.network.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in self.best.items()}
        for number, values in self.adam.state_dict()["state"].items():
            tensors |= {f"adam.{number}.{name}": t for name, t in values.items()}
        said = {"dev": self.dev, "epochs": self.epochs, "improved": self.improved}
        return save(tensors, metadata={"course": json.dumps(said)})

    def read(self, path: Path) -> None:
        """Go on from what `written` laid out."""
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                said = json.loads(file.metadata()["course"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (safetensors.SafetensorError, TypeError, KeyError, ValueError) as error:
            raise InputError(f"{path} is damaged ({error}); remove it and run again") from None
        self.network.load_state_dict(_under("now.", tensors))
        self.best = _under("best.", tensors)
        whole = self.adam.state_dict()
        moments: dict[int, dict[str, Any]] = {}
        for key, tensor in _under("adam.", tensors).items():
            number, name = key.split(".", 1)
            moments.setdefault(int(number), {})[name] = tensor
        self.adam.load_state_dict({**whole, "state": moments})
        self.dev, self.epochs = said["dev"], said["epochs"]
        self.improved = said["improved"]


def _loss(network: Network, answered: Answered) -> Tensor:
    """Sum the negative log likelihood over the positions, and take its mean over the sequences."""
    batch, answers = answered
    logits = network(batch)
    loss = cross_entropy(logits.view(-1, logits.shape[2]), answers.view(-1), reduction="sum")
    return loss / batch.n


def _copied(network: Network) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}
