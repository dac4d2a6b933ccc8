"""The job `probes wise`: weights between the classifiers of a run of `probes train`, and soups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from probes import configs
from probes.diagnostic.folder import claimed, write_run
from probes.diagnostic.run import Progress, Silent
from probes.errors import InputError
from probes.files import sealed, unsealed, write_whole
from probes.results import Results, Row
from probes.transfer.begun import digest_of_items, require_same
from probes.transfer.classifier import Classifier
from probes.transfer.config import TUNED
from probes.transfer.evaluate import Answered, rows_of
from probes.transfer.examples import class_names
from probes.transfer.foretold import lines_of
from probes.transfer.passes import score
from probes.transfer.processes import Processes
from probes.transfer.runs import ANSWERS, answers_of, read_answers, write_answers
from probes.transfer.sets import EvaluationSet, evaluation_sets, notes_of_sets
from probes.transfer.shifts import load_shifts, notes_of
from probes.transfer.soups import greedy_soup, uniform_soup
from probes.transfer.tables import load
from probes.transfer.trained import HEAD_OF, METHODS, Pair, pairs_of, train_config
from probes.transfer.wise import DEFAULT_ALPHA, wise_ft
from probes.transfer.wise_page import write_page
from probes.transfer.wise_rows import Found, best_alpha, chosen_rows, curve_rows

Load = Callable[[], tuple[Classifier, Classifier]]

ALPHAS = tuple(k / 10 for k in range(11))
COMMAND = "probes wise"
UNRELATED = (
    "the heads of {} and {} are not related (they do not begin with the same one): a contrast, not "
    "WiSE-FT as it is meant"
)
FROZEN = (
    "{} and {} have the same network, as it was pretrained: the average of their weights is that "
    "of their outputs"
)


@dataclass(frozen=True, kw_only=True)
class WiseConfig:
    """Average the weights of two classifiers (WiSE-FT), and of several (soups)."""

    run: str
    """Folder of a finished run of `probes train`: its task, its sets out of distribution, its
    classifiers."""
    out: str
    """Folder of this run: results, figures, report."""
    first: str = "lp"
    """At alpha 0: a method of that run (zero-shot, lp, ft, lp-ft, zs-ft), or the folder of a
    classifier."""
    second: str = "lp-ft"
    """At alpha 1: likewise; of a method with several seeds each has a curve of its own, and the
    mean is told."""
    alphas: tuple[float, ...] = ALPHAS
    """Shares of the second; 0, 0.5 and 1 are always among them."""
    soups: bool = True
    """Average the seeds of the second, too: all of them, and those that better dev."""

    def __post_init__(self) -> None:
        if not all(0 <= alpha <= 1 for alpha in self.alphas):
            raise InputError(f"alphas {self.alphas}: expected shares, 0 to 1")
        if len(set(self.alphas)) < len(self.alphas):
            raise InputError(f"alphas {self.alphas}: give each once")
        if self.first == self.second:
            raise InputError(f"first and second are both {self.first!r}; name two")

    @property
    def grid(self) -> tuple[float, ...]:
        """All alphas, rising."""
        return tuple(sorted({*self.alphas, 0.0, DEFAULT_ALPHA, 1.0}))


@dataclass(frozen=True, eq=False)
class _Setting:
    """What is asked, and by whom."""

    out: Path
    classes: Sequence[str]
    sets: list[EvaluationSet]
    fixed: Mapping[str, Any]
    processes: Processes

    def answers(self, name: str, make: Callable[[], Classifier]) -> Found:
        """Let weights that are made when they are needed answer, unless they have."""
        folder = self.out / "answers" / name
        if not (folder / ANSWERS).is_file():
            write_answers(folder, answers_of(make(), self.sets, self.processes)[0])
        return read_answers(folder, self.sets)


def run_wise(config: WiseConfig, progress: Progress | None = None) -> Results:
    """Average weights between classifiers, let them answer, and write a run's folder.

    Parameters
    ----------
    config : WiseConfig
        Every setting.
    progress : Progress, optional
        Where to show how far the run is; nowhere by default.

    Returns
    -------
    Results
        As `probes.transfer.evaluate.rows_of`, of the methods ``wise`` (at each alpha),
        ``wise-dev`` (at the alpha that dev chose), ``output-ensemble`` (at each alpha),
        ``uniform-soup`` and ``greedy-soup``; and of ``wise`` and ``wise-dev`` the metrics
        ``accuracy-over-first`` and ``accuracy-over-second``, paired differences by item.

    Raises
    ------
    InputError
        If the run is not finished, or has no such classifiers, or they cannot be averaged.
    """
    processes = Processes.join()
    if processes.world.size > 1:
        raise InputError("probes wise trains nothing and runs in one process; start it plainly")
    with claimed(Path(config.out), config):
        return _run(config, processes, progress or Silent())


def _run(config: WiseConfig, processes: Processes, progress: Progress) -> Results:
    train = train_config(config.run)
    task, shifts = load_shifts(train.task, train.ood)
    classes = class_names(task)
    sets = evaluation_sets(task, shifts, classes, train.among)
    pairs = pairs_of(config.run, config.first, config.second)
    begun = {
        "classifiers": {str(pair.run): pair.digests() for pair in pairs},
        "data": digest_of_items([part.items for part in sets]),
        "names of the sets": [part.name for part in sets],
    }
    require_same(Path(config.out) / "answers" / "of.json", begun)
    n_layers, probes = _known_of(config.run)
    fixed = {
        "run": Path(config.out).name,
        "task": f"{task.name}/{task.labelling}",
        "task_version": task.version,
        "model": train.model,
        "revision": train.revision or "",
        "n_layers": n_layers,
        "config": configs.digest(config),
    }
    setting = _Setting(Path(config.out), classes, sets, fixed, processes)
    found = _curve(config, setting, pairs, progress)
    chosen = best_alpha(found, sets[0])
    ends = {"first": config.first, "second": config.second}
    n = {part.name: len(part.items) for part in sets}
    rows = [
        *curve_rows(found, ends, sets, fixed, lines_of(probes, n)),
        *chosen_rows(found, chosen, ends, sets, fixed),
    ]
    kept: list[int] = []
    if config.soups and len({pair.second for pair in pairs}) > 1:
        with progress.stage("soups", 2) as advance:
            soups, kept = _soups(setting, pairs, advance)
        rows += soups
    results = Results(rows)
    about = {
        "kind": "wise",
        "run": Path(config.out).name,
        "command": COMMAND,
        "title": task.title or task.name,
        "model": train.model,
        "first": config.first,
        "second": config.second,
        "runs": [pair.run for pair in pairs],
        "alpha_on_dev": chosen,
        "greedy_soup_kept": kept,
        "classes": list(classes),
        "sets": {part.name: part.items.title for part in sets},
        "n": n,
        "probes": probes,
        "notes": [
            *notes_of(task, shifts),
            *notes_of_sets(sets, classes),
            *notes_on(config.first, config.second),
        ],
    }
    write_run(setting.out, results, about)
    write_page(setting.out)
    return results


def _known_of(run: str) -> tuple[int, Mapping[str, Any]]:
    """Give the number of layers, and how accurate the linear probes of its path were, by set."""
    found = load(run)
    assert found is not None  # `train_config` has refused what is not finished
    results, about = found
    lp = about["trainings"].get("lp") or {}
    return results[0].n_layers, lp.get("path_accuracies", {})


def notes_on(first: str, second: str) -> list[str]:
    """Say what a reader must know of averages between two methods; of folders nothing is known."""
    ends = (first, second)
    if not set(ends) <= set(METHODS):
        return []
    if not set(ends) & set(TUNED):
        return [FROZEN.format(*ends)]
    is_related = HEAD_OF.get(first, first) == HEAD_OF.get(second, second)
    return [] if is_related else [UNRELATED.format(*ends)]


def _curve(
    config: WiseConfig, setting: _Setting, pairs: Sequence[Pair], progress: Progress
) -> dict[float, dict[int, Found]]:
    """Let the weights at each alpha of each run answer."""
    found: dict[float, dict[int, Found]] = {alpha: {} for alpha in config.grid}
    with progress.stage("average and ask", len(pairs) * len(config.grid)) as advance:
        for pair in pairs:
            load = cache(partial(pair.load, setting.classes))
            for alpha in config.grid:

                def make(alpha: float = alpha, load: Load = load) -> Classifier:
                    return wise_ft(*load(), alpha)

                name = f"seed-{pair.run}/alpha-{alpha!r}"
                found[alpha][pair.run] = setting.answers(name, make)
                advance(1)
    return found


def _soups(setting: _Setting, pairs: Sequence[Pair], advance: Any) -> tuple[list[Row], list[int]]:
    """Average the second classifiers of all runs: all, and those that better dev."""
    seconds = [pair.load(setting.classes)[1] for pair in pairs]
    members = [one.state() for one in seconds]
    dev, start = setting.sets[0].items, seconds[0]

    def evaluate(state: Mapping[str, Any]) -> float:
        return score(start.with_state(state), dev, setting.processes)[0]

    uniform = setting.answers("uniform-soup", lambda: start.with_state(uniform_soup(members)))
    advance(1)
    record = setting.out / "answers" / "greedy-soup" / "record.json"
    if not record.is_file():
        soup = greedy_soup(members, evaluate)
        setting.answers("greedy-soup", lambda: start.with_state(soup.state))
        write_whole(record, sealed({"kept": [pairs[k].run for k in soup.kept]}))
    kept = [int(k) for k in unsealed(record)["kept"]]
    greedy = read_answers(record.parent, setting.sets)
    advance(1)
    runs = [pair.run for pair in pairs]
    rows: list[Row] = []
    for name, of, answers in (("uniform-soup", runs, uniform), ("greedy-soup", kept, greedy)):
        answered = Answered(name, {"members": of}, {0: answers})
        rows += rows_of(answered, setting.sets, setting.fixed)
    return rows, kept
