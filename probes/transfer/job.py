"""The job `probes train`: a model adapted to a task by each method, in and out of distribution."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from probes import configs
from probes.diagnostic.folder import claimed, write_run
from probes.diagnostic.run import Progress, Silent
from probes.encoders.features import FeatureKind, pretrained
from probes.errors import InputError
from probes.files import sealed, unsealed, write_whole
from probes.results import Results, Row
from probes.task import Task
from probes.transfer.begun import digest_of_items, require_same
from probes.transfer.calibrated import calibration_rows
from probes.transfer.changes import Before, Changes, change_rows
from probes.transfer.checkpoint import digest_of_tensors
from probes.transfer.classifier import Classifier
from probes.transfer.config import Method, TrainConfig
from probes.transfer.contrasts import over_rows
from probes.transfer.evaluate import Answered, answer, rows_of
from probes.transfer.examples import class_names, labelled
from probes.transfer.finetune import seconds_a_step
from probes.transfer.foretold import lines_of
from probes.transfer.linear import CS, linear_probe, with_fresh_scale
from probes.transfer.predictions import prediction_columns
from probes.transfer.processes import Processes
from probes.transfer.robustness_rows import robustness_rows
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
from probes.transfer.sets import EvaluationSet, evaluation_sets, notes_of_sets
from probes.transfer.shifts import load_shifts, notes_of
from probes.transfer.stepping import Diverged
from probes.transfer.train_page import write_page

TUNED: tuple[Method, ...] = ("ft", "lp-ft")
"""Methods that step, at a rate that is chosen."""


@dataclass(frozen=True, eq=False)
class _Setting:
    """What all methods of a run share."""

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
        return Path(self.config.out)

    def trainer(self, method: Method) -> Trainer:
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


def run_train(config: TrainConfig, progress: Progress | None = None) -> Results | None:
    """Adapt a model by each method, and write a run's folder.

    Parameters
    ----------
    config : TrainConfig
        Every setting.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.

    Returns
    -------
    Results
        As `probes.transfer.evaluate.rows_of`, `calibrated.calibration_rows`,
        `changes.change_rows` and (of each two methods) `contrasts.over_rows` make them; None in a
        process that only helped.

    Raises
    ------
    InputError
        If a setting or the data cannot be used, or no learning rate came to anything.
    """
    processes = Processes.join()
    if progress is None or not processes.is_first:
        progress = Silent()
    if not processes.is_first:
        _run(config, processes, progress)
        return None
    with claimed(Path(config.out), config):
        return _run(config, processes, progress)


def _run(config: TrainConfig, processes: Processes, progress: Progress) -> Results | None:
    task, shifts = load_shifts(config.task, config.ood)
    classes = class_names(task)
    sets = evaluation_sets(task, shifts, classes, config.among)
    start = _start(config, task, classes)
    before = Before(start, task, sets, processes)
    notes = [*notes_of(task, shifts), *notes_of_sets(sets, classes)]
    for note in notes:
        progress.say(note)
    setting = _Setting(config, task, sets, start, before, notes, processes, progress)
    if processes.is_first:
        train = labelled(task, "train", classes)
        begun = {
            "data": digest_of_items([train, *(part.items for part in sets)]),
            "weights of the model": digest_of_tensors(start.state()),
        }
        require_same(setting.out / "runs" / "of.json", begun)
    _tell_budget(setting)
    answered: list[Adapted] = []
    about: dict[str, Any] = {}
    probed: Classifier | None = None
    if set(config.method) & {"lp", "lp-ft"}:
        probed, found, about["lp"] = _probe(setting)
        answered += [found] if "lp" in config.method else []
        if config.head_scale == "fresh":
            probed = with_fresh_scale(probed)
    for method in TUNED:
        if method in config.method:
            found, records = _tune(setting, method, probed if method == "lp-ft" else None)
            answered.append(found)
            about[method] = [dataclasses.asdict(record) for record in records]
    processes.world.close()
    return _write(setting, answered, about) if processes.is_first else None


def _start(config: TrainConfig, task: Task, classes: Sequence[str]) -> Classifier:
    kind: FeatureKind = "image" if task.unit == "image" else "text"
    features = pretrained(
        kind,
        config.model,
        pooling=config.pooling,
        max_length=config.max_length,
        revision=config.revision,
        trust_remote_code=config.trust_remote_code or None,
    )
    return Classifier.from_features(features, classes)


def _tell_budget(setting: _Setting) -> None:
    """Say how many steps are ahead, and about how long they take, from two that are timed."""
    config, task = setting.config, setting.task
    n_train = int(((task.splits == "train") & task.asked).sum())
    n_steps = config.training.epochs * -(-n_train // config.training.batch_size)
    for method in TUNED:
        if method not in config.method:
            continue
        trainer = setting.trainer(method)
        n_runs = len(config.rates) + config.seeds - 1
        n_done = len(list(trainer.folder.glob(f"*/*/{RECORD}")))
        first = config.finetuning(method, config.rates[0], 0)
        said = f"{method}: {len(config.rates)} rates, then {config.seeds} seeds at one of them"
        if n_done >= n_runs:
            setting.progress.say(f"{said}: all {n_runs} trainings are done")
            continue
        try:
            seconds = seconds_a_step(setting.start, task, first, setting.processes)
        except Diverged:
            setting.progress.say(f"{said}: the first of them diverges at once")
            continue
        left = (n_runs - n_done) * n_steps
        setting.progress.say(
            f"{said}: {n_runs} trainings of {n_steps:,} steps at most, {n_done} of them done; "
            f"{left:,} steps of {seconds:.2f} s: about {_duration(left * seconds)}"
        )


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def _probe(setting: _Setting) -> tuple[Classifier, Adapted, dict[str, Any]]:
    """Probe linearly, unless that is done; the classifier is kept, LP-FT begins with it."""
    folder = setting.out / "runs" / "lp"
    record = folder / RECORD
    if not (folder / CLASSIFIER / ABOUT).is_file() or not record.is_file():
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
        answers = {
            name: answer(found.classifier, X, n_cut) for name, (X, n_cut) in before.of_sets.items()
        }
        features = {name: X.cpu().numpy() for name, (X, _) in before.of_sets.items()}
        changes = before.changes(setting.start, found.classifier, features)
        if setting.processes.is_first:
            folder.mkdir(parents=True, exist_ok=True)
            found.classifier.to("cpu").save(folder / CLASSIFIER)
            write_answers(folder, answers, changes)
            write_whole(record, sealed(about))
        setting.processes.world.wait()
    about = unsealed(record)
    classifier = Classifier.load(folder / CLASSIFIER, setting.start.classes)
    runs = {0: read_answers(folder, setting.sets)}
    adapted = Adapted(Answered("lp", {"C": about["C"]}, runs), {0: read_changes(folder)})
    return classifier, adapted, about


def _tune(
    setting: _Setting, method: Method, probed: Classifier | None
) -> tuple[Adapted, list[Record]]:
    """Choose the rate on dev by the first seed, then train with every seed at that rate."""
    config, trainer = setting.config, setting.trainer(method)

    def start(seed: int) -> Classifier:
        if probed is not None:
            return probed
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
        f"{_duration(record.seconds)}"
    )


def _write(setting: _Setting, adapted: Sequence[Adapted], about: dict[str, Any]) -> Results:
    config, task = setting.config, setting.task
    fixed = {
        "run": setting.out.name,
        "task": f"{task.name}/{task.labelling}",
        "task_version": task.version,
        "model": config.model,
        "revision": config.revision or "",
        "n_layers": len(setting.start.features.blocks()) - 1,
        "config": configs.digest(config),
    }
    rows = [row for one in adapted for row in one.rows(setting.sets, fixed)]
    n = {part.name: len(part.items) for part in setting.sets}
    lines = lines_of(about.get("lp", {}).get("path_accuracies", {}), n)
    for one in adapted:
        rows += robustness_rows(one.answered, setting.sets, lines, fixed)
    answered = [one.answered for one in adapted]
    for first, second in itertools.combinations(answered, 2):
        rows += over_rows(second, first.runs, first.method, setting.sets, fixed)
    results = Results(rows)
    columns = prediction_columns(answered, setting.sets, setting.start.classes)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    write_whole(setting.out / "predictions.parquet", sink.getvalue().to_pybytes())
    write_run(
        setting.out,
        results,
        {
            "kind": "train",
            "run": setting.out.name,
            "command": "probes train",
            "title": task.title or task.name,
            "model": config.model,
            "classes": list(setting.start.classes),
            "sets": {part.name: part.items.title for part in setting.sets},
            "n": n,
            "counts": dict(task.counts),
            "notes": [*setting.notes, *_lost_seeds(config, answered)],
            "trainings": about,
            "processes": setting.processes.world.size,
            "peak_memory_mb": _peak_memory(),
        },
    )
    write_page(setting.out)
    return results


def _lost_seeds(config: TrainConfig, answered: Sequence[Answered]) -> list[str]:
    """Say which means are of fewer runs than were asked for."""
    return [
        f"{of.method}: {config.seeds - len(of.runs)} of {config.seeds} seeds diverged; the means "
        "are of the others"
        for of in answered
        if of.method in TUNED and len(of.runs) < config.seeds
    ]


def _peak_memory() -> int:
    """Give the most memory that this process has held, in MB."""
    import resource  # is not there on Windows

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20
