"""A linear probe and a fine-tuning in a process of its own; with a launcher, in several.

Usage: adapting_run.py MODEL OUT METHOD [FOLDER STOP]. Writes losses, epochs and the weights. With
a folder for the checkpoint, a process that has taken STOP steps is killed.
"""

import json
import os
import signal
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from safetensors.torch import save_file

from adapting import CLASSES, classifier, nouns
from probes.transfer import stepping
from probes.transfer.finetune import finetune
from probes.transfer.linear import linear_probe
from probes.transfer.processes import Processes
from probes.transfer.settings import FinetuneConfig

TASK = nouns(110)  # 55 to train on: 16 a step leave 7, which two processes cannot halve
CONFIG = FinetuneConfig(
    lr=2e-3, epochs=3, batch_size=16, norm_and_dropout="frozen", checkpoint_every=2
)
NOISY = FinetuneConfig(
    lr=2e-3, epochs=3, batch_size=16, warmup=0.2, weight_decay=0.1, checkpoint_every=3
)


def kill_after(n: int) -> None:
    step = stepping.Stepper.step
    taken = []

    def counted(self, *arguments):
        if len(taken) == n:
            os.kill(os.getpid(), signal.SIGKILL)
        taken.append(1)
        return step(self, *arguments)

    stepping.Stepper.step = counted


def main() -> None:
    model, out, method, *rest = sys.argv[1:]
    torch.set_num_threads(1)
    processes = Processes.join()
    made = classifier(model)
    folder = None
    if rest:
        folder = rest[0]
        kill_after(int(rest[1]))
    record = {}
    if method == "lp":
        found = linear_probe(made, TASK, processes=processes)
        made = found.classifier
        record["path"] = [[p.C, p.objective, p.accuracy] for p in found.path]
    config = NOISY if method == "noisy" else CONFIG
    made, history = finetune(made, TASK, config, folder=folder, processes=processes)
    record |= history.record()
    record["classes"] = CLASSES
    if processes.is_first:
        save_file({n: t.contiguous() for n, t in made.state().items()}, f"{out}.safetensors")
        Path(f"{out}.json").write_text(json.dumps(record))
    processes.world.wait()
    processes.world.close()


if __name__ == "__main__":
    main()
