"""The job `probes train`: a model adapted to a task by each method, in and out of distribution."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from probes import configs
from probes.diagnostic.folder import claimed, write_run
from probes.diagnostic.run import Progress, Silent
from probes.encoders.features import FeatureKind, pretrained
from probes.errors import InputError
from probes.files import write_whole
from probes.results import Results
from probes.task import Task
from probes.transfer.begun import digest_of_items, require_same
from probes.transfer.changes import Before
from probes.transfer.checkpoint import digest_of_tensors
from probes.transfer.classifier import Classifier
from probes.transfer.config import NAMING, TUNED, Method, TrainConfig
from probes.transfer.contrasts import over_rows
from probes.transfer.evaluate import Answered
from probes.transfer.examples import class_names, labelled
from probes.transfer.finetune import seconds_a_step
from probes.transfer.foretold import lines_of
from probes.transfer.linear import with_fresh_scale
from probes.transfer.methods import Adapted, Setting, duration, name_classes, probe, tune
from probes.transfer.predictions import prediction_columns
from probes.transfer.processes import Processes
from probes.transfer.robustness_rows import robustness_rows
from probes.transfer.runs import RECORD
from probes.transfer.sets import evaluation_sets, notes_of_sets
from probes.transfer.shifts import load_shifts, notes_of
from probes.transfer.stepping import Diverged
from probes.transfer.train_page import write_page
from probes.transfer.zero_shot import require_texts

PREPARED = 8
"""Training items whose inputs say whether tokenizer or processor are what they were."""


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
    setting = Setting(config, task, sets, start, before, notes, processes, progress)
    if processes.is_first:
        train = labelled(task, "train", classes)
        begun = {
            "data": digest_of_items([train, *(part.items for part in sets)]),
            "weights of the model": digest_of_tensors(start.state()),
            "preparation of its inputs": digest_of_tensors(
                start.features.collate([train.items[k] for k in range(min(PREPARED, len(train)))])
            ),
        }
        require_same(setting.out / "runs" / "of.json", begun)
    _tell_budget(setting)
    answered: list[Adapted] = []
    about: dict[str, Any] = {}
    begins: dict[Method, Classifier] = {}
    if config.names_classes:
        begins["zs-ft"], found, about["zero-shot"] = name_classes(setting)
        answered += [found] if "zero-shot" in config.method else []
    if set(config.method) & {"lp", "lp-ft"}:
        probed, found, about["lp"] = probe(setting)
        answered += [found] if "lp" in config.method else []
        begins["lp-ft"] = with_fresh_scale(probed) if config.head_scale == "fresh" else probed
    for method in TUNED:
        if method in config.method:
            found, records = tune(setting, method, begins.get(method))
            answered.append(found)
            about[method] = [dataclasses.asdict(record) for record in records]
    processes.world.close()
    return _write(setting, answered, about) if processes.is_first else None


def _start(config: TrainConfig, task: Task, classes: Sequence[str]) -> Classifier:
    kind: FeatureKind = "image" if task.unit == "image" else "text"
    if config.names_classes and kind == "text":
        raise InputError(
            f"{' and '.join(NAMING)} compare images with texts, and the items of the task "
            f"{task.title or task.name!r} are texts; give a task over images, or other methods "
            "(lp, ft, lp-ft)"
        )
    features = pretrained(
        kind,
        config.model,
        pooling="embedding" if config.names_classes else config.pooling,
        max_length=config.max_length,
        revision=config.revision,
        trust_remote_code=config.trust_remote_code or None,
    )
    if config.names_classes:
        require_texts(
            features, classes, config.templates, trust_remote_code=config.trust_remote_code
        )
    return Classifier.from_features(features, classes)


def _tell_budget(setting: Setting) -> None:
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
            f"{left:,} steps of {seconds:.2f} s: about {duration(left * seconds)}"
        )


def _write(setting: Setting, adapted: Sequence[Adapted], about: dict[str, Any]) -> Results:
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
