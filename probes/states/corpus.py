"""A task's corpus as a pass sees it: what decides the vectors, and the batches of a shard.

Here, and nowhere else in this room, texts and images part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import xxhash

from probes.choices import Lost, Pooling, TextPooling, Truncation
from probes.encoders.batches import Batch, Plan
from probes.encoders.image import ImageBatch, ImageEncoder
from probes.encoders.text import TextEncoder
from probes.errors import InputError, unknown
from probes.task import Task

Encoder = TextEncoder | ImageEncoder

CPU_TOKENS, DEVICE_TOKENS = 1024, 16384
CPU_IMAGES, DEVICE_IMAGES = 16, 128


@dataclass(frozen=True)
class Policy:
    """How units are pooled, and what is done with long texts and lost units."""

    pooling: Pooling
    truncation: Truncation
    stride: int | None
    lost: Lost


@dataclass(frozen=True, eq=False)
class Work:
    """The batches of a shard, and the units that get no vector or not the whole of theirs."""

    batches: Sequence[Batch | ImageBatch]
    lost: np.ndarray
    cut: np.ndarray
    counts: dict[str, int]


def require_fit(task: Task, encoder: Encoder) -> None:
    """Refuse pairs of texts, texts for a model of images, and images for one of texts."""
    require_single(task)
    if (task.unit == "image") != (encoder.kind == "image"):
        reads = "images" if encoder.kind == "image" else "text"
        raise InputError(
            f"the task {task.name!r} is of {task.unit}s, and the model {encoder.name!r} reads "
            f"{reads}; give another model, or another task"
        )


def require_single(task: Task) -> None:
    """Refuse a task over pairs of texts: what lies in a store is of one text."""
    if task.unit == "sentence-pair":
        raise InputError(
            f"the task {task.title or task.name!r} is of pairs of texts, and the vectors of a "
            "layer are of one text: train a classifier on it (probes train), or give a task of "
            "one text a unit"
        )


def require_pooling(encoder: Encoder, pooling: Pooling) -> None:
    """Refuse a pooling that a model of this kind does not have."""
    if isinstance(encoder, ImageEncoder):
        encoder.require_pooling(pooling)
    elif pooling not in get_args(TextPooling):
        raise unknown("pooling of a text", pooling, get_args(TextPooling))


def usual_budget(encoder: Encoder) -> int:
    """Give the size of a batch: rows × tokens of texts, a number of images."""
    on_cpu = encoder.device.type == "cpu"
    if encoder.kind == "image":
        return CPU_IMAGES if on_cpu else DEVICE_IMAGES
    return CPU_TOKENS if on_cpu else DEVICE_TOKENS


def key_of(task: Task, encoder: Encoder, policy: Policy, budget: int | None) -> dict[str, str]:
    """Lay out what decides the vectors of a task's units, but for their storage.

    Parameters
    ----------
    task : Task
        Its texts and spans, or the pixels of its images; neither labels, splits, groups nor names.
    encoder : TextEncoder or ImageEncoder
        The model.
    policy : Policy
        Of the pass.
    budget : int or None
        Of a batch, where one is asked for.

    Returns
    -------
    dict of str to str
        By part.
    """
    corpus, units = xxhash.xxh3_128(), xxhash.xxh3_128()
    contents = task.texts if task.images is None else task.images.digests
    for content in contents:
        corpus.update(content.encode("utf-8", "surrogatepass") + b"\x00")
    units.update(np.ascontiguousarray(task.text_index).tobytes())
    if task.images is None:
        units.update(np.ascontiguousarray(task.spans).tobytes())
    key = {
        **encoder.fingerprint,
        "texts" if task.images is None else "images": corpus.hexdigest(),
        "units": units.hexdigest(),
        "pooling": policy.pooling,
    }
    if isinstance(encoder, ImageEncoder):
        return key | {"batches": "one image each" if budget == 1 else "in order"}
    leaves_out = task.unit == "sentence" and encoder.leaves_out_first(policy.pooling)
    return key | {
        "first token of a mean": "left out" if leaves_out else "kept",
        "truncation": policy.truncation,
        "stride": "half a window" if policy.stride is None else str(policy.stride),
        "longest text": str(encoder.max_tokens),
        "batches": "one text each" if budget == 1 else "by length",
    }


def work_of(
    task: Task, encoder: Encoder, start: int, end: int, policy: Policy, budget: int
) -> Work:
    """Lay out the forward passes over a run of units.

    Parameters
    ----------
    task, encoder, policy
        As `key_of`.
    start, end : int
        The units of a shard.
    budget : int
        Of a batch.

    Returns
    -------
    Work
        A function of its arguments alone.

    Raises
    ------
    InputError
        If a text is too long, or the pooling is not one of the model's.
    """
    index = task.text_index[start:end]
    first = int(index[0])
    if isinstance(encoder, ImageEncoder):
        assert task.images is not None  # as `require_fit` found
        images = task.images.at(index)
        batches = encoder.plan(images, pooling=policy.pooling, budget=budget)  # type: ignore[arg-type]
        none = np.zeros(0, dtype=np.int64)
        return Work(batches, none, none, _counts())
    plan: Plan = encoder.plan(
        task.texts[first : int(index[-1]) + 1],
        index - first,
        task.spans[start:end],
        pooling=policy.pooling,
        whole=task.unit == "sentence",
        truncation=policy.truncation,
        stride=policy.stride,
        budget=budget,
        first_text=first,
    )
    counts = _counts(plan.n_truncated, plan.n_windowed, plan.n_mended)
    return Work(plan.batches, plan.lost, plan.cut, counts)


def _counts(n_truncated: int = 0, n_windowed: int = 0, n_mended: int = 0) -> dict[str, int]:
    return {
        "n_truncated": int(n_truncated),
        "n_windowed": int(n_windowed),
        "n_mended": int(n_mended),
    }
