"""From answers to tidy rows, each with its interval."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from probes.diagnostic.control import by_clue, majority, word_identity
from probes.diagnostic.layer import LayerAnswers
from probes.diagnostic.questions import Ints, Questions
from probes.diagnostic.surface import bag_of_words, few_pixels, length
from probes.encoders.choose import number_of_layers
from probes.metrics import Codes, Metric
from probes.results import Row
from probes.states import ActivationStore
from probes.stats import Interval, choose_groups, contrast_interval, interval, paired_interval
from probes.task import Task


def groups_of(task: Task, units: Ints) -> tuple[Codes, str]:
    """Choose what is resampled: a task's groups where there are enough of them, else its texts.

    Parameters
    ----------
    task : Task
        Whose groups are sentences, documents, …
    units : ndarray of int64
        Those that are scored.

    Returns
    -------
    codes : ndarray of shape (n_units,), int64
        The group of each.
    name : str
        What a group is.
    """
    names, kind = task.groups[units].tolist(), task.group_kind
    sentences = names if kind == "sentence" else task.text_index[units].tolist()
    codes, by = choose_groups(names, sentences)
    if by == "document":
        return codes, kind
    return codes, "image" if task.unit == "image" else by


class Scorer:
    """Turns answers into rows: one metric, one interval, one row.

    Parameters
    ----------
    questions : Questions
        What was asked.
    store : ActivationStore
        What was read.
    seed : int
        Of the resamples.
    fixed : dict
        Columns that are the same in all rows.
    """

    def __init__(
        self, questions: Questions, store: ActivationStore, seed: int, fixed: dict[str, Any]
    ) -> None:
        self._q = questions
        self._seed = seed
        self._metrics: tuple[Metric, Metric] = (
            ("r2", "spearman") if questions.is_real else ("accuracy", "macro-f1")
        )
        self._test = questions.rows["test"]
        task = questions.task
        self._groups, self.resampled_by = groups_of(task, self._test)
        self._fixed = {
            "run": "",
            "model": store.layout.names.get("model", ""),
            "revision": store.layout.names.get("revision", ""),
            "n_layers": number_of_layers(tuple(store.layout.widths)),
            "store": store.layout.digest,
            "config": "",
            **fixed,
            "task": questions.name,
            "task_version": task.version,
        }

    def _row(
        self, found: Interval, method: str, metric: str, setting: dict[str, Any], **columns: Any
    ) -> Row:
        split = columns.pop("split", "test")
        whole = split.partition("/")[0]
        by = f" by {self.resampled_by}" if found.method else ""
        return Row(
            **{
                **self._fixed,
                "layer": "",
                "seed": None,
                "control_of": "",
                "method": method,
                "metric": metric,
                "setting": json.dumps(setting),
                "split": split,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "interval": found.method + by,
                "n": found.n,
                "n_groups": found.n_groups,
                "n_asked": self._q.n_asked[whole],
                "n_lost": self._q.n_lost[whole],
                "why_lost": json.dumps(self._q.why_lost[whole]),
                **columns,
            }
        )

    def _gold(self) -> npt.NDArray[Any]:
        return self._q.gold[self._test]

    def probe(self, answer: LayerAnswers, method: str = "probe") -> list[Row]:
        """Score a layer's probe on test and on dev, and on parts of test by themselves."""
        setting = {"penalty": answer.penalty, "edge": answer.at_edge}
        gold, predicted = self._gold(), answer.predicted["test"]
        rows = []
        for metric in self._metrics:
            found = interval(metric, gold, predicted, self._groups, seed=self._seed)
            rows.append(self._row(found, method, metric, setting, layer=answer.layer))
        dev = self._q.rows["dev"]
        score = answer.dev_score
        n_groups = len(np.unique(self._q.task.groups[dev]))
        found = Interval(score, None, None, "", len(dev), n_groups)
        rows.append(
            self._row(found, method, self._metrics[0], setting, layer=answer.layer, split="dev")
        )
        if method == "probe" and not self._q.task.is_of_wholes:
            rows += self._by_part(answer, setting)
        return rows

    def _by_part(self, answer: LayerAnswers, setting: dict[str, Any]) -> list[Row]:
        known = self._q.known_types[self._test]
        parts = [("seen", known), ("unseen", ~known)]
        if self._q.task.unit == "word":
            parts.append(("first", self._q.is_first[self._test]))
        gold, predicted = self._gold(), answer.predicted["test"]
        rows = []
        for part, chosen in parts:
            if chosen.any():
                found = interval(
                    self._metrics[0],
                    gold[chosen],
                    predicted[chosen],
                    self._groups[chosen],
                    seed=self._seed,
                )
                split = f"test/{part}"
                rows.append(
                    self._row(
                        found, "probe", self._metrics[0], setting, layer=answer.layer, split=split
                    )
                )
        return rows

    def controls(self, answer: LayerAnswers, is_task: bool) -> list[Row]:
        """Score the draws of a control labelling, and selectivity where it is a control task."""
        if not answer.control:
            return []
        method = "control-task" if is_task else "permuted-labels"
        metric = self._metrics[0]
        at = {"layer": answer.layer, "control_of": self._q.name}
        setting: dict[str, Any] = {"penalty": answer.penalty}
        rows: list[Row] = []
        values: list[float] = []
        for seed, (gold, predicted) in enumerate(answer.control):
            found = interval(metric, gold, predicted, self._groups, seed=self._seed)
            if found.value is not None:
                values.append(found.value)
            rows.append(self._row(found, method, metric, setting, seed=seed, **at))
        if is_task and values:
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
            setting |= {"mean": float(np.mean(values)), "sd": spread, "draws": len(values)}
            share = -1 / len(answer.control)
            terms = [(1.0, self._gold(), answer.predicted["test"])]
            terms += [(share, gold, predicted) for gold, predicted in answer.control]
            found = contrast_interval(metric, terms, self._groups, seed=self._seed)
            rows.append(self._row(found, method, "selectivity", setting, **at))
        return rows

    def against_random(
        self, answer: LayerAnswers, other: LayerAnswers, store: ActivationStore
    ) -> list[Row]:
        """Score the model with random weights, and the difference to it."""
        revision = store.layout.names.get("revision", "")
        rows = [
            dataclasses.replace(row, store=store.layout.digest, revision=revision)
            for row in self.probe(other, "probe-random-model")
        ]
        gold = self._gold()
        found = paired_interval(
            self._metrics[0],
            gold,
            answer.predicted["test"],
            other.predicted["test"],
            self._groups,
            seed=self._seed,
        )
        setting = {"of": self._metrics[0]}
        return [*rows, self._row(found, "probe", "over-random", setting, layer=answer.layer)]

    def baselines(
        self, penalties: Sequence[float], clues: Mapping[str, Ints] | None = None
    ) -> list[Row]:
        """Score what needs no model; a clue is a code for each unit."""
        answers = {"majority": majority(self._q)}
        if self._q.task.unit == "word":
            answers["word-identity"] = word_identity(self._q)
        elif self._q.task.unit == "image":
            answers["pixels"] = few_pixels(self._q, penalties)
        else:
            answers["bag-of-words"] = bag_of_words(self._q, penalties)
            answers["length"] = length(self._q, penalties)
        answers |= {name: by_clue(self._q, codes) for name, codes in (clues or {}).items()}
        return [
            self._row(
                interval(metric, self._gold(), predicted, self._groups, seed=self._seed),
                method,
                metric,
                {},
            )
            for method, predicted in answers.items()
            for metric in self._metrics
        ]
