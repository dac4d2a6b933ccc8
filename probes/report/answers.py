"""What the probe answered at the best layer: confusions, examples, gold against predicted.

``predictions.parquet`` has one row a unit, layer and split: ``task``, ``item`` (int), ``text`` (the
unit's surface), ``group``, ``split``, ``layer``, ``gold`` and ``predicted`` (str, null for real
values), ``gold_value`` and ``predicted_value`` (float, null for classes), ``log_probability``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from probes.errors import InputError
from probes.report.summary import Summary

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 40
MOST_CONFUSIONS = 10
MOST_EXAMPLES = 5
_CLASS_COLUMNS = ("task", "text", "split", "layer", "gold", "predicted")
_REAL_COLUMNS = ("task", "text", "split", "layer", "gold_value", "predicted_value")


@dataclass(frozen=True)
class Confusion:
    """How often one class was taken for another.

    Parameters
    ----------
    gold, predicted : str
        The two classes.
    count : int
        Number of units.
    share : float
        Of the units of the gold class.
    examples : tuple of (str, int)
        The surfaces that it befell most often, and how often.
    """

    gold: str
    predicted: str
    count: int
    share: float
    examples: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class Answers:
    """What was answered on test at one layer.

    Parameters
    ----------
    layer : str
        The layer.
    classes : tuple of str
        The classes shown, in sorted order; at most `MOST_CLASSES`, the most frequent ones.
    n_classes : int
        Number of classes, shown or not.
    counts : ndarray of shape (len(classes), len(classes)), int64
        Units by gold (row) and predicted class (column).
    totals : ndarray of shape (len(classes),), int64
        Units of each gold class, whatever was answered.
    confusions : tuple of Confusion
        The most frequent ones, over all classes.
    gold, predicted : ndarray of shape (n_units,), float64
        The real values; empty for classes.
    texts : tuple of str
        The surfaces beside the real values; empty for classes.
    """

    layer: str
    classes: tuple[str, ...]
    n_classes: int
    counts: npt.NDArray[np.int64]
    totals: npt.NDArray[np.int64]
    confusions: tuple[Confusion, ...]
    gold: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.float64]
    texts: tuple[str, ...]


def answers(summary: Summary) -> Answers | None:
    """Read what was answered on test at the layer that dev chose.

    Parameters
    ----------
    summary : Summary
        The task.

    Returns
    -------
    Answers or None
        None where no layer was chosen, or no prediction of it is on file.

    Raises
    ------
    InputError
        If the run's ``predictions.parquet`` is not there, or lacks a column.
    """
    if summary.best is None:
        return None
    real = summary.metric in ("r2", "spearman")
    path = summary.folder / "predictions.parquet"
    layer = summary.best.layer
    frame = _read(path, _REAL_COLUMNS if real else _CLASS_COLUMNS, summary.task, layer)
    frame = frame.dropna(
        subset=["gold_value", "predicted_value"] if real else ["gold", "predicted"]
    )
    if frame.empty:
        return None
    return _real(layer, frame) if real else _classes(layer, frame)


def _read(path: Path, wanted: tuple[str, ...], task: str, layer: str) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise InputError(f"no {path}: the run is not finished; run `probes probe` again")
    try:
        missing = [name for name in wanted if name not in pq.read_schema(path).names]
    except pa.ArrowException as error:
        raise InputError(f"{path} is no Parquet file ({error}); run `probes probe` again") from None
    if missing:
        raise InputError(f"{path} has no column {', '.join(missing)}; run `probes probe` again")
    chosen = [("task", "==", task), ("layer", "==", layer), ("split", "==", "test")]
    return pd.read_parquet(path, columns=list(wanted), filters=chosen)


def _classes(layer: str, frame: pd.DataFrame) -> Answers:
    gold, predicted = frame["gold"].astype(str).to_list(), frame["predicted"].astype(str).to_list()
    frequency = Counter(gold)
    named = sorted({*gold, *predicted}, key=lambda name: (-frequency[name], name))
    shown = sorted(named[:MOST_CLASSES])
    pairs = Counter(zip(gold, predicted, strict=True))
    counts = np.array([[pairs[g, p] for p in shown] for g in shown], dtype=np.int64)
    wrong = sorted((pair for pair in pairs if pair[0] != pair[1]), key=lambda p: (-pairs[p], p))
    surfaces: dict[tuple[str, str], Counter[str]] = {
        pair: Counter() for pair in wrong[:MOST_CONFUSIONS]
    }
    for pair, text in zip(zip(gold, predicted, strict=True), frame["text"], strict=True):
        if pair in surfaces:
            surfaces[pair][str(text)] += 1
    found = tuple(
        Confusion(*pair, pairs[pair], pairs[pair] / frequency[pair[0]], _top(seen))
        for pair, seen in surfaces.items()
    )
    totals = np.array([frequency[name] for name in shown], dtype=np.int64)
    nothing = np.empty(0)
    return Answers(layer, tuple(shown), len(named), counts, totals, found, nothing, nothing, ())


def _real(layer: str, frame: pd.DataFrame) -> Answers:
    gold, predicted = (
        frame[name].to_numpy(np.float64) for name in ("gold_value", "predicted_value")
    )
    none = np.zeros(0, dtype=np.int64)
    texts = tuple(frame["text"].astype(str))
    return Answers(layer, (), 0, none.reshape(0, 0), none, (), gold, predicted, texts)


def _top(seen: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(seen.items(), key=lambda item: (-item[1], item[0]))[:MOST_EXAMPLES])
