"""One run of `probes doctor`: load, examine, keep the verdict, print it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console

from probes.choices import Dtype
from probes.configs import DoctorConfig
from probes.doctor.contract import examine
from probes.doctor.images import examine_images
from probes.doctor.verdict import Verdict
from probes.encoders import ImageEncoder, TextEncoder
from probes.encoders.load_image import reads_images
from probes.errors import InputError


def run_doctor(model: str, config: DoctorConfig) -> Verdict:
    """Examine a model, keep the verdict beside the stores, and print it.

    Parameters
    ----------
    model : str
        Folder or name on the hub.
    config : DoctorConfig
        The settings.

    Returns
    -------
    Verdict
        As it was saved.

    Raises
    ------
    InputError
        If the model cannot be loaded, or the file not be read.
    """
    waiting = Console(stderr=True)
    with waiting.status(f"examining {model}") as status:
        verdict = _examined(
            model, config, lambda name: status.update(f"examining {model}: {name} done")
        )
    path = verdict.save(config.store)
    if config.json:
        print(json.dumps(verdict.to_dict(), ensure_ascii=False, indent=1))
    else:
        console = Console(highlight=False)
        console.print(verdict)
        console.print(f"kept in {path}", markup=False)
    return verdict


def _examined(model: str, config: DoctorConfig, tell: Callable[[str], None]) -> Verdict:
    """Examine a model of the kind that it is."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    where: dict[str, Any] = {
        "revision": config.revision,
        "trust_remote_code": config.trust_remote_code,
    }
    if reads_images(model, where):
        _require_no_text(model, config)

        def load_image(dtype: Dtype, attention: str | None = None) -> ImageEncoder:
            return ImageEncoder.from_pretrained(
                model,
                dtype=dtype,
                device=device,
                attention=attention or config.attention,
                **where,
            )

        return examine_images(load_image, config.dtype, file=config.file, tell=tell)

    def load_text(dtype: Dtype, attention: str | None = None) -> TextEncoder:
        return TextEncoder.from_pretrained(
            model,
            dtype=dtype,
            device=device,
            attention=attention or config.attention,
            max_tokens=config.max_tokens,
            part=config.part,
            **where,
        )

    return examine(load_text, config.dtype, file=config.file, tell=tell)


def _require_no_text(model: str, config: DoctorConfig) -> None:
    for name in ("part", "max_tokens"):
        if getattr(config, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag}: it is of texts, and {model} reads images; leave it out")
