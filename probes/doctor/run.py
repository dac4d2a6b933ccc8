"""One run of `probes doctor`: load, examine, keep the verdict, print it."""

from __future__ import annotations

import json

import torch
from rich.console import Console

from probes.choices import Dtype
from probes.configs import DoctorConfig
from probes.doctor.contract import examine
from probes.doctor.verdict import Verdict
from probes.encoders import TextEncoder


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

    def load(dtype: Dtype, attention: str | None = None) -> TextEncoder:
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

    waiting = Console(stderr=True)
    with waiting.status(f"examining {model}") as status:
        verdict = examine(
            load,
            config.dtype,
            file=config.file,
            tell=lambda name: status.update(f"examining {model}: {name} done"),
        )
    path = verdict.save(config.store)
    if config.json:
        print(json.dumps(verdict.to_dict(), ensure_ascii=False, indent=1))
    else:
        console = Console(highlight=False)
        console.print(verdict)
        console.print(f"kept in {path}", markup=False)
    return verdict
