"""The main job: tasks → encoder → stores → probes with controls → a folder of answers."""

from __future__ import annotations

import gc
import platform
import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import probes
from probes import configs
from probes.configs import ProbeConfig
from probes.diagnostic.folder import claimed, store_folder, write_run
from probes.diagnostic.layers import LayerReport, probe_layers, unseen_type_share
from probes.diagnostic.loading import load_encoder
from probes.diagnostic.plan import Plan
from probes.diagnostic.predictions import PREDICTIONS, prediction_columns
from probes.doctor.verdict import find as find_verdict
from probes.encoders import parse_layers
from probes.files import write_whole
from probes.report.page import write_page
from probes.results import Results
from probes.states import ActivationStore, World, extract, join
from probes.states.corpus import Encoder
from probes.states.extract import default_pooling
from probes.task import SPLITS, Task

Stage = AbstractContextManager[Callable[[int], None]]
"""Of a run: gives the function that is told how many steps were made since its last call."""


class Progress(Protocol):
    """Shows how far a run is."""

    def stage(self, title: str, total: int) -> Stage:
        """Open a stage of so many steps."""
        ...

    def say(self, line: str) -> None:
        """Say one line."""
        ...


class Silent:
    """Shows nothing."""

    def stage(self, title: str, total: int) -> Stage:
        """Open a stage that counts nothing."""
        return nullcontext(lambda n: None)

    def say(self, line: str) -> None:
        """Say nothing."""


def fill(
    task: Task,
    encoder: Encoder,
    root: Path,
    progress: Progress,
    *,
    is_random: bool = False,
    told: Sequence[Path] = (),
    **options: Any,
) -> ActivationStore:
    """Fill the store of a task, and say so once where there was nothing to encode.

    Parameters
    ----------
    task, encoder, root
        As `extract`.
    progress : Progress
        Is told of the pass.
    is_random : bool
        Whether the model has random weights: of its store nothing but the pass is told.
    told : sequence of Path
        Stores of which it was said already.
    **options
        Of `extract`.

    Returns
    -------
    ActivationStore
        As `extract`.
    """
    name = Path(encoder.name).name + (" (random weights)" if is_random else "")
    title = f"encode {task.unit}s · {name}"
    opened: list[int] = []

    def stage(n: int) -> Stage:
        opened.append(n)
        return progress.stage(title, n)

    say = Silent().say if is_random else progress.say
    store = extract(task, encoder, str(root), stage=stage, say=say, **options)
    if not opened and store.folder not in told:
        progress.say(f"{title}: already in {store.folder}")
    return store


def run_probe(
    config: ProbeConfig, progress: Progress | None = None, plan: Plan | None = None
) -> Path | None:
    """Probe every layer of a model, and write a run's folder.

    Parameters
    ----------
    config : ProbeConfig
        Every setting; ``config.task`` is a task's options.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.
    plan : Plan, optional
        What is asked of the task's labellings; by default each of them.

    Returns
    -------
    Path or None
        Of ``report.html``; None in a process that only helped to encode.

    Raises
    ------
    InputError
        If a setting or the data cannot be used.
    EnvironmentFailure
        If the disk has no room, or the processes do not see one another.
    """
    world, plan = join(), plan or Plan()
    if progress is None or not world.is_first:
        progress = Silent()
    if not world.is_first:
        return _run(config, world, progress, plan)
    with claimed(Path(config.out), config):
        if world.size > 1:
            progress.say(
                f"{world.size} processes encode; the first alone solves the probes and writes"
            )
        return _run(config, world, progress, plan)


def _run(config: ProbeConfig, world: World, progress: Progress, plan: Plan) -> Path | None:
    start = time.perf_counter()
    tasks = plan.ask(config.task.load())
    root = store_folder(config.out, config.store)
    loaded = time.perf_counter()
    stores, about = _encode(config, tasks, root, world, progress)
    _tell_verdict(about["doctor"], config, root, progress)
    random_stores: Sequence[ActivationStore | None] = [None] * len(tasks)
    if config.random_model:
        random_stores, _ = _encode(config, tasks, root, world, progress, about)
    encoded = time.perf_counter()
    world.wait()
    if not world.is_first:
        world.close()
        return None
    reports = [
        _probe(task, stores[k], random_stores[k], about["layers"], config, world, progress, plan)
        for k, task in enumerate(tasks)
    ]
    probed = time.perf_counter()
    times = {"load": loaded - start, "encode": encoded - loaded, "probe": probed - encoded}
    about |= {
        "processes": world.size,
        "seconds": {what: round(took, 2) for what, took in times.items()},
        "store": _listed(stores),
        "random_store": _listed([store for store in random_stores if store is not None]),
        "tasks": [_task(r, s) for r, s in zip(reports, stores, strict=True)],
    }
    world.close()
    about["command"] = f"{plan.command} --config {Path(config.out) / 'config.yaml'}"
    return _write(Path(config.out), reports, about)


def _tell_verdict(
    found: dict[str, Any] | None, config: ProbeConfig, root: Path, progress: Progress
) -> None:
    """Say where nobody, or somebody with a complaint, has examined the model."""
    command = f"probes doctor {shlex.quote(config.model)} --store {shlex.quote(str(root))}"
    for name in ("revision", "dtype", "attention", "part", "max_tokens", "trust_remote_code"):
        value = getattr(config, name)
        if value not in (None, False, "float32"):
            command += f" --{name.replace('_', '-')}" + ("" if value is True else f" {value}")
    if found is None:
        progress.say(f"this model was not examined as it is used here; {command} does it")
    elif found["failed"]:
        failed = ", ".join(found["failed"])
        progress.say(f"! this model failed its examination ({failed}); see: {command}")


def _listed(stores: Sequence[ActivationStore]) -> str:
    return ", ".join(dict.fromkeys(str(store.folder) for store in stores))


def _encode(
    config: ProbeConfig,
    tasks: Sequence[Task],
    root: Path,
    world: World,
    progress: Progress,
    like: dict[str, Any] | None = None,
) -> tuple[list[ActivationStore], dict[str, Any]]:
    """Load the model, fill a store a task, and say what the model is; it is gone on return.

    With what was said of the pretrained model (`like`), it is loaded with random weights, and read
    in the same way: what the weights decide there, they do not decide anew.
    """
    encoder = load_encoder(config, tasks[0], world.device, like)
    pooling = config.pooling or (default_pooling(encoder) if like is None else like["pooling"])
    layers = parse_layers(config.layers, encoder.layers)
    stores: list[ActivationStore] = []
    for task in tasks:
        store = fill(
            task,
            encoder,
            root,
            progress,
            is_random=like is not None,
            told=[store.folder for store in stores],
            layers=layers,
            pooling=pooling,
            truncation=config.truncation,
            stride=config.stride,
            lost=config.lost,
            dtype=config.store_dtype,
            deterministic=config.deterministic,
            world=world,
        )
        stores.append(store)
    about = {
        "run": Path(config.out).name,
        "model": config.model,
        "revision": encoder.revision,
        "n_layers": encoder.n_layers,
        "layers": list(layers),
        "width": max(encoder.widths.values()),
        "fingerprint": encoder.fingerprint,
        "pooling": pooling,
        "is_causal": encoder.is_causal,
        "device": str(encoder.device),
        "doctor": find_verdict(root, encoder.fingerprint, encoder.max_tokens),
    }
    del encoder
    gc.collect()  # hooks tie a model to its reader in a circle
    return stores, about


def _probe(
    task: Task,
    store: ActivationStore,
    random_store: ActivationStore | None,
    layers: Sequence[str],
    config: ProbeConfig,
    world: World,
    progress: Progress,
    plan: Plan,
) -> LayerReport:
    n = len(layers) * (1 if random_store is None else 2)
    with progress.stage(f"probe {task.labelling} · layers", n) as advance:
        return probe_layers(
            task,
            store,
            layers=layers,
            random_store=random_store,
            penalties=config.penalties,
            draws=config.draws,
            seed=config.seed,
            unseen=config.unseen,
            clues=plan.clues(task),
            constant=plan.constant,
            device=world.device,
            fixed={
                "run": Path(config.out).name,
                "model": config.model,
                "config": configs.digest(config),
            },
            advance=advance,
        )


def _write(out: Path, reports: Sequence[LayerReport], about: dict[str, Any]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {name: [] for name in PREDICTIONS}
    for report in reports:
        for name, values in prediction_columns(report).items():
            columns[name] += values
    kinds = {"item": pa.int64(), "sentence": pa.int64()} | dict.fromkeys(
        ("gold_value", "predicted_value", "log_probability"), pa.float64()
    )
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in PREDICTIONS])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=schema), sink)
    write_whole(out / "predictions.parquet", sink.getvalue().to_pybytes())
    results = Results(row for report in reports for row in report.results)
    write_run(out, results, {**about, "versions": _versions()})
    return write_page([out], out / "report.html")


def _task(report: LayerReport, store: ActivationStore) -> dict[str, Any]:
    q, task = report.questions, report.questions.task
    groups = {s: len(np.unique(task.groups[rows])) for s, rows in q.rows.items()}
    return {
        "task": q.name,
        "title": task.title,
        "labelling": task.labelling,
        "unit": task.unit,
        "kind": task.kind,
        "metric": "r2" if q.is_real else "accuracy",
        "classes": list(q.classes[: q.n_known]),
        "n": {split: len(q.rows[split]) for split in SPLITS},
        "n_groups": groups,
        "group_kind": task.group_kind,
        "resampled_by": report.resampled_by,
        "counts": dict(task.counts),
        "notes": list(task.notes),
        "source": task.source,
        "licence": task.licence,
        "citation": task.citation,
        "best_layer": report.best_layer,
        "penalty_at_edge": report.n_at_edge,
        "penalties": {layer: answer.penalty for layer, answer in report.answers.items()},
        "dev_losses": {
            layer: {str(p): v for p, v in answer.dev_losses.items()}
            for layer, answer in report.answers.items()
        },
        "n_layers_probed": len(report.answers),
        "lost": sum(q.n_lost.values()),
        "shortened": int(task.asked[np.setdiff1d(store.cut, store.lost)].sum()),
        "why_lost": _summed(q.why_lost.values()),
        "truncated": store.count("n_truncated"),
        "windowed": store.count("n_windowed"),
        "mended": store.count("n_mended"),
        "skipped": int(task.asked[np.setdiff1d(store.lost, store.cut)].sum()),
        "unseen_classes": _summed(q.unseen.values()),
        "unseen_type_share": None if task.is_of_wholes else unseen_type_share(q),
        "warnings": list(q.warnings),
    }


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(sorted(total.items()))


def _versions() -> dict[str, str]:
    import torch
    import transformers

    return {
        "layerprobes": probes.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
    }
