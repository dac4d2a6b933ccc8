"""One step of fine-tuning: gradients of a batch, of all processes, and what is done with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from probes.errors import InputError
from probes.transfer.classifier import Classifier
from probes.transfer.examples import LabelledItems
from probes.transfer.groups import Group
from probes.transfer.processes import Processes
from probes.transfer.restraint import Restraint
from probes.transfer.schedule import noise_seed, rate_at
from probes.transfer.settings import FinetuneConfig

MOMENTUM = 0.9


class Diverged(InputError):
    """The loss is not finite: the learning rate is too high."""


class Stepper:
    """Changes a classifier by one step at a time.

    Parameters
    ----------
    classifier : Classifier
        Is changed in place.
    groups : sequence of Group
        Its trained parameters.
    config : FinetuneConfig
        How.
    n_steps : int
        Of the whole training.
    processes : Processes
        Those that share each step.

    Attributes
    ----------
    optimizer : torch.optim.Optimizer
        With one parameter group for each of `groups`.
    """

    def __init__(
        self,
        classifier: Classifier,
        groups: Sequence[Group],
        config: FinetuneConfig,
        n_steps: int,
        processes: Processes,
    ) -> None:
        self._classifier, self._groups, self._config = classifier, tuple(groups), config
        self._n_steps, self._processes = n_steps, processes
        self._parameters = [p for group in groups for p in group.parameters]
        self._restraint = Restraint(config.change, groups)
        self.optimizer = _optimizer(groups, config)
        self._buffers = [b for b in classifier.features.module.buffers() if b.is_floating_point()]

    def step(self, data: LabelledItems, rows: npt.NDArray[np.int64], number: int) -> float:
        """Take one step.

        Parameters
        ----------
        data : LabelledItems
            The training items.
        rows : ndarray of int64
            Those of this step, of all processes together.
        number : int
            Of the step, from 0; decides the rate, and what dropout drops.

        Returns
        -------
        float
            Mean cross-entropy over the rows before the step, in nats.

        Raises
        ------
        Diverged
            If it is not finite.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._gradients(data, rows, number)
        if not np.isfinite(loss):
            raise Diverged(
                f"the loss is {loss} at step {number} with a learning rate of {self._config.lr:g}; "
                "choose a lower one, or a longer warmup"
            )
        self._restraint.add_to_gradients()
        if self._config.clip is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._config.clip)
        share = rate_at(number, self._n_steps, self._config.warmup)
        for group, settings in zip(self._groups, self.optimizer.param_groups, strict=True):
            settings["lr"] = self._config.lr * group.share * share
        self.optimizer.step()
        self._restraint.after_step()
        return loss

    def _gradients(self, data: LabelledItems, rows: npt.NDArray[np.int64], number: int) -> float:
        """Leave the gradient of the mean loss over all rows, whoever computed which of them.

        Each process sums the losses of its own rows, divides by the number of all rows, and the
        gradients of all processes are added: no mean of means, and no row counted twice.
        """
        config, processes = self._config, self._processes
        module = self._classifier.features.module
        module.train(config.norm_and_dropout == "train")
        torch.manual_seed(noise_seed(config.seed, number, processes.world.rank))
        own = processes.own(len(rows))
        total = torch.zeros((), device=processes.device)
        for part in np.array_split(rows[own.start : own.stop], config.accumulate):
            if len(part):
                loss = self._loss(data, part) / len(rows)
                loss.backward()
                total += loss.detach()
        module.eval()
        for p in self._parameters:
            if p.grad is None:  # it does not enter, or this process has no row of a small batch
                p.grad = torch.zeros_like(p)
        processes.total([total, *(p.grad for p in self._parameters if p.grad is not None)])
        if config.norm_and_dropout == "train" and processes.world.size > 1:
            processes.total(self._buffers)
            for buffer in self._buffers:
                buffer /= processes.world.size
        return float(total)

    def _loss(self, data: LabelledItems, part: npt.NDArray[np.int64]) -> Tensor:
        device = self._processes.device
        batch = self._classifier.features.collate([data.items[k] for k in part])
        batch = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        y = torch.from_numpy(data.labels[part]).to(device)
        narrow = self._config.mixed_precision == "bfloat16"
        with torch.autocast(device.type, torch.bfloat16, enabled=narrow):
            logits = self._classifier.logits(batch)
        return nn.functional.cross_entropy(logits.float(), y, reduction="sum")


def _optimizer(groups: Sequence[Group], config: FinetuneConfig) -> torch.optim.Optimizer:
    settings = [
        {
            "params": list(group.parameters),
            "weight_decay": config.weight_decay if group.is_decayed else 0.0,
        }
        for group in groups
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(settings, lr=config.lr, momentum=MOMENTUM)
    return torch.optim.AdamW(settings, lr=config.lr, fused=True)
