"""What a run folder says, arranged for reading: one summary a task, one line a layer.

Only files are read (``results.jsonl``, ``run.json``, ``config.yaml``, ``predictions.parquet``), so
a report can be made anywhere and at any time. Rows that are not there leave gaps, not errors.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probes.errors import InputError
from probes.results import Results, Row

METRIC_NAMES = {
    "accuracy": "accuracy",
    "macro-f1": "macro-F1",
    "r2": "R²",
    "spearman": "Spearman",
}
BASELINES = {
    "majority": "majority",
    "mean": "mean",
    "word-identity": "word identity",
    "position": "position",
    "bag-of-words": "bag of words",
    "length": "length",
    "pixels": "8×8 pixels",
}
_SECOND = {"accuracy": "macro-f1", "macro-f1": "accuracy", "r2": "spearman", "spearman": "r2"}


@dataclass(frozen=True)
class Draws:
    """A control over several draws.

    Parameters
    ----------
    mean, sd : float
        Over the draws; the sd is 0 for one draw.
    n : int
        Number of draws.
    """

    mean: float
    sd: float
    n: int


@dataclass(frozen=True)
class Line:
    """One layer of one task, on the test split.

    Parameters
    ----------
    layer : str
        Name of the layer.
    best : bool
        Whether it was chosen on dev.
    score, second : Row or None
        The task's own metric, and the other one of its kind.
    random, over_random, selectivity, seen, unseen, first : Row or None
        The random model; the differences; word types that training has and has not; the words
        that texts begin with.
    control : Draws or None
        The control task, or permuted labels.
    """

    layer: str
    best: bool
    score: Row | None = None
    second: Row | None = None
    random: Row | None = None
    over_random: Row | None = None
    selectivity: Row | None = None
    seen: Row | None = None
    unseen: Row | None = None
    first: Row | None = None
    control: Draws | None = None


@dataclass(frozen=True)
class Summary:
    """All that a report says of one task in one run.

    Parameters
    ----------
    folder : Path
        The run's folder.
    run, info : mapping
        ``run.json``, and its entry for this task.
    task, metric, second : str
        ``name/labelling``, the task's own metric, and the other one of its kind.
    lines : tuple of Line
        From the lowest layer to the highest.
    baselines : mapping of str to Row
        Name of the baseline, and its row.
    permuted : bool
        Whether `Line.control` holds permuted labels rather than a control task.
    """

    folder: Path
    run: Mapping[str, Any]
    info: Mapping[str, Any]
    task: str
    metric: str
    second: str
    lines: tuple[Line, ...]
    baselines: Mapping[str, Row] = field(default_factory=dict)
    permuted: bool = False

    @property
    def best(self) -> Line | None:
        """The layer chosen on dev."""
        return next((line for line in self.lines if line.best), None)

    @property
    def model(self) -> str:
        """Name of the model, without its folders."""
        return Path(str(self.run.get("model", "")).rstrip("/")).name or "unknown model"

    @property
    def labelling(self) -> str:
        """Name of the labelling; a short one is an abbreviation, in capitals."""
        name = str(self.info.get("labelling") or self.task.partition("/")[2] or self.task)
        return name.upper() if len(name) <= 4 else name

    @property
    def unit(self) -> str:
        """Name of the unit, in the plural."""
        return str(self.info.get("unit", "unit")) + "s"


def summarise(folders: Iterable[str | Path]) -> list[Summary]:
    """Read run folders.

    Parameters
    ----------
    folders : iterable of str or Path
        Folders that ``probes probe`` wrote.

    Returns
    -------
    list of Summary
        One a task, in the order of the folders and of their tasks.

    Raises
    ------
    InputError
        If a folder or a file of it is not there, or is not what a run writes.
    """
    found = [summary for folder in folders for summary in _summarise(Path(folder))]
    if not found:
        raise InputError("no run to report on; name at least one folder that `probes probe` wrote")
    return found


def _summarise(folder: Path) -> list[Summary]:
    if not folder.is_dir():
        raise InputError(f"no run folder {folder}; name a folder that `probes probe` wrote")
    path = folder / "run.json"
    if not path.is_file():
        raise InputError(
            f"no {path}: the folder holds no run, or one that is not finished; name another, or "
            "run `probes probe` again"
        )
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        infos = [(str(info["task"]), info) for info in run["tasks"]]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not the record of a run ({type(error).__name__}: {error}); "
            "run its command again"
        ) from None
    results = Results.load(folder / "results.jsonl")
    return [_summary(folder, run, task, info, results.where(task=task)) for task, info in infos]


def _summary(
    folder: Path, run: Mapping[str, Any], task: str, info: Mapping[str, Any], rows: Results
) -> Summary:
    metric = str(info.get("metric") or ("r2" if info.get("kind") == "real" else "accuracy"))
    second = _SECOND.get(metric, "")
    probed = rows.where(method="probe")
    layers = sorted(dict.fromkeys(row.layer for row in probed if row.layer), key=_height)
    best = (
        str(info["best_layer"]) if info.get("best_layer") is not None else _chosen(probed, metric)
    )
    tested = {
        (row.layer, row.method, row.split, row.metric): row for row in rows if row.seed is None
    }
    permuted = not rows.where(method="control-task")
    draws = rows.where(
        method="permuted-labels" if permuted else "control-task", split="test", metric=metric
    )
    lines = []
    for layer in layers:

        def get(method: str, what: str, split: str = "test", layer: str = layer) -> Row | None:
            return tested.get((layer, method, split, what))

        selectivity = get("control-task", "selectivity")
        lines.append(
            Line(
                layer=layer,
                best=layer == best,
                score=get("probe", metric),
                second=get("probe", second),
                random=get("probe-random-model", metric),
                over_random=get("probe", "over-random"),
                selectivity=selectivity,
                seen=get("probe", metric, "test/seen"),
                unseen=get("probe", metric, "test/unseen"),
                first=get("probe", metric, "test/first"),
                control=_draws([r for r in draws if r.layer == layer], selectivity),
            )
        )
    baselines = {
        name: tested[("", method, "test", metric)]
        for method, name in BASELINES.items()
        if ("", method, "test", metric) in tested
    }
    return Summary(folder, run, info, task, metric, second, tuple(lines), baselines, permuted)


def _draws(rows: Sequence[Row], selectivity: Row | None) -> Draws | None:
    values = [row.value for row in rows if row.value is not None]
    if values:
        sd = statistics.stdev(values) if len(values) > 1 else 0.0
        return Draws(statistics.fmean(values), sd, len(values))
    setting = json.loads(selectivity.setting or "{}") if selectivity else {}
    if "mean" in setting:
        return Draws(setting["mean"], setting.get("sd") or 0.0, setting.get("draws", 1))
    return None


def _chosen(probed: Results, metric: str) -> str:
    dev = [r for r in probed.where(split="dev", metric=metric) if r.value is not None]
    return max(dev, key=lambda row: row.value or 0.0).layer if dev else ""


def _height(layer: str) -> tuple[bool, float]:
    stack, _, number = layer.rpartition(".")
    return stack == "decoder", float(number) if number.isdecimal() else float("inf")
