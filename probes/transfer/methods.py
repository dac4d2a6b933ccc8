"""The methods of a run of `probes train`, each done once, and read from its folder after that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes.diagnostic.run import Progress
from probes.errors import InputError
from probes.files import sealed, unsealed, write_whole
from probes.results import Row
from probes.task import Task
from probes.transfer.calibrated import calibration_rows
from probes.transfer.changes import Before, Changes, change_rows
from probes.transfer.classifier import Classifier
from probes.transfer.config import Method, TrainConfig
from probes.transfer.evaluate import Answered, answer, rows_of
from probes.transfer.linear import CS, linear_probe
from probes.transfer.processes import Processes
from probes.transfer.runs import (
    CLASSIFIER,
    RECORD,
    Record,
    Trainer,
    read_answers,
    read_changes,
    write_answers,
)
from probes.transfer.saved import ABOUT
from probes.transfer.sets import EvaluationSet
from probes.transfer.zero_shot import zero_shot


@dataclass(frozen=True, eq=False)
class Setting:
    """What all methods of a run share.

    Parameters
    ----------
    config : TrainConfig
        Of the run.
    task : Task
        What is learnt.
    sets : list of EvaluationSet
        What is asked: dev, test, and sets out of distribution.
    start : Classifier
        The pretrained features, under a head of zeros.
    before : Before
        Features of `start`.
    notes : list of str
        What a reader must know of the data.
    processes : Processes
        Those that compute together.
    progress : Progress
        Is told how far the run is.
    """

    config: TrainConfig
    task: Task
    sets: list[EvaluationSet]
    start: Classifier
    before: Before
    notes: list[str]
    processes: Processes
    progress: Progress

    @property
    def out(self) -> Path:
        """Folder of the run."""
        return Path(self.config.out)

    def trainer(self, method: Method) -> Trainer:
        """Give what trains by one method, in its own folder."""
        return Trainer(self.out / "runs" / method, self.task, self.processes, self.progress)


@dataclass(frozen=True, eq=False)
class Adapted:
    """What the runs of a method answered, and what training changed in each."""

    answered: Answered
    changes: Mapping[int, Changes]

    def rows(self, sets: Sequence[EvaluationSet], fixed: Mapping[str, Any]) -> Iterator[Row]:
        """Make all rows of the method."""
        yield from rows_of(self.answered, sets, fixed)
        yield from calibration_rows(self.answered, sets, fixed)
        yield from change_rows(self.answered, self.changes, sets, fixed)


@dataclass(frozen=True, eq=False)
class _Made:
    """A classifier that took no steps: what it is compared with, itself, and how it was made."""

    start: Classifier
    classifier: Classifier
    about: dict[str, Any]


def name_classes(setting: Setting) -> tuple[Classifier, Adapted, dict[str, Any]]:
    """Make the zero-shot classifier, unless that is done; it is kept, fine-tuning begins with it.

    Returns
    -------
    Classifier, Adapted, dict
        The classifier, what it answered, and the templates of which it was made.
    """
    config, start = setting.config, setting.start

    def make() -> _Made:
        made = zero_shot(
            start.to(setting.processes.device).features,
            start.classes,
            config.templates,
            trust_remote_code=config.trust_remote_code,
        )
        return _Made(made, made, {"templates": list(config.templates)})

    chosen = {"n_templates": len(config.templates)}
    return _once(setting, "zero-shot", make, lambda about: chosen)


def probe(setting: Setting) -> tuple[Classifier, Adapted, dict[str, Any]]:
    """Probe linearly, unless that is done; the classifier is kept, LP-FT begins with it.

    Returns
    -------
    Classifier, Adapted, dict
        The classifier, what it answered, and the path of penalties.
    """

    def make() -> _Made:
        with setting.progress.stage("linear probing · penalties", len(CS)) as advance:
            before = setting.before
            known = {"train": before.train, "dev": before.of_sets["dev"]}
            found = linear_probe(
                setting.start, setting.task, processes=setting.processes, known=known
            )
            advance(len(found.path))
        chosen = found.path[found.chosen]
        path = [dataclasses.asdict(point) for point in found.path]
        about = {"C": chosen.C, "accuracy": chosen.accuracy, "n_cut": found.n_cut, "path": path}
        about["path_accuracies"] = {
            part.name: found.accuracies(
                before.of_sets[part.name][0], part.items.labels, part.barred
            )
            for part in setting.sets
        }
        return _Made(setting.start, found.classifier, about)

    return _once(setting, "lp", make, lambda about: {"C": about["C"]})


def _once(
    setting: Setting,
    method: Method,
    make: Callable[[], _Made],
    chosen: Callable[[dict[str, Any]], dict[str, Any]],
) -> tuple[Classifier, Adapted, dict[str, Any]]:
    """Make the one classifier of a method that steps nowhere, or read it where it is kept."""
    folder = setting.out / "runs" / method
    record = folder / RECORD
    if not (folder / CLASSIFIER / ABOUT).is_file() or not record.is_file():
        made, known = make(), setting.before.of_sets
        answers = {name: answer(made.classifier, X, n_cut) for name, (X, n_cut) in known.items()}
        features = {name: X.cpu().numpy() for name, (X, _) in known.items()}
        changes = setting.before.changes(made.start, made.classifier, features)
        if setting.processes.is_first:
            folder.mkdir(parents=True, exist_ok=True)
            made.classifier.to("cpu").save(folder / CLASSIFIER)
            write_answers(folder, answers, changes)
            write_whole(record, sealed(made.about))
        setting.processes.world.wait()
    about = unsealed(record)
    classifier = Classifier.load(folder / CLASSIFIER, setting.start.classes)
    runs = {0: read_answers(folder, setting.sets)}
    answered = Answered(method, chosen(about), runs)
    return classifier, Adapted(answered, {0: read_changes(folder)}), about


def tune(
    setting: Setting, method: Method, begins: Classifier | None
) -> tuple[Adapted, list[Record]]:
    """Choose the rate on dev by the first seed, then train with every seed at that rate.

    Parameters
    ----------
    setting : Setting
        Of the run.
    method : {"ft", "lp-ft", "zs-ft"}
        Which.
    begins : Classifier or None
        With which each training begins; without one with a head that is drawn by its seed.

    Returns
    -------
    Adapted, list of Record
        What the runs at the chosen rate answered, and how all trainings went.

    Raises
    ------
    InputError
        If no rate came to anything.
    """
    config, trainer = setting.config, setting.trainer(method)

    def start(seed: int) -> Classifier:
        if begins is not None:
            return begins
        features, classes = setting.start.features, setting.start.classes
        return Classifier.from_features(features, classes, seed)

    records = []
    for rate in config.rates:
        records.append(trainer.record(start(0), config.finetuning(method, rate, 0)))
        setting.progress.say(f"{method} · rate {rate:g}: {_said(records[-1])}")
    if all(record.diverged for record in records):
        raise InputError(f"{method}: no rate came to anything ({records[-1].diverged})")
    best = max(
        (record for record in records if not record.diverged),
        key=lambda record: (record.accuracy, -record.losses[record.best]),
    )
    for record in records:
        if record.rate != best.rate:
            trainer.forget(config.finetuning(method, record.rate, 0))
    runs, changes = {}, {}
    for seed in range(config.seeds):
        of, record = config.finetuning(method, best.rate, seed), best
        if seed:
            record = trainer.record(start(seed), of)
            records.append(record)
            setting.progress.say(f"{method} · seed {seed}: {_said(record)}")
        if not record.diverged:
            runs[seed], changes[seed] = trainer.answers(
                start(seed), of, setting.sets, setting.before, config.save
            )
    return Adapted(Answered(method, {"rate": best.rate}, runs), changes), records


def _said(record: Record) -> str:
    if record.diverged:
        return record.diverged
    return (
        f"dev accuracy {record.accuracy:.3f} after epoch {record.best + 1}, "
        f"{duration(record.seconds)}"
    )


def duration(seconds: float) -> str:
    """Write a time for a reader."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
