"""Tasks and stores made by hand."""

import numpy as np

from probes.states.layout import Layout, cut_shards
from probes.states.store import ActivationStore
from probes.task import word_task

NONE = np.zeros(0, dtype=np.int64)
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


def words(labels, splits, forms=None, kind="class", groups=None):
    """A word task with one word a sentence."""
    forms = [f"w{k}" for k in range(len(labels))] if forms is None else forms
    names = [str(k) for k in range(len(labels))] if groups is None else groups
    return word_task(
        [[form] for form in forms],
        [[label] for label in labels],
        splits=splits,
        groups=names,
        name="made",
        labelling="x",
        kind=kind,
        group_kind="sentence" if groups is None else "document",
    )


def thirds(n):
    return ["train"] * (n - 2 * (n // 4)) + ["dev"] * (n // 4) + ["test"] * (n // 4)


def store_of(task, layers, root, lost=()):
    """A store made by hand: vectors by layer name."""
    widths = {name: X.shape[1] for name, X in layers.items()}
    key = {"made": "by hand", "n": str(task.n_units), "name": str(root)}
    shards = cut_shards(task.text_index, 4 * sum(widths.values()))
    layout = Layout(key, task.n_units, widths, shards, "float32", 1, {"model": "made"})
    store = ActivationStore.prepare(root, layout)
    for shard, (a, b) in enumerate(shards):
        store.write(
            shard,
            {name: X[a:b].astype(np.float32) for name, X in layers.items()},
            lost=[u for u in lost if a <= u < b],
            cut=[],
            counts={"n_truncated": 0, "n_windowed": 0},
        )
    return store


def vectors(q, X):
    return {split: X[rows].astype(np.float32) for split, rows in q.rows.items()}


def accuracy(report, layer, **where):
    return report.results.one(
        **{"method": "probe", "metric": "accuracy", "split": "test", "layer": layer, **where}
    ).value
