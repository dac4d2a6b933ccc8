"""One run of `probes doctor`: load, examine, keep the verdict, print it."""

from __future__ import annotations

import json

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
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    where = {"revision": config.revision, "trust_remote_code": config.trust_remote_code}
    of_images = reads_images(model, where)

    def load_text(dtype: Dtype, attention: str | None = None) -> TextEncoder:
        return TextEncoder.from_pretrained(
            model,
            revision=config.revision,
            dtype=dtype,
            device=device,
            attention=attention or config.attention,
            max_tokens=config.max_tokens,
            trust_remote_code=config.trust_remote_code,
            part=config.part,
        )

    def load_image(dtype: Dtype, attention: str | None = None) -> ImageEncoder:
        return ImageEncoder.from_pretrained(
            model,
            revision=config.revision,
            dtype=dtype,
            device=device,
            attention=attention or config.attention,
            trust_remote_code=config.trust_remote_code,
        )

    if of_images:
        _require_no_text(model, config)
    waiting = Console(stderr=True)
    with waiting.status(f"examining {model}") as status:

        def tell(name: str) -> None:
            status.update(f"examining {model}: {name} done")

        verdict = (
            examine_images(load_image, config.dtype, file=config.file, tell=tell)
            if of_images
            else examine(load_text, config.dtype, file=config.file, tell=tell)
        )
    path = verdict.save(config.store)
    if config.json:
        print(json.dumps(verdict.to_dict(), ensure_ascii=False, indent=1))
    else:
        console = Console(highlight=False)
        console.print(verdict)
        console.print(f"kept in {path}", markup=False)
    return verdict


def _require_no_text(model: str, config: DoctorConfig) -> None:
    for name in ("part", "max_tokens"):
        if getattr(config, name) is not None:
            flag = f"--{name.replace('_', '-')}"
            raise InputError(f"{flag}: it is of texts, and {model} reads images; leave it out")
