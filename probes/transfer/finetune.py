"""Fine-tuning: the whole network, or a part of it, by gradient; LP-FT where the head is fitted.

LP-FT (Kumar et al. 2022, arXiv:2202.10054, §4) is fine-tuning from the head of `linear_probe`, with
statistics of norms and dropout frozen: ``finetune(linear_probe(c, task).classifier, task,
FinetuneConfig(lr=1e-5, norm_and_dropout="frozen"))``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import Tensor, nn

from probes.configs import plain
from probes.diagnostic.run import Progress, Silent
from probes.errors import InputError
from probes.task import Task
from probes.transfer.checkpoint import (
    Checkpoint,
    digest_of_tensors,
    optimizer_state,
    restore_optimizer,
)
from probes.transfer.classifier import Classifier
from probes.transfer.examples import LabelledItems, labelled, require_classes
from probes.transfer.groups import trained_groups
from probes.transfer.lora import add_adapters
from probes.transfer.passes import score
from probes.transfer.processes import Processes
from probes.transfer.schedule import batches_of
from probes.transfer.settings import FinetuneConfig
from probes.transfer.stepping import Diverged, Stepper


@dataclass(frozen=True)
class Epoch:
    """What dev said after an epoch.

    Parameters
    ----------
    accuracy, loss : float
        Share of right answers, and mean cross-entropy in nats.
    """

    accuracy: float
    loss: float


@dataclass
class History:
    """How a fine-tuning went.

    Parameters
    ----------
    losses : list of float
        Mean cross-entropy of each step's items, before the step, in nats.
    epochs : list of Epoch
        Those that were trained.
    best : int
        Number of the epoch whose weights were returned: the most accurate on dev, of equals the one
        of the least loss.
    seconds : float
        Spent on steps and on dev; in all runs together, where it was resumed.
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    best: int = 0
    seconds: float = 0.0

    def add(self, epoch: Epoch) -> bool:
        """Add an epoch, and say whether it is the best yet."""
        self.epochs.append(epoch)
        best = self.epochs[self.best]
        better = len(self.epochs) == 1 or (
            (epoch.accuracy, -epoch.loss) > (best.accuracy, -best.loss)
        )
        if better:
            self.best = len(self.epochs) - 1
        return better

    def has_lost_patience(self, patience: int | None) -> bool:
        """Whether so many epochs were no better than the best before them."""
        return patience is not None and len(self.epochs) - 1 - self.best >= patience

    def record(self) -> dict[str, Any]:
        """Give it as JSON keeps it."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> History:
        """Read what `record` gave."""
        epochs = [Epoch(**epoch) for epoch in record["epochs"]]
        return cls(list(record["losses"]), epochs, record["best"], record["seconds"])


def finetune(
    classifier: Classifier,
    task: Task,
    config: FinetuneConfig,
    *,
    folder: str | Path | None = None,
    processes: Processes | None = None,
    progress: Progress | None = None,
) -> tuple[Classifier, History]:
    """Train a classifier on a task's training split; dev chooses the epoch.

    Parameters
    ----------
    classifier : Classifier
        Where training starts; is not changed.
    task : Task
        Over sentences or images.
    config : FinetuneConfig
        How.
    folder : str or Path, optional
        For a checkpoint. A training that was killed goes on from it, to the same weights (on a CPU
        bit for bit); one that was done is read from it.
    processes : Processes, optional
        Those that share each step; by default those that a launcher started. Which items a step
        sees does not depend on their number, nor does its gradient but for rounding, for what
        dropout drops, and for the statistics of batch norm that is not frozen.
    progress : Progress, optional
        Where to show how far it is; nowhere by default.

    Returns
    -------
    classifier : Classifier
        A new one, with the weights after the best epoch, on the device of the given one.
    history : History
        Losses, epochs, and which was best.

    Raises
    ------
    InputError
        If the task's classes are not the classifier's, a setting does not fit the network, or the
        checkpoint is of another training.
    Diverged
        If the loss stops being finite.
    """
    classes = require_classes(classifier.classes, task)
    processes, home = processes or Processes.join(), classifier.device
    train, dev = labelled(task, "train", classes), labelled(task, "dev", classes)
    new = classifier.copy().to(processes.device)
    change = config.change
    merge = None if change.lora_rank is None else add_adapters(new, change, config.seed)
    groups = trained_groups(new, change)
    _require_variance(new, config, len(train))
    checkpoint = None
    if folder is not None:
        checkpoint = Checkpoint(Path(folder), _identity(classifier, config, train, dev))
    with _own_randomness(processes.device):
        run = _Run(new, Stepper(new, groups, config, _n_steps(train, config), processes), config)
        run.resume(checkpoint)
        run.train(train, dev, checkpoint, processes, progress or Silent())
    run.take_best()
    if merge is not None:
        merge()
    for module in new.parts().values():
        module.eval().requires_grad_(False)
    return new.to(home), run.history


def seconds_a_step(
    classifier: Classifier,
    task: Task,
    config: FinetuneConfig,
    processes: Processes | None = None,
) -> float:
    """Time two steps on a copy, to say what a training would take.

    Parameters
    ----------
    classifier, task, config, processes
        As `finetune`.

    Returns
    -------
    float
        The faster of the two, in seconds.
    """
    processes = processes or Processes.join()
    train = labelled(task, "train", classifier.classes)
    new = classifier.copy().to(processes.device)
    if config.change.lora_rank is not None:
        add_adapters(new, config.change, config.seed)
    stepper = Stepper(new, trained_groups(new, config.change), config, 2, processes)
    took = []
    with _own_randomness(processes.device):
        for number, rows in enumerate(batches_of(len(train), config.batch_size, 0, 0)[:2]):
            start = time.perf_counter()
            stepper.step(train, rows, number)
            took.append(time.perf_counter() - start)
    return min(took)


class _Run:
    """One training, as far as it is."""

    def __init__(self, classifier: Classifier, stepper: Stepper, config: FinetuneConfig) -> None:
        self._classifier, self._stepper, self._config = classifier, stepper, config
        self.history = History()
        self._done = False
        parameters = classifier.parameters()
        self._names: dict[Tensor, str] = {
            p: name for name, p in parameters.items() if p.requires_grad
        }
        fixed = parameters.keys() - set(self._names.values())
        self._changing = {n: t for n, t in classifier.state().items() if n not in fixed}
        self._best: dict[str, Tensor] = {}

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: tensor.detach().clone() for name, tensor in self._changing.items()}

    def train(
        self,
        train: LabelledItems,
        dev: LabelledItems,
        checkpoint: Checkpoint | None,
        processes: Processes,
        progress: Progress,
    ) -> None:
        """Step on, from wherever it is, to the end."""
        config, history = self._config, self.history
        n_steps = _n_steps(train, config)
        per_epoch = n_steps // config.epochs
        every = config.checkpoint_every or per_epoch
        batches, of_epoch = [], -1
        if self._done:
            return
        with progress.stage(f"rate {config.lr:g} · seed {config.seed} · steps", n_steps) as advance:
            advance(len(history.losses))
            while not self._done:
                start = time.perf_counter()
                number = len(history.losses)
                if number // per_epoch != of_epoch:
                    of_epoch = number // per_epoch
                    batches = batches_of(len(train), config.batch_size, config.seed, of_epoch)
                rows = batches[number % per_epoch]
                history.losses.append(self._stepper.step(train, rows, number))
                if (number + 1) % per_epoch == 0:
                    self._close_epoch(dev, n_steps, processes)
                history.seconds += time.perf_counter() - start
                if checkpoint is not None and ((number + 1) % every == 0 or self._done):
                    self._save(checkpoint, processes)
                advance(1)

    def _close_epoch(self, dev: LabelledItems, n_steps: int, processes: Processes) -> None:
        history = self.history
        found = Epoch(*score(self._classifier, dev, processes))
        if not math.isfinite(found.loss):
            raise Diverged(
                f"the loss on dev is {found.loss} after epoch {len(history.epochs) + 1} with a "
                f"learning rate of {self._config.lr:g}; choose a lower one, or a longer warmup"
            )
        if history.add(found):
            self._best = self._snapshot()
        self._done = len(history.losses) == n_steps or history.has_lost_patience(
            self._config.patience
        )

    def take_best(self) -> None:
        """Put the weights after the best epoch in place."""
        with torch.no_grad():
            for name, tensor in self._changing.items():
                tensor.copy_(self._best[name])

    def _save(self, checkpoint: Checkpoint, processes: Processes) -> None:
        if processes.is_first:
            tensors = {f"best/{name}": tensor for name, tensor in self._best.items()}
            if not self._done:
                tensors |= {f"now/{name}": tensor for name, tensor in self._changing.items()}
                tensors |= optimizer_state(self._stepper.optimizer, self._names)
            checkpoint.write({"history": self.history.record(), "done": self._done}, tensors)
        processes.world.wait()

    def resume(self, checkpoint: Checkpoint | None) -> None:
        """Go back to where a checkpoint says that it was, if there is one."""
        found = None if checkpoint is None else checkpoint.read()
        if found is None:
            return
        record, tensors = found
        self.history, self._done = History.of(record["history"]), record["done"]
        with torch.no_grad():
            self._best = {
                name: tensors[f"best/{name}"].to(tensor.device)
                for name, tensor in self._changing.items()
                if self.history.epochs
            }
            if not self._done:
                for name, tensor in self._changing.items():
                    tensor.copy_(tensors[f"now/{name}"])
                restore_optimizer(self._stepper.optimizer, self._names, tensors)


def _require_variance(classifier: Classifier, config: FinetuneConfig, n: int) -> None:
    """Refuse a step of one item, of which batch norm that is trained has no variance."""
    parts = classifier.features.module.modules()
    has_norm = any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in parts)
    if has_norm and config.norm_and_dropout == "train" and n % config.batch_size == 1:
        raise InputError(
            f"{n:,} training items in batches of {config.batch_size} leave one of a single item, "
            "of which batch norm has no variance; choose another batch_size, or norm_and_dropout "
            "frozen"
        )


def _n_steps(train: LabelledItems, config: FinetuneConfig) -> int:
    return config.epochs * -(-len(train) // config.batch_size)


def _identity(
    classifier: Classifier, config: FinetuneConfig, train: LabelledItems, dev: LabelledItems
) -> dict[str, str]:
    settings = {k: v for k, v in plain(config).items() if k != "checkpoint_every"}
    items = xxhash.xxh3_128()
    for part in (train, dev):
        items.update(json.dumps([part.names, part.labels.tolist()]).encode())
    return {
        "settings": json.dumps(settings, sort_keys=True),
        "starting weights": digest_of_tensors(classifier.state()),
        "items": items.hexdigest(),
        "features": json.dumps(classifier.about(), sort_keys=True),
    }


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    devices = [] if device.type != "cuda" else [device]
    with torch.random.fork_rng(devices=devices):
        yield
