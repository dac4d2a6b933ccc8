"""One training of a job, in a folder of its own: done once, read after that."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from safetensors import safe_open

from probes.diagnostic.run import Progress
from probes.files import sealed, unsealed, write_whole
from probes.task import Task
from probes.transfer.changes import Before, Changes, Features
from probes.transfer.checkpoint import FILE
from probes.transfer.classifier import BATCH, Classifier, Predictions
from probes.transfer.evaluate import answer
from probes.transfer.finetune import History, finetune
from probes.transfer.passes import features_of
from probes.transfer.processes import Processes
from probes.transfer.sets import EvaluationSet
from probes.transfer.settings import FinetuneConfig
from probes.transfer.stepping import Diverged

RECORD = "record.json"
ANSWERS = "answers.safetensors"
CLASSIFIER = "classifier"


@dataclass(frozen=True)
class Record:
    """What is known of a training once it is done.

    Parameters
    ----------
    rate : float
        Its learning rate.
    seed : int
        Its seed.
    accuracy : float
        On dev, after the best epoch; 0 where it diverged.
    losses : list of float
        Of dev, after each epoch, in nats.
    best : int
        Number of the best epoch.
    n_steps : int
        Steps that were taken.
    seconds : float
        That it took.
    diverged : str
        Why it came to nothing, where it did.
    """

    rate: float
    seed: int
    accuracy: float
    losses: list[float]
    best: int
    n_steps: int
    seconds: float
    diverged: str = ""


@dataclass(frozen=True, eq=False)
class Trainer:
    """Trains on one task, in one folder.

    Parameters
    ----------
    folder : Path
        Of all trainings of one method.
    task : Task
        What is learnt.
    processes : Processes
        Those that train together; the first one writes.
    progress : Progress
        Is told how far it is.
    """

    folder: Path
    task: Task
    processes: Processes
    progress: Progress

    def place(self, config: FinetuneConfig) -> Path:
        """Give the folder of one training."""
        return self.folder / f"rate-{config.lr!r}" / f"seed-{config.seed}"

    def record(self, start: Classifier, config: FinetuneConfig) -> Record:
        """Train, unless it is done, and say how it went."""
        folder = self.place(config)
        if (folder / RECORD).is_file():
            return Record(**unsealed(folder / RECORD))
        try:
            _, history = self._trained(start, config)
        except Diverged as error:
            record = Record(config.lr, config.seed, 0.0, [], 0, 0, 0.0, str(error))
        else:
            record = Record(
                rate=config.lr,
                seed=config.seed,
                accuracy=history.epochs[history.best].accuracy,
                losses=[epoch.loss for epoch in history.epochs],
                best=history.best,
                n_steps=len(history.losses),
                seconds=history.seconds,
            )
        if self.processes.is_first:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / RECORD, sealed(dataclasses.asdict(record)))
        self.processes.world.wait()
        return record

    def answers(
        self,
        start: Classifier,
        config: FinetuneConfig,
        sets: Sequence[EvaluationSet],
        before: Before,
        save: bool,
    ) -> tuple[dict[str, Predictions], Changes]:
        """Let a training that is done answer, unless it has; keep that, and what it changed."""
        folder = self.place(config)
        if not (folder / ANSWERS).is_file():
            classifier, _ = self._trained(start, config)  # is read from its checkpoint
            found, features = answers_of(classifier, sets, self.processes)
            changes = before.changes(start, classifier, features)
            if self.processes.is_first:
                if save:
                    classifier.save(folder / CLASSIFIER)
                write_answers(folder, found, changes)
            self.processes.world.wait()
        self.forget(config)
        return read_answers(folder, sets), read_changes(folder)

    def forget(self, config: FinetuneConfig) -> None:
        """Remove a checkpoint that nobody will ask for again."""
        if self.processes.is_first:
            (self.place(config) / FILE).unlink(missing_ok=True)

    def _trained(self, start: Classifier, config: FinetuneConfig) -> tuple[Classifier, History]:
        return finetune(
            start,
            self.task,
            config,
            folder=self.place(config),
            processes=self.processes,
            progress=self.progress,
        )


def answers_of(
    classifier: Classifier, sets: Sequence[EvaluationSet], processes: Processes
) -> tuple[dict[str, Predictions], Features]:
    """Let a classifier answer for every set; give the features that the answers rest on, too."""
    home = classifier.device
    classifier.to(processes.device)
    answers, features = {}, {}
    for part in sets:
        X, n_cut = features_of(classifier, part.items, BATCH, processes)
        answers[part.name] = answer(classifier, X, n_cut)
        features[part.name] = X.cpu().numpy()
    classifier.to(home)
    return answers, features


def write_answers(
    folder: Path, found: Mapping[str, Predictions], changes: Changes | None = None
) -> None:
    """Keep logits, a tensor a set, how many items were cut, and what training changed."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: torch.from_numpy(answers.logits) for name, answers in found.items()}
    about = {"n_cut": json.dumps({name: answers.n_cut for name, answers in found.items()})}
    if changes is not None:
        about["changes"] = changes.text()
    write_whole(folder / ANSWERS, safetensors.torch.save(tensors, about))


def read_answers(folder: Path, sets: Sequence[EvaluationSet]) -> dict[str, Predictions]:
    """Read what `write_answers` wrote: the answers, of those that each set allows."""
    with safe_open(folder / ANSWERS, framework="pt") as file:
        cut = json.loads(file.metadata()["n_cut"])
        return {
            part.name: part.allowed(Predictions(file.get_tensor(part.name).numpy(), cut[part.name]))
            for part in sets
        }


def read_changes(folder: Path) -> Changes:
    """Read what `write_answers` wrote: what training changed."""
    with safe_open(folder / ANSWERS, framework="pt") as file:
        return Changes.of(file.metadata()["changes"])
