"""The examination: all clauses of the contract on one model."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from probes.choices import Dtype
from probes.doctor import numbers
from probes.doctor.text import alignment, hard_strings, read_file
from probes.doctor.verdict import Check, Verdict
from probes.encoders import TextEncoder

TEXTS = (
    "yes",
    "The old sailors watched a light on the water.",
    "Unbelievably, nobody answered the unanswerable questions that were asked.",
    "naïve café owners can't re-open it — do they?",
    "12 dishes cost £3.50",
    "Все счастливые семьи похожи друг на друга",
    "老人看着水面上的光",
    "a dog that the children like barks at every passer-by near the station in the morning",
)
"""Short and long, with several kinds of characters; the longest is what most models allow."""


def examine(
    load: numbers.Load,
    dtype: Dtype = "float32",
    *,
    file: str | None = None,
    tell: Callable[[str], None] = lambda name: None,
) -> Verdict:
    """Examine a model.

    Parameters
    ----------
    load : callable
        Gives the encoder that computes in a dtype, perhaps with another attention; is called for
        the one asked, for bfloat16, for eager attention, and for float64 where it has to decide.
    dtype : str
        In which the model will be used.
    file : str, optional
        The user's own texts (`probes.doctor.text.read_file`).
    tell : callable
        Is called with the name of each check, when it is done.

    Returns
    -------
    Verdict
        Of every check.

    Raises
    ------
    InputError
        If the model cannot be loaded, or the file not be read.
    """
    own = None if file is None else read_file(file)
    encoder = load(dtype)
    checks = []
    for check in _checks(encoder, load, own, file or ""):
        checks.append(check)
        tell(check.name)
    return Verdict(encoder.name, encoder.fingerprint, tuple(checks), file or "")


def _checks(
    encoder: TextEncoder,
    load: numbers.Load,
    own: Sequence[str] | None,
    file: str,
) -> Iterator[Check]:
    texts = that_fit(encoder, TEXTS)
    singles = numbers.alone(encoder, texts)
    yield numbers.finite(singles, texts)
    yield numbers.batch_is_single(encoder, texts, singles, load)
    yield numbers.plain_forward(encoder, texts, singles)
    yield numbers.pooled(encoder, texts, singles)
    yield numbers.hidden_states_agree(encoder)
    yield numbers.run_from_own_states(encoder, texts[-1], singles[-1])
    yield numbers.pad_is_eos(encoder, texts, singles)
    yield numbers.left_padding(encoder, texts, singles)
    yield numbers.position_0(encoder, singles)
    yield numbers.deterministic(encoder, texts)
    yield numbers.attention_is_eager(encoder, texts, singles, load)
    yield numbers.dtype_drift(encoder, texts[:4], singles[:4], load)
    yield from alignment(encoder, hard_strings(), "hard strings", own=False)
    if own is not None:
        yield from alignment(encoder, own, Path(file).name, own=True)
    yield _cost(encoder, texts)


def that_fit(encoder: TextEncoder, texts: Sequence[str]) -> list[str]:
    """Keep the texts that a model allows, by their length; at least one letter."""
    if encoder.max_tokens is None:
        return list(texts)
    lengths = encoder.tokenize(texts).lengths
    fitting = [t for t, n in zip(texts, lengths, strict=True) if n <= encoder.max_tokens]
    return fitting or ["a"]


def _cost(encoder: TextEncoder, texts: Sequence[str], seconds: float = 2.0) -> Check:
    """Time whole passes over all layers for a while; only to know."""
    ids, mask = encoder.pad(texts)
    n_tokens, passes, start = int(mask.sum()), 0, time.perf_counter()
    while passes < 2 or time.perf_counter() - start < seconds:
        encoder.states_of(ids, mask, encoder.layers)
        passes += 1
    rate = passes * n_tokens / (time.perf_counter() - start)
    size = sum(encoder.widths.values()) * 4 * 1000 / 1e6
    if encoder.device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(encoder.device) / 2**20
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Check(
        "speed and memory",
        "pass",
        f"{rate:,.0f} sub-tokens/s at all {len(encoder.layers)} layers on {encoder.device}; peak "
        f"{peak:,.0f} MB of this process; vectors of 1,000 words take {size:.1f} MB",
    )
