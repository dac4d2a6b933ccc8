"""Every layer of a model, with what keeps its numbers honest, as tidy rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from probes.choices import Unseen
from probes.configs import PENALTIES
from probes.diagnostic.control import control_task, permuted
from probes.diagnostic.layer import LayerAnswers, probe_layer
from probes.diagnostic.questions import Ints, Questions, ask
from probes.diagnostic.score import Scorer
from probes.results import Results, Row
from probes.states import ActivationStore
from probes.task import Task


@dataclass(frozen=True, eq=False)
class LayerReport:
    """What probing all layers for one labelling gave.

    Parameters
    ----------
    questions : Questions
        What was asked.
    answers : dict of str to LayerAnswers
        By layer.
    results : Results
        Tidy rows.
    best_layer : str
        As dev chose it.
    resampled_by : str
        The groups that the intervals count.
    """

    questions: Questions
    answers: dict[str, LayerAnswers]
    results: Results
    best_layer: str
    resampled_by: str

    @property
    def n_at_edge(self) -> int:
        """Number of layers at which dev chose the weakest or the strongest penalty."""
        return sum(answer.at_edge for answer in self.answers.values())


def probe_layers(
    task: Task,
    store: ActivationStore,
    *,
    layers: Sequence[str] | None = None,
    random_store: ActivationStore | None = None,
    penalties: Sequence[float] = PENALTIES,
    draws: int = 5,
    seed: int = 0,
    unseen: Unseen = "wrong",
    clues: Mapping[str, Ints] | None = None,
    constant: bool = False,
    device: torch.device | str = "cpu",
    fixed: dict[str, Any] | None = None,
    advance: Callable[[int], None] = lambda n_layers: None,
) -> LayerReport:
    """Probe every layer of a store for one labelling.

    Parameters
    ----------
    task : Task
        With the units of the store.
    store : ActivationStore
        Of the model.
    layers : sequence of str, optional
        All that are stored by default.
    random_store : ActivationStore, optional
        Of the same architecture with random weights.
    penalties : sequence of float
        L2 penalties per mean loss, of which dev chooses one a layer.
    draws : int
        Of the control labelling: for words the control task of Hewitt & Liang (2019), for all
        else permuted labels.
    seed : int
        Of the draws and the resamples.
    unseen : {"wrong", "error", "drop"}
        What to do with units whose class the training split lacks.
    clues : mapping of str to ndarray of shape (n_units,), optional
        Further baselines: by name, a code for each unit, of which the baseline answers the
        commonest training class, or the mean training value.
    constant : bool
        Whether to answer a labelling of one class, without a fit, rather than to refuse it.
    device : torch.device or str
        Where to solve.
    fixed : dict, optional
        Columns of `Row` that are the same in all rows (run, config, …).
    advance : callable
        Is called with the number of layers that were answered since the last call.

    Returns
    -------
    LayerReport
        Answers and rows.

    Raises
    ------
    InputError
        As `ask`.
    """
    layers = store.layers if layers is None else layers
    lost = store.lost if random_store is None else np.union1d(store.lost, random_store.lost)
    questions = ask(task, lost, unseen, store.cut, constant=constant)
    draw = control_task if task.unit == "word" else permuted
    controls = [draw(questions, seed, k) for k in range(draws)]
    scorer = Scorer(questions, store, seed, fixed or {})
    answers: dict[str, LayerAnswers] = {}
    rows: list[Row] = []
    for layer in layers:
        X = {split: store.X(layer, units) for split, units in questions.rows.items()}
        answer = probe_layer(layer, X, questions, penalties, controls, device)
        answers[layer] = answer
        rows += scorer.probe(answer)
        rows += scorer.controls(answer, draw is control_task)
        advance(1)
        if random_store is not None:
            X = {split: random_store.X(layer, units) for split, units in questions.rows.items()}
            other = probe_layer(layer, X, questions, penalties, (), device)
            rows += scorer.against_random(answer, other, random_store)
            advance(1)
    rows += scorer.baselines(penalties, clues or {})
    scores = {layer: answer.dev_score for layer, answer in answers.items()}
    return LayerReport(
        questions=questions,
        answers=answers,
        results=Results(rows),
        best_layer=max(scores, key=lambda layer: scores[layer]),
        resampled_by=scorer.resampled_by,
    )


def unseen_type_share(questions: Questions) -> float:
    """Share of the test units whose form the training split lacks."""
    return float((~questions.known_types[questions.rows["test"]]).mean())
