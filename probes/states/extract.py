"""The pass over a corpus that fills an activation store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import filelock
import numpy as np
import torch
from torch import Tensor

from probes.choices import Lost, Pooling, StoreDtype, Truncation
from probes.cores import each_core
from probes.encoders.batches import Batch
from probes.encoders.image import ImageBatch
from probes.errors import EnvironmentFailure, InputError
from probes.states.corpus import (
    Encoder,
    Policy,
    Work,
    key_of,
    require_fit,
    require_pooling,
    usual_budget,
    work_of,
)
from probes.states.layout import Layout, cut_shards
from probes.states.store import ActivationStore, nearest, place, require_space
from probes.states.world import World, alone
from probes.task import Task


def nullstage(n_units: int) -> AbstractContextManager[Callable[[int], None]]:
    """Show nothing of a pass."""
    return nullcontext(lambda n: None)


def extract(
    task: Task,
    encoder: Encoder,
    root: str,
    *,
    layers: Sequence[str] | None = None,
    pooling: Pooling | None = None,
    truncation: Truncation = "error",
    stride: int | None = None,
    lost: Lost = "error",
    dtype: StoreDtype = "float32",
    budget: int | None = None,
    deterministic: bool = False,
    world: World | None = None,
    stage: Callable[[int], AbstractContextManager[Callable[[int], None]]] = nullstage,
    say: Callable[[str], None] = lambda line: None,
) -> ActivationStore:
    """Encode a task's corpus once, or finish what an earlier run began.

    Parameters
    ----------
    task : Task
        Its texts and units, or images; labels, splits and groups do not enter.
    encoder : TextEncoder or ImageEncoder
        The model.
    root : str
        Folder of activation stores.
    layers : sequence of str, optional
        Some of ``encoder.layers``; all by default. Blocks above the highest are not computed.
    pooling : {"first", "last", "mean", "max", "cls", "patch"}, optional
        From sub-tokens to a unit: by default the mean, for causal models the last. From positions
        to an image: ``"patch"`` by default, or ``"cls"`` or ``"mean"``, as `ImageEncoder.run`.
    truncation : {"error", "window", "truncate"}
        What to do with a text that is longer than the model allows.
    stride : int, optional
        By how many sub-tokens a window stands after the one before it; by default half a window.
    lost : {"error", "skip"}
        What to do with a unit that no sub-token covers: refuse it, or leave it out, counted.
    dtype : {"float32", "float16"}
        Of the files.
    budget : int, optional
        Rows × tokens of a batch: by default 1,024 on a CPU, 16,384 elsewhere. Of images their
        number: 16, and 128.
    deterministic : bool
        Whether each text or image is a batch of its own, so that no other enters its vectors, not
        even by rounding. Takes longer. Models whose rotary embeddings change with the length of a
        batch are always read so.
    world : World, optional
        The processes that share the pass, each taking whole shards; this one alone by default.
    stage : callable
        Is called with the number of units that this process has to encode, where there are any;
        gives a context with a function that takes how many were answered since its last call.
    say : callable
        Is called with a line where this corpus is stored under another key only: it names the
        parts that differ.

    Returns
    -------
    ActivationStore
        With at least these layers.

    Raises
    ------
    InputError
        If a text is too long, a unit is not covered, or a vector is not finite.
    EnvironmentFailure
        If the disk has no room, or another run is filling the same store.

    Notes
    -----
    Shards are runs of the corpus and batches are a function of their shard, so the bytes of the
    store depend neither on the number of processes nor on where an earlier run stopped.
    """
    require_fit(task, encoder)
    world = alone(encoder.device) if world is None else world
    layers = encoder.layers if layers is None else tuple(layers)
    pooling = default_pooling(encoder) if pooling is None else pooling
    require_pooling(encoder, pooling)
    policy = Policy(pooling, truncation, stride if truncation == "window" else None, lost)
    if stride is not None and stride < 1:
        raise InputError(f"--stride {stride}: expected 1 or more")
    alone_each = deterministic or encoder.depends_on_length
    layout = _layout(task, encoder, policy, dtype, 1 if alone_each else budget)
    if world.is_first and (parts := nearest(root, layout)):
        rest = f", and {len(parts) - 3} more" if len(parts) > 3 else ""
        said = f"{', another '.join(parts[:3])}{rest}"
        say(f"encoding anew: this corpus is stored here with another {said}")
    with _prepared(root, layout, layers, world) as (store, missing):
        mine = missing[world.rank :: world.size]
        if mine:
            n_units = sum(end - start for start, end in (store.layout.shards[k] for k in mine))
            with stage(n_units) as advance:
                _Pass(task, encoder, store, layers, policy, advance).run(mine)
        world.wait()
    _require_units(task, store, lost)
    return store


def default_pooling(encoder: Encoder) -> Pooling:
    """Pool by the mean, and by the last sub-token where it alone has seen the whole unit.

    Images by the mean over their patches.
    """
    return encoder.default_pooling


def _layout(
    task: Task,
    encoder: Encoder,
    policy: Policy,
    dtype: StoreDtype,
    budget: int | None,
) -> Layout:
    per_unit = task.spans.shape[1] // 2
    widths = {name: width * per_unit for name, width in encoder.widths.items()}
    key = {**key_of(task, encoder, policy, budget), "stored as": dtype}
    size = np.dtype(dtype).itemsize
    return Layout(
        key=key,
        n_units=task.n_units,
        widths=widths,
        shards=cut_shards(task.text_index, size * sum(widths.values())),
        dtype=dtype,
        budget=budget or usual_budget(encoder),
        names={
            "model": encoder.name,
            "revision": encoder.revision,
            "task": task.title or task.name,
            "unit": task.unit,
        },
    )


@contextmanager
def _prepared(
    root: str, layout: Layout, layers: Sequence[str], world: World
) -> Iterator[tuple[ActivationStore, list[int]]]:
    """Give the store and the shards that it lacks, and hold its lock while any process writes."""
    lock = None
    if world.is_first:
        folder = place(root, layout)
        is_there = (folder / "manifest.json").exists()
        if not is_there or _missing(ActivationStore.open(folder), layers):
            Path(root).mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"))
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise EnvironmentFailure(
                    f"another run is filling the store {folder}; wait for it, or choose "
                    "another place (--store)"
                ) from None
        store = ActivationStore.prepare(root, layout)
        if lock is not None:
            store.clean()
            require_space(root, store.n_bytes_missing(layers))
    try:
        world.wait()
        store = ActivationStore.prepare(root, layout)
        missing = _missing(store, layers)
        world.wait()  # all have looked, before any writes
        yield store, missing
    finally:
        if lock is not None:
            lock.release()


def _missing(store: ActivationStore, layers: Sequence[str]) -> list[int]:
    return [k for k in range(len(store.layout.shards)) if store.missing(k, layers)]


class _Pass:
    """One process's share of the pass: batches on one side, files on the other."""

    def __init__(
        self,
        task: Task,
        encoder: Encoder,
        store: ActivationStore,
        layers: Sequence[str],
        policy: Policy,
        advance: Callable[[int], None],
    ) -> None:
        self._task = task
        self._encoder = encoder
        self._store = store
        self._layers = layers
        self._policy = policy
        self._advance = advance

    def run(self, shards: Sequence[int]) -> None:
        """Fill the shards, writing each while the next is computed.

        On a CPU, each core computes batches of its own (`each_core`).
        """
        computing: deque[_Shard] = deque()
        writing: deque[Future[None]] = deque()
        with each_core(self._encoder.device) as workers, ThreadPoolExecutor(1) as writer:
            for number in shards:
                computing.append(self._start(number, workers))
                if len(computing) > 1:
                    self._finish(computing.popleft(), writer, writing)
            self._finish(computing.popleft(), writer, writing)
            while writing:
                writing.popleft().result()

    def _start(self, number: int, workers: ThreadPoolExecutor) -> _Shard:
        start, end = self._store.layout.shards[number]
        budget = self._store.layout.budget
        plan = work_of(self._task, self._encoder, start, end, self._policy, budget)
        if self._policy.lost == "error":
            uncovered = np.setdiff1d(plan.lost, plan.cut)
            if len(uncovered):
                raise _uncovered(self._task, start + int(uncovered[0]), len(uncovered))
        layers = self._store.missing(number, self._layers)
        dtype = getattr(torch, self._store.layout.dtype)
        vectors = {
            name: torch.empty((end - start, self._store.layout.widths[name]), dtype=dtype)
            for name in layers
        }
        for array in vectors.values():
            array[torch.from_numpy(plan.lost)] = torch.nan
        shard = _Shard(number, start, plan, vectors, [])
        shard.futures.extend(workers.submit(self._compute, shard, b) for b in plan.batches)
        return shard

    def _compute(self, shard: _Shard, batch: Batch | ImageBatch) -> int:
        def keep(layer: str, vectors: Tensor) -> None:
            wanted = shard.vectors.get(layer)
            if wanted is None:
                return
            narrow = vectors.to(wanted.dtype).cpu()
            if not torch.isfinite(narrow.sum(dtype=torch.float64)):
                self._require_finite(layer, vectors, narrow, batch, shard.start)
            wanted[batch.units] = narrow

        run: Callable[..., None] = self._encoder.run  # of the kind that planned the batch
        run(batch, tuple(shard.vectors), self._policy.pooling, keep)
        return len(batch.units)

    def _require_finite(
        self, layer: str, vectors: Tensor, narrow: Tensor, batch: Batch | ImageBatch, start: int
    ) -> None:
        bad = torch.nonzero(~torch.isfinite(narrow).all(dim=1)).flatten()
        if not len(bad):
            return
        unit = start + int(batch.units[bad[0]])
        overflow = bool(torch.isfinite(vectors[bad[0].to(vectors.device)]).all())
        raise InputError(
            f"layer {layer}, {_kind(self._task)} {self._task.text_index[unit]} "
            f"({_shown(self._task, unit)}): the vector of a unit "
            + (
                f"does not fit into {self._store.layout.dtype}; choose --store-dtype float32"
                if overflow
                else "holds NaN or infinity; choose --dtype float32, or check the model's weights"
            )
        )

    def _finish(
        self, shard: _Shard, writer: ThreadPoolExecutor, writing: deque[Future[None]]
    ) -> None:
        for future in shard.futures:
            self._advance(future.result())
        self._advance(len(shard.plan.lost))
        while len(writing) > 1:
            writing.popleft().result()
        writing.append(writer.submit(self._write, shard))

    def _write(self, shard: _Shard) -> None:
        self._store.write(
            shard.number,
            {name: array.numpy() for name, array in shard.vectors.items()},
            lost=(shard.plan.lost + shard.start).tolist(),
            cut=(shard.plan.cut + shard.start).tolist(),
            counts=shard.plan.counts,
        )


class _Shard:
    """A shard in the making."""

    def __init__(
        self,
        number: int,
        start: int,
        plan: Work,
        vectors: dict[str, Tensor],
        futures: list[Future[int]],
    ) -> None:
        self.number = number
        self.start = start
        self.plan = plan
        self.vectors = vectors
        self.futures = futures


def _require_units(task: Task, store: ActivationStore, lost: Lost) -> None:
    uncovered = np.setdiff1d(store.lost, store.cut)
    if lost == "error" and len(uncovered):
        raise _uncovered(task, int(uncovered[0]), len(uncovered))


def _uncovered(task: Task, unit: int, n: int) -> InputError:
    more = f" (and {n - 1} more)" if n > 1 else ""
    return InputError(
        f"no sub-token covers the {task.unit} {task.surfaces[unit]!r} of text "
        f"{task.text_index[unit]} ({_shown(task, unit)}){more}: an empty string, or characters "
        "that the tokenizer drops; mend the data, or leave such units out with --lost skip"
    )


def _shown(task: Task, unit: int) -> str:
    text = task.texts[int(task.text_index[unit])]
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _kind(task: Task) -> str:
    return "text" if task.images is None else "image"
