"""Adapting: fine-tuning against a bare PyTorch loop, a path of penalties against scikit-learn's.

MiniLM on CoLA's in-domain sentences. The bare loop does the same steps: the same batches, tokenised
by transformers, AdamW as transformers users write it (clipping, cosine), nothing else; the two take
turns. The sweep is Kumar et al.'s: scikit-learn, warm-started, 50 penalties from the strongest on,
200 iterations each, at its own tolerance and at a tenth of it; its objectives are compared with
ours, of which each is within 1e-4 of the optimum: acceptability (2 classes) and the publication
that a sentence is from (17).
"""

from __future__ import annotations

import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from sklearn.linear_model import LogisticRegression

from probes.encoders.text_features import TextFeatures
from probes.registry import load_task
from probes.transfer.classifier import Classifier
from probes.transfer.examples import LabelledItems, class_names, labelled
from probes.transfer.groups import trained_groups
from probes.transfer.linear import CS, _fit
from probes.transfer.processes import Processes
from probes.transfer.schedule import batches_of, rate_at
from probes.transfer.settings import FinetuneConfig
from probes.transfer.stepping import Stepper

BATCH = 16
RATE = 3e-5
ITERATIONS = 200


def run(folder: Path, model: str, quick: bool) -> None:
    """Measure both, and print."""
    task = load_task("glue", path=str(folder))
    classes = class_names(task)
    made = Classifier.from_features(TextFeatures.from_pretrained(model), classes, seed=0)
    train = labelled(task, "train", classes)
    _steps(made, train, model, n=4 if quick else 20, rounds=3 if quick else 7)
    X, _ = made.feature_matrix(train.items[: 1500 if quick else None])
    tols = (1e-4,) if quick else (1e-4, 1e-5)
    _path("acceptability", X, train.labels[: len(X)], tols)
    sources = [line.split("\t")[0] for line in _lines(folder / "in_domain_train.tsv")]
    by_text = dict(zip(_texts(folder / "in_domain_train.tsv"), sources, strict=True))
    of = [by_text[text] for text in train.names[: len(X)]]
    _path("source", X, np.unique(of, return_inverse=True)[1], tols)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _texts(path: Path) -> list[str]:
    return [line.split("\t")[3] for line in _lines(path)]


class _Bare:
    """A loop as one writes it: tokenise, forward, backward, clip, step."""

    def __init__(self, model: str, made: Classifier, n_steps: int) -> None:
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(model)
        self._model = transformers.AutoModel.from_pretrained(model, add_pooling_layer=False).train()
        self._head = torch.nn.Linear(made.features.width, len(made.classes))
        self._head.load_state_dict(made.head.state_dict())
        self._parameters = [*self._model.parameters(), *self._head.parameters()]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=RATE, weight_decay=0.0, fused=True)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda k: rate_at(k, n_steps, 0.0)
        )

    def step(self, data: LabelledItems, rows: np.ndarray) -> float:
        batch = self._tokenizer(
            [data.items[k] for k in rows],
            padding=True,
            return_tensors="pt",
            return_token_type_ids=False,
        )
        hidden = self._model(**batch).last_hidden_state
        mask = batch["attention_mask"].clone()
        mask[:, 0] = 0
        mask[torch.arange(len(rows)), batch["attention_mask"].sum(1) - 1] = 0
        feature = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        y = torch.from_numpy(data.labels[rows])
        loss = torch.nn.functional.cross_entropy(self._head(feature), y)
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        self._schedule.step()
        return loss.item()


def _steps(made: Classifier, train: LabelledItems, model: str, n: int, rounds: int) -> None:
    print(f"\n== fine-tuning: {n} steps of {BATCH} sentences, {rounds} rounds, in turn")
    config = FinetuneConfig(lr=RATE, batch_size=BATCH)
    new, total = made.copy(), n * (rounds + 1)
    stepper = Stepper(new, trained_groups(new, config.change), config, total, Processes.join())
    bare = _Bare(model, made, total)
    batches = batches_of(len(train), BATCH, 0, 0)
    ours, theirs, apart = [], [], []
    for k in range(rounds + 1):
        own = range(k * n, (k + 1) * n)
        start = time.perf_counter()
        a = [stepper.step(train, batches[j], j) for j in own]
        middle = time.perf_counter()
        b = [bare.step(train, batches[j]) for j in own]
        if k:  # the first round warms up
            ours.append(middle - start)
            theirs.append(time.perf_counter() - middle)
        apart += [abs(x - y) for x, y in zip(a, b, strict=True)]
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    print(
        f"ours {statistics.median(ours) / n:.3f} s a step, "
        f"bare {statistics.median(theirs) / n:.3f}; "
        f"throughput {statistics.median(ratios):.3f} of bare ({min(ratios):.3f} to "
        f"{max(ratios):.3f}); losses {statistics.mean(apart):.3f} apart in the mean (dropout)"
    )
    print("bound: 0.95", flush=True)


def _path(title: str, X: np.ndarray, y: np.ndarray, tols: tuple[float, ...]) -> None:
    print(
        f"\n== linear probing: {len(CS)} penalties on cached features of {len(X):,} sentences, "
        f"{title} ({y.max() + 1} classes)"
    )
    start = time.perf_counter()
    _, objectives, _ = _fit(torch.from_numpy(X), y, CS, 1e-4)
    ours = time.perf_counter() - start
    for tol in tols:
        sweep, heads, n_late = _sweep(X, y, tol)
        Z = (X - X.mean()) / X.std()
        worse = [
            _objective(Z, y, w, b, C) / own - 1
            for (w, b), C, own in zip(heads, CS, objectives, strict=True)
        ]
        print(
            f"ours {ours:.2f} s, scikit-learn (tol {tol:g}) {sweep:.2f} s: "
            f"{sweep / ours:.1f} times as fast; its objectives lie {min(worse):+.1e} to "
            f"{max(worse):+.1e} of ours ({n_late} of {len(CS)} stopped at {ITERATIONS} iterations)"
        )
    print("bound: 8, aim 20", flush=True)


def _sweep(X: np.ndarray, y: np.ndarray, tol: float) -> tuple[float, list, int]:
    start = time.perf_counter()
    Z = (X - X.mean()) / X.std()
    model = LogisticRegression(warm_start=True, max_iter=ITERATIONS, tol=tol)
    heads, n_late = [], 0
    for C in CS:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.set_params(C=C).fit(Z, y)
        n_late += bool(caught)
        heads.append((model.coef_.copy(), model.intercept_.copy()))
    return time.perf_counter() - start, heads, n_late


def _objective(Z: np.ndarray, y: np.ndarray, w: np.ndarray, b: np.ndarray, C: float) -> float:
    z = Z.astype(np.float64) @ w.T.astype(np.float64) + b
    if len(w) == 1:
        z = np.hstack([np.zeros_like(z), z])
    z -= z.max(1, keepdims=True)
    losses = np.log(np.exp(z).sum(1)) - z[np.arange(len(y)), y]
    return float(losses.mean() + (w.astype(np.float64) ** 2).sum() / (2 * C * len(y)))
