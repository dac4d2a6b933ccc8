"""The digit networks' job: teach them, decompose their encodings, let their decoders read that."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from probes import configs
from probes.diagnostic.folder import claimed, make_folder
from probes.diagnostic.run import Progress, Silent
from probes.files import write_whole
from probes.results import Results, Row
from probes.roles.digits.config import DigitsConfig, names_of
from probes.roles.digits.example import digits_example
from probes.roles.digits.kept import Order
from probes.roles.digits.pieces import Data, Fit, fit_one, teach_one
from probes.roles.digits.table import written
from probes.roles.digits.training import Recipe
from probes.roles.digits.workers import Job, do_all
from probes.roles.naming import parse_scheme

METRICS = ("substitution-accuracy", "renumbered-accuracy", "mse", "r2")


def run_digits(config: DigitsConfig, progress: Progress | None = None) -> Path:
    """Reproduce the published table of substitution accuracies, and write a run's folder.

    Parameters
    ----------
    config : DigitsConfig
        Every setting.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.

    Returns
    -------
    Path
        Of the run's folder: ``results.jsonl`` and ``.parquet``, ``table.txt``, ``run.json``,
        ``config.yaml``.

    Raises
    ------
    InputError
        If a setting cannot be used, or what is kept is damaged.
    EnvironmentFailure
        If the disk is full.

    Notes
    -----
    As many processes as torch has threads. What is taught and fitted is kept in the store, each
    piece as soon as it is done; the same command goes on where it stopped.
    """
    progress = Silent() if progress is None else progress
    for name in config.schemes:
        parse_scheme(name)
    with claimed(Path(config.out), config):
        make_folder(_store(config), "--store")
        results, about = _done(config, progress)
        return _write(config, results, about, _example(config))


def _store(config: DigitsConfig) -> Path:
    return Path(config.store) if config.store else Path(config.out).parent / "networks"


def _done(config: DigitsConfig, progress: Progress) -> tuple[Results, list[dict[str, Any]]]:
    data = Data(config.sequences, config.longest, config.seed)
    recipe = Recipe(most_epochs=config.most_epochs)
    orders = [Order(*names, config.seed, recipe) for names in names_of(config.networks)]
    store = _store(config)
    fits = [
        Fit(scheme, config.filler_dim, config.role_dim, config.seeds) for scheme in config.schemes
    ]
    found: dict[Order, dict[str, Any]] = {}
    fitted: dict[tuple[Order, str], list[dict[str, Any]]] = {}

    def then(job: Job, answer: Any) -> Iterable[Job]:
        order = job.arguments[0]
        advance(1)
        if job.function is teach_one:
            folder, about = answer
            found[order] = {**about, "folder": str(folder)}
            progress.say(
                f"{order.name}: {about['accuracy']:.4f} right on test, {about['epochs']} epochs"
            )
            return [Job(fit_one, (order, data, store, fit)) for fit in fits]
        fitted[order, job.arguments[3].scheme] = answer
        return []

    total = len(orders) * (1 + len(fits))
    with progress.stage("networks and decompositions", total) as advance:
        do_all([Job(teach_one, (order, data, store)) for order in orders], then)
    about = [{**asdict(order), **found[order]} for order in orders]
    rows = (
        row
        for order in orders
        for row in _rows(config, order, found[order], [fitted[order, f.scheme] for f in fits])
    )
    return Results(rows), about


def _rows(
    config: DigitsConfig,
    order: Order,
    about: dict[str, Any],
    fitted: Sequence[list[dict[str, Any]]],
) -> Iterable[Row]:
    """One for the network, three or four for each decomposition."""
    shared: dict[str, Any] = {
        "run": Path(config.out).name,
        "task": f"digits/{order.task}",
        "task_version": "1",
        "model": f"{order.encoder}/{order.decoder}",
        "revision": about["weights"],
        "layer": "",
        "n_layers": 0,
        "split": "test",
        "low": None,
        "high": None,
        "interval": "",
        "n": about["n"],
        "n_groups": about["n"],
        "n_asked": about["n"],
        "n_lost": 0,
        "why_lost": "{}",
        "control_of": "",
        "store": about["folder"],
        "config": configs.digest(config),
    }
    yield Row(
        **shared,
        method="network",
        setting=json.dumps(asdict(order.recipe)),
        metric="accuracy",
        value=about["accuracy"],
        seed=order.seed,
    )
    for fit in (fit for fits in fitted for fit in fits):
        for metric in (metric for metric in METRICS if metric in fit):
            yield Row(
                **shared,
                method=fit["method"],
                setting=json.dumps(fit["setting"]),
                metric=metric,
                value=fit[metric],
                seed=fit["seed"],
            )


def _example(config: DigitsConfig) -> dict[str, Any]:
    """Take the first network's decompositions of one sequence apart."""
    names = names_of(config.networks)[0]
    order = Order(*names, config.seed, Recipe(most_epochs=config.most_epochs))
    data = Data(config.sequences, config.longest, config.seed)
    dims = config.filler_dim, config.role_dim
    return digits_example(order, data, _store(config), config.schemes, dims)


def _write(
    config: DigitsConfig,
    results: Results,
    about: list[dict[str, Any]],
    example: dict[str, Any],
) -> Path:
    out = Path(config.out)
    results.save(out / "results.jsonl")
    results.save(out / "results.parquet")
    write_whole(out / "table.txt", written(results).encode())
    run = {"run": out.name, "command": "probes roles digits", "networks": about, "example": example}
    write_whole(out / "run.json", (json.dumps(run, indent=1) + "\n").encode())
    return out
