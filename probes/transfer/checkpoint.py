"""Where a fine-tuning stands, in one file that is written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from probes.errors import InputError

FILE = "checkpoint.safetensors"
RECORD = "course"
"""Key of the file's metadata under which numbers that are no tensors stand, as JSON."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The file of one fine-tuning.

    Parameters
    ----------
    folder : Path
        In which it lies; made if need be.
    identity : dict of str to str
        What the training is: settings, digests of the weights it starts from and of the data.
    """

    folder: Path
    identity: dict[str, str]

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.folder / FILE

    def write(self, record: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Write where the training stands.

        Parameters
        ----------
        record : mapping
            Numbers, as JSON keeps them: floats bit for bit.
        tensors : mapping of str to Tensor
            By name, on any device.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{FILE}.{os.getpid()}.part"
        text = json.dumps({**record, "identity": self.identity})
        metadata = {RECORD: text, "seal": xxhash.xxh3_128(text.encode()).hexdigest()}
        flat = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        # safetensors refuses tensors that share memory, such as tied weights
        save_file({name: tensor.clone() for name, tensor in flat.items()}, part, metadata)
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        part.replace(self.path)

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Read what `write` wrote.

        Returns
        -------
        record : dict
            As it was written.
        tensors : dict of str to Tensor
            On the CPU. None in place of both where there is no checkpoint.

        Raises
        ------
        InputError
            If the file is damaged, or of another training: the message says what differs.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            text = metadata[RECORD]
            if xxhash.xxh3_128(text.encode()).hexdigest() != metadata["seal"]:
                raise ValueError("its record was changed")
            record = json.loads(text)
        except (SafetensorError, KeyError, ValueError) as error:
            raise InputError(
                f"{self.path} is damaged ({error}); remove it, and training starts anew"
            ) from None
        there = record.pop("identity")
        for name in (*self.identity, *there):
            if there.get(name) != self.identity.get(name):
                raise InputError(
                    f"{self.path} is of another training ({name}: {there.get(name)} there, "
                    f"{self.identity.get(name)} here); name another folder, or remove that file"
                )
        return record, tensors


def optimizer_state(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]
) -> dict[str, Tensor]:
    """Give what an optimizer remembers, by parameter."""
    return {
        f"optimizer/{names[p]}/{key}": value
        for p, state in optimizer.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer,
    names: Mapping[Tensor, str],
    tensors: Mapping[str, Tensor],
) -> None:
    """Let an optimizer remember what `optimizer_state` gave."""
    for p, name in names.items():
        prefix = f"optimizer/{name}/"
        found = {
            key.removeprefix(prefix): tensor
            for key, tensor in tensors.items()
            if key.startswith(prefix) and "/" not in key.removeprefix(prefix)
        }
        if found:  # its count of steps, too, lies with the parameter: AdamW is fused
            optimizer.state[p] = {key: tensor.to(p.device) for key, tensor in found.items()}


def digest_of_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Digest tensors by name: types, shapes and bytes, 32 hexadecimal digits."""
    digest = xxhash.xxh3_128()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat: Any = tensor.detach().contiguous().reshape(-1).cpu()
        digest.update(memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b"")
    return digest.hexdigest()
