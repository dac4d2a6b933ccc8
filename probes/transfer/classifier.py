"""A classifier: a pretrained network's pooled feature, and a linear head on it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from probes.encoders.features import Features
from probes.errors import InputError

BATCH = 64
"""Items of a pass without gradients."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a classifier answered.

    Parameters
    ----------
    logits : ndarray of shape (n, n_classes), float32
        Divided by the classifier's temperature.
    n_cut : int
        Items of which some was left out, such as the end of a text.
    """

    logits: npt.NDArray[np.float32]
    n_cut: int

    @property
    def codes(self) -> npt.NDArray[np.int64]:
        """The class of the largest logit, shape (n,)."""
        return self.logits.argmax(axis=1)

    @property
    def log_probabilities(self) -> npt.NDArray[np.float64]:
        """Natural logarithms, shape (n, n_classes)."""
        z = self.logits.astype(np.float64)
        z -= z.max(axis=1, keepdims=True)
        logs: npt.NDArray[np.float64] = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return logs


class Classifier:
    """Features and a linear head.

    Parameters
    ----------
    features : Features
        Of texts or images.
    head : torch.nn.Linear
        From a feature to one logit a class.
    classes : sequence of str
        What the logits stand for, in their order.
    temperature : float
        By which logits are divided where probabilities are read; training does not see it.

    Raises
    ------
    InputError
        If the three do not fit one another.
    """

    def __init__(
        self,
        features: Features,
        head: nn.Linear,
        classes: Sequence[str],
        temperature: float = 1.0,
    ) -> None:
        self.features, self.head, self.classes = features, head, tuple(classes)
        self.temperature = temperature
        _check_classes(self.classes)
        shape = (len(self.classes), features.width)
        if tuple(head.weight.shape) != shape:
            raise InputError(
                f"the head has weights of shape {tuple(head.weight.shape)}; {len(self.classes)} "
                f"classes of features of width {features.width} need {shape}"
            )
        if not 0 < temperature < float("inf"):
            raise InputError(f"temperature {temperature}; expected a positive number")

    @classmethod
    def from_features(
        cls, features: Features, classes: Sequence[str], seed: int | None = None
    ) -> Classifier:
        """Put a new head on features.

        Parameters
        ----------
        features : Features
            They are not copied.
        classes : sequence of str
            What the logits stand for, in their order.
        seed : int, optional
            Of the head's weights, drawn as PyTorch draws them for a linear layer. Without one they
            are zero.

        Returns
        -------
        Classifier
            In evaluation mode.
        """
        _check_classes(classes)
        head = nn.utils.skip_init(nn.Linear, features.width, len(classes))
        if seed is None:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)
        else:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                head.reset_parameters()
        device = next(features.module.parameters()).device
        return cls(features, head.to(device).eval(), classes)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.head.weight.device

    def parts(self) -> dict[str, nn.Module]:
        """The modules that hold its weights, by what their names begin with."""
        return {"features": self.features.module, "head": self.head}

    def state(self) -> dict[str, Tensor]:
        """Give every parameter and buffer by name, ``features.…`` and ``head.…``; no copies."""
        return {
            f"{part}.{name}": tensor
            for part, module in self.parts().items()
            for name, tensor in module.state_dict().items()
        }

    def parameters(self) -> dict[str, nn.Parameter]:
        """Give every parameter by its name, as in `state`."""
        return {
            f"{part}.{name}": parameter
            for part, module in self.parts().items()
            for name, parameter in module.named_parameters()
        }

    def about(self) -> dict[str, Any]:
        """Say what two classifiers must share to have weights in common.

        Returns
        -------
        dict
            Kind, architecture (the class of the network), width, classes in order, and the
            features' settings.
        """
        return {
            "kind": self.features.kind,
            "architecture": type(self.features.module).__name__,
            "width": self.features.width,
            "classes": list(self.classes),
            "settings": self.features.settings(),
        }

    def copy(self) -> Classifier:
        """Make an independent deep copy."""
        head = copy.deepcopy(self.head)
        return Classifier(self.features.copy(), head, self.classes, self.temperature)

    def with_head(self, weight: Tensor, bias: Tensor) -> Classifier:
        """Put other weights in the head of a copy.

        Parameters
        ----------
        weight : Tensor of shape (n_classes, width)
            Of any dtype.
        bias : Tensor of shape (n_classes,)
            Likewise.
        """
        new = self.copy()
        with torch.no_grad():
            new.head.weight.copy_(weight)
            new.head.bias.copy_(bias)
        return new

    def with_temperature(self, temperature: float) -> Classifier:
        """Share features and head under another temperature."""
        return Classifier(self.features, self.head, self.classes, temperature)

    def with_state(self, state: Mapping[str, Tensor]) -> Classifier:
        """Put other weights in a copy.

        Parameters
        ----------
        state : mapping of str to Tensor
            As `state` gives it.

        Raises
        ------
        InputError
            If a name, shape or dtype is not its own; before anything is copied.
        """
        own = self.state()
        for name in (*own, *state):
            there, here = state.get(name), own.get(name)
            if there is None or here is None:
                side = "lack" if there is None else "have"
                raise InputError(f"the weights {side} {name}; give those of the same architecture")
            if there.shape != here.shape or there.dtype != here.dtype:
                raise InputError(
                    f"{name} is {_shown(there)} there and {_shown(here)} here; give weights of the "
                    "same architecture and classes"
                )
        new = self.copy()
        with torch.no_grad():
            for name, tensor in new.state().items():
                tensor.copy_(state[name])
        return new

    def to(self, device: torch.device | str) -> Classifier:
        """Move to a device, in place."""
        for module in self.parts().values():
            module.to(device)
        return self

    def logits(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Compute logits with gradients where these are enabled, temperature left aside.

        Parameters
        ----------
        batch : mapping of str to Tensor
            From ``features.collate``, on any device.

        Returns
        -------
        Tensor of shape (n, n_classes)
            On the classifier's device.
        """
        logits: Tensor = self.head(self.features(batch))
        return logits

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Evaluation mode without gradients; the modes there were are back afterwards."""
        modes = {m: m.training for part in self.parts().values() for m in part.modules()}
        try:
            for part in self.parts().values():
                part.eval()
            with torch.inference_mode():
                yield
        finally:
            for module, mode in modes.items():
                module.training = mode

    def feature_matrix(
        self, items: Sequence[Any], batch_size: int = BATCH, share: tuple[int, int] = (0, 1)
    ) -> tuple[npt.NDArray[np.float32], int]:
        """Compute the features of items, in evaluation mode.

        Parameters
        ----------
        items : sequence
            Texts, pairs of texts (tuples) or images.
        batch_size : int
            Items of a pass.
        share : (int, int)
            Number of this process and of all: it computes every so manieth batch, the other rows
            are zero.

        Returns
        -------
        X : ndarray of shape (n, width), float32
            In the order of the items.
        n_cut : int
            Items of which some was left out.
        """
        X = np.zeros((len(items), self.features.width), dtype=np.float32)
        n_cut = 0
        with self.evaluating():
            batches = _batches(items, batch_size, self.features.kind == "text")
            for rows in itertools.islice(batches, share[0], None, share[1]):
                batch = self.features.collate([items[k] for k in rows])
                n_cut += int(batch["cut"].sum()) if "cut" in batch else 0
                X[rows] = self.features(batch).float().cpu().numpy()
        return X, n_cut

    def predict(self, items: Sequence[Any], batch_size: int = BATCH) -> Predictions:
        """Answer for items, in evaluation mode.

        Parameters
        ----------
        items : sequence
            Texts, pairs of texts (tuples) or images, at least one.
        batch_size : int
            Items of a pass.

        Returns
        -------
        Predictions
            In the order of the items.
        """
        X, n_cut = self.feature_matrix(items, batch_size)
        with self.evaluating():
            logits = self.head(torch.from_numpy(X).to(self.device)) / self.temperature
        return Predictions(logits.float().cpu().numpy(), n_cut)

    def save(self, folder: str | Path) -> None:
        """Write it into a folder; as `probes.transfer.saved.save_classifier`."""
        from probes.transfer.saved import save_classifier

        save_classifier(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, classes: Sequence[str] | None = None) -> Classifier:
        """Read one from a folder; as `probes.transfer.saved.load_classifier`."""
        from probes.transfer.saved import load_classifier

        return load_classifier(Path(folder), classes)


def _check_classes(classes: Sequence[str]) -> None:
    if len(set(classes)) < max(2, len(classes)):
        raise InputError(f"classes {', '.join(classes) or 'none'}: expected two or more, each once")


def _shown(tensor: Tensor) -> str:
    size = " x ".join(map(str, tensor.shape)) or "a number"
    return f"{size} {str(tensor.dtype).removeprefix('torch.')}"


def _batches(items: Sequence[Any], size: int, by_length: bool) -> Iterator[list[int]]:
    """Number the items of each batch; texts alike in length together, so that less is padding."""
    order = np.arange(len(items))
    if by_length:
        order = np.argsort(
            np.fromiter(map(len, map("".join, items)), np.int64, len(items)), kind="stable"
        )
    for start in range(0, len(items), size):
        yield order[start : start + size].tolist()
