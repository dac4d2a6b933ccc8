"""Extraction: `extract` against a plain Hugging Face loop, and against the bare forward passes."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from probes.encoders import TextEncoder
from probes.encoders.batches import Batch
from probes.states import ActivationStore, extract
from probes.task import Task
from tests.benchmarks import memory
from tests.benchmarks.load import Elsewhere

Vectors = npt.NDArray[np.float32]
ROWS = 32
AGREEMENT = 1e-5
EXPLANATION = """\
extract: the whole call. Tokenises, aligns words, sorts by length within a shard, runs batches of
  at most 1,024 tokens (one single-threaded batch a core), takes the first sub-token of each word
  at all layers, checks that vectors are finite, writes float32 files with fsync and digests.
plain loop: batches of 32 sentences in corpus order. Tokenises (is_split_into_words, padded to the
  batch's longest), runs the model with output_hidden_states (torch's default threads), takes the
  first sub-token of each word at all layers, keeps them in memory. Writes nothing.
bare forward: the batches of extract, made before the clock starts, through the model with
  output_hidden_states (torch's default threads). No tokenisation, no pooling, no disk.
bare forward, a batch a core: the same, single-threaded, as many batches at once as extract runs."""


def run(task: Task, model: str, folder: Path, pairs: int = 5) -> None:
    """Time the four ways in turn, check that vectors agree, and print ratios and memory.

    Parameters
    ----------
    task : Task
        Of words.
    model : str
        Folder of a model.
    folder : Path
        Where stores go, on the disk that is to be measured.
    pairs : int
        How often each is timed.
    """
    print(f"\n== extraction: {task.n_units:,} words of {len(task.texts):,} sentences, {model}")
    print(EXPLANATION, flush=True)
    disable_progress_bar()
    encoder = TextEncoder.from_pretrained(model)
    plain = PlainLoop(model)
    sentences = words_of(task)
    store = _extract(task, encoder, folder / "first")
    batches = plan(task, encoder, store)
    ways: dict[str, Callable[[Path], object]] = {
        "extract": lambda place: _extract(task, encoder, place),
        "plain loop": lambda place: plain(sentences),
        "bare forward": lambda place: bare(plain.model, batches),
        "bare forward, a batch a core": lambda place: bare(plain.model, batches, n_cores),
    }
    n_cores = torch.get_num_threads()
    bare(plain.model, batches[-8:])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    elsewhere = Elsewhere()
    for k in range(pairs):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            for name, way in ways.items():
                start = time.perf_counter()
                answer = way(Path(place))
                seconds[name].append(time.perf_counter() - start)
                if k == 0 and name == "plain loop":
                    _require_agreement(store, answer)
        row = ", ".join(f"{name} {times[-1]:.2f}" for name, times in seconds.items())
        print(f"round {k + 1}, seconds: {row}", flush=True)
    elsewhere.show()
    _show(seconds, task.n_units, store.layout.budget)
    _show_padding(sentences, batches, encoder)
    print("peak memory, each in a process of its own:")
    rows = {
        name: memory.peak(prepare, task, model, str(folder / "memory"))
        for name, prepare in (("extract", prepare_extract), ("plain loop", prepare_plain))
    }
    memory.show(rows)


class PlainLoop:
    """What one writes without a library."""

    def __init__(self, model: str) -> None:
        disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.model = AutoModel.from_pretrained(model).eval()

    def __call__(self, sentences: Sequence[Sequence[str]]) -> list[Vectors]:
        """Encode words; one array a layer."""
        kept: list[list[Vectors]] = []
        for start in range(0, len(sentences), ROWS):
            inputs = self.tokenizer(
                list(sentences[start : start + ROWS]),
                is_split_into_words=True,
                padding=True,
                truncation=True,
                max_length=512,
                return_tensors="pt",
            )
            rows, columns = [], []
            for row in range(len(inputs["input_ids"])):
                seen = None
                for column, word in enumerate(inputs.word_ids(row)):
                    if word is not None and word != seen:
                        rows.append(row)
                        columns.append(column)
                    seen = word
            with torch.no_grad():
                states = self.model(**inputs, output_hidden_states=True).hidden_states
            kept.append([state[rows, columns].numpy() for state in states])
        return [np.concatenate(parts) for parts in zip(*kept, strict=True)]


def bare(model: Any, batches: Sequence[Batch], n_threads: int | None = None) -> None:
    """Run the batches and drop what comes out.

    Parameters
    ----------
    model : torch.nn.Module
        Of transformers.
    batches : sequence of Batch
        In this order.
    n_threads : int, optional
        So many batches at once, on one thread each; by default one, on torch's default threads.
    """

    def forward(batch: Batch) -> None:
        with torch.inference_mode():
            model(
                input_ids=batch.input_ids,
                attention_mask=batch.attention_mask,
                output_hidden_states=True,
            )

    if n_threads is None:
        for batch in batches:
            forward(batch)
        return
    pool = ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with pool:
            list(pool.map(forward, batches))
    finally:
        torch.set_num_threads(n_threads)


def plan(task: Task, encoder: TextEncoder, store: ActivationStore) -> list[Batch]:
    """Make the batches that `extract` runs."""
    batches: list[Batch] = []
    for start, end in store.layout.shards:
        index = task.text_index[start:end]
        first = int(index[0])
        shard = encoder.plan(
            task.texts[first : int(index[-1]) + 1],
            index - first,
            task.spans[start:end],
            pooling="first",
            budget=store.layout.budget,
            first_text=first,
        )
        batches.extend(shard.batches)
    return batches


def words_of(task: Task) -> list[list[str]]:
    """Give the words of each text."""
    sentences: list[list[str]] = [[] for _ in task.texts]
    for text, surface in zip(task.text_index.tolist(), task.surfaces, strict=True):
        sentences[text].append(surface)
    return sentences


def prepare_extract(task: Task, model: str, folder: str) -> Callable[[], object]:
    """Load what `extract` needs, and run it once on a little."""
    disable_progress_bar()
    encoder = TextEncoder.from_pretrained(model)
    encoder.hidden_states(task.texts[:8], encoder.layers)
    return lambda: _extract(task, encoder, Path(folder))


def prepare_plain(task: Task, model: str, folder: str) -> Callable[[], object]:
    """Load what the plain loop needs, and run it once on a little."""
    loop, sentences = PlainLoop(model), words_of(task)
    loop(sentences[:8])
    return lambda: loop(sentences)


def _extract(task: Task, encoder: TextEncoder, folder: Path) -> ActivationStore:
    return extract(task, encoder, str(folder), pooling="first")


def _require_agreement(store: ActivationStore, answer: Any) -> None:
    worst = 0.0
    for layer, theirs in enumerate(answer):
        ours = store.X(layer)
        if ours.shape != theirs.shape:
            raise SystemExit(f"layer {layer}: {ours.shape} here, {theirs.shape} in the plain loop")
        norms = np.linalg.norm(theirs, axis=1)
        worst = max(worst, float((np.linalg.norm(ours - theirs, axis=1) / norms).max()))
    print(f"vectors of extract and the plain loop differ by at most {worst:.1e} of their norm")
    if not worst <= AGREEMENT:
        raise SystemExit(f"expected at most {AGREEMENT:g}: one of the two is wrong")


def _show(seconds: dict[str, list[float]], n_units: int, budget: int) -> None:
    ours = seconds["extract"]
    print(f"{len(ours)} rounds, all four in turn; batches of {budget} tokens; medians:")
    for name, theirs in seconds.items():
        middle = statistics.median(theirs)
        line = f"  {name:29} {middle:6.2f} s {n_units / middle:8,.0f} words/s"
        if theirs is not ours:
            ratios = sorted(b / a for a, b in zip(ours, theirs, strict=True))
            line += (
                f"   extract is {statistics.median(ratios):.2f} × as fast "
                f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )
        print(line)
    print("aims: at least 2.5 × the plain loop, at least 0.90 × the bare forward", flush=True)


def _show_padding(
    sentences: Sequence[Sequence[str]], batches: Sequence[Batch], encoder: TextEncoder
) -> None:
    lengths = encoder.tokenize([" ".join(words) for words in sentences]).lengths
    blocks = [lengths[k : k + ROWS] for k in range(0, len(lengths), ROWS)]
    places = sum(int(block.max()) * len(block) for block in blocks)
    used = sum(int(batch.attention_mask.sum()) for batch in batches)
    size = sum(batch.attention_mask.numel() for batch in batches)
    print(
        f"useful positions: {used / size:.1%} of {size:,} in the batches of extract, "
        f"{lengths.sum() / places:.1%} of {places:,} in the plain loop"
    )
