"""Run folders made by hand, whose figures can be told by eye."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from probes.results import COLUMNS, Results, Row

NASTY = "</script><b>x&amp;y</b>"


def row(**given: Any) -> Row:
    texts = {name: "" for name in COLUMNS}
    rest = dict(
        run="r", task_version="1", model="org/tiny-model", n_layers=3, split="test", value=None,
        low=None, high=None, n=400, n_groups=40, n_asked=400, n_lost=0, why_lost="{}", seed=None,
    )  # fmt: skip
    return Row(**(texts | rest | given))


def class_rows(task: str, metric: str, controls: str, best: int) -> list[Row]:
    """Rows of four layers whose figures can be told by eye."""
    second = {"accuracy": "macro-f1", "r2": "spearman"}[metric]
    rows = []
    for layer in range(4):
        value = 0.9 - 0.05 * abs(layer - best)
        common = dict(task=task, layer=str(layer), interval="cluster bootstrap by document")
        band = dict(value=value, low=value - 0.01, high=value + 0.012)
        for split in ("dev", "test"):
            rows.append(row(**common, method="probe", metric=metric, split=split, **band))
        rows.append(row(**common, method="probe", metric=second, value=value - 0.1,
                        low=value - 0.12, high=value - 0.08))  # fmt: skip
        rows.append(row(**common, method="probe-random-model", metric=metric, value=0.6))
        rows.append(row(**common, method="probe", metric="over-random", value=value - 0.6,
                        low=value - 0.62, high=value - 0.59))  # fmt: skip
        for seed in range(3):
            rows.append(row(**common, method=controls, metric=metric, seed=seed,
                            control_of=task, value=0.5 + 0.01 * seed))  # fmt: skip
        if controls == "control-task":
            rows.append(row(**common, method="control-task", metric="selectivity",
                            value=value - 0.51, low=value - 0.53, high=value - 0.49,
                            setting='{"mean": 0.51, "sd": 0.01, "draws": 3}'))  # fmt: skip
            for part, less in (("seen", 0.0), ("unseen", 0.2)):
                rows.append(row(**common, method="probe", metric=metric, split=f"test/{part}",
                                value=value - less))  # fmt: skip
    return rows


def baseline(task: str, method: str, metric: str, value: float) -> Row:
    return row(task=task, method=method, metric=metric, value=value)


def info(task: str, **more: Any) -> dict[str, Any]:
    return {
        "task": task, "title": "EWT", "labelling": task.split("/")[1], "unit": "word",
        "kind": "class", "metric": "accuracy", "classes": [], "n": {"test": 25094},
        "n_groups": {"test": 316}, "group_kind": "document", "resampled_by": "document",
        "counts": {"duplicates": 105}, "notes": [], "best_layer": "2", "penalty_at_edge": 0,
        "n_layers_probed": 4, "lost": 0, "truncated": 0, "windowed": 0, "skipped": 0,
        "unseen_classes": {}, "unseen_type_share": 0.17, "warnings": [],
    } | more  # fmt: skip


def predictions(task: str, classes: list[str], n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    gold = rng.choice(len(classes), n)
    frames = []
    for layer in range(4):
        wrong = rng.random(n) < 0.3
        answer = np.where(wrong, (gold + rng.integers(1, 3, n)) % len(classes), gold)
        frames.append(
            pd.DataFrame(
                {
                    "task": task, "item": np.arange(n), "text": [f"w{i % 37}" for i in range(n)],
                    "group": "g", "split": "test", "layer": str(layer),
                    "gold": [classes[i] for i in gold], "predicted": [classes[i] for i in answer],
                    "gold_value": np.nan, "predicted_value": np.nan,
                    "log_probability": -0.1,
                }
            )
        )  # fmt: skip
    return pd.concat(frames)


def real_predictions(task: str, n: int = 400) -> pd.DataFrame:
    frame = predictions(task, ["x"], n)
    rng = np.random.default_rng(1)
    frame["gold"] = frame["predicted"] = None
    frame["gold_value"] = np.tile(rng.normal(size=n), 4)
    frame["predicted_value"] = frame["gold_value"] + 0.3 * rng.normal(size=4 * n)
    return frame


def made_run(tmp_path: Path) -> Path:
    """A run over a word task, a sentence task with hostile names, and a real-valued task."""
    return write_run(tmp_path / "run")


def write_run(path: Path) -> Path:
    path.mkdir()
    hostile = "table/" + NASTY
    rows = class_rows("conllu/upos", "accuracy", "control-task", best=2)
    rows += class_rows(hostile, "accuracy", "permuted-labels", best=1)
    rows += class_rows("table/depth", "r2", "control-task", best=3)
    rows += [
        baseline("conllu/upos", "majority", "accuracy", 0.164),
        baseline("conllu/upos", "word-identity", "accuracy", 0.818),
        baseline(hostile, "majority", "accuracy", 0.5),
        baseline(hostile, "bag-of-words", "accuracy", 0.7),
        baseline(hostile, "length", "accuracy", 0.52),
    ]
    Results(rows).save(path / "results.jsonl")
    tags = ["ADJ", "ADV", "NOUN", "VERB"]
    tasks = [
        info("conllu/upos", classes=tags, notes=["Words of <b>two</b> tokens are pooled."]),
        info(
            hostile, title="Toy & co", labelling=NASTY, unit="sentence",
            classes=["no", NASTY, "$x$"], n={"test": 400}, n_groups={"test": 400},
            group_kind="sentence", best_layer=None,
            resampled_by="sentence", counts={}, unseen_type_share=None, lost=3, truncated=1,
            windowed=2, unseen_classes={NASTY: 4}, penalty_at_edge=2,
            warnings=["The labels are few: " + NASTY],
        ),
        info("table/depth", kind="real", metric="r2", best_layer="3"),
    ]  # fmt: skip
    run = {
        "run": "run", "model": "org/tiny-model", "revision": "abc", "n_layers": 3, "width": 8,
        "command": "probes probe --task <x>", "seconds": {"extract": 1.5, "probe": 2},
        "processes": 1, "versions": {"torch": "2.13"}, "store": "0123abcd", "tasks": tasks,
    }  # fmt: skip
    (path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    (path / "config.yaml").write_text("task: {name: conllu} # " + NASTY, encoding="utf-8")
    pd.concat(
        [
            predictions("conllu/upos", tags),
            predictions(hostile, ["no", NASTY, "$x$"]),
            real_predictions("table/depth"),
        ]
    ).to_parquet(path / "predictions.parquet")
    return path
