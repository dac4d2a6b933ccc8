"""The examination: all clauses of the contract on one model."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from probes.choices import Dtype
from probes.doctor import measure, numbers, padding, units
from probes.doctor.text import alignment, hard_strings, read_file
from probes.doctor.verdict import Check, Verdict, gathered
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
"""Short and longer, with several kinds of characters; one as long as the model allows, up to
`LONGEST` sub-tokens, is put to them."""

LONGEST = 160


def examine(
    load: measure.Load[TextEncoder],
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
    checks = gathered(_checks(encoder, load, own, file or ""), tell)
    return Verdict(encoder.name, encoder.fingerprint, checks, file or "", encoder.max_tokens)


def _checks(
    encoder: TextEncoder,
    load: measure.Load[TextEncoder],
    own: Sequence[str] | None,
    file: str,
) -> Iterator[Check]:
    texts = that_fit(encoder, (*TEXTS, _long(encoder)))
    lengths = sorted(set(encoder.tokenize(texts).lengths.tolist()))
    if len(lengths) < 3:
        yield Check(
            "texts",
            "warn",
            f"at most {encoder.max_tokens} sub-tokens leave texts of {len(lengths)} lengths only: "
            "padding was hardly examined",
            None,
            "examine the model without --max-tokens",
        )
    singles = measure.alone(encoder, texts)
    yield numbers.finite(singles, texts)
    batch = numbers.batch_is_single(encoder, texts, singles, load)
    yield batch
    yield numbers.plain_forward(encoder, texts, singles)
    yield units.pooled(encoder, texts)
    yield units.windowed(encoder, texts[-1])
    yield numbers.hidden_states_agree(encoder)
    yield numbers.run_from_own_states(encoder, texts[-1], singles[-1])
    yield padding.pad_is_eos(encoder, texts)
    yield padding.left_padding(encoder, texts, singles, batch.value or 0.0)
    yield numbers.position_0(encoder, singles)
    yield numbers.deterministic(encoder, texts)
    yield numbers.attention_is_eager(encoder, texts, singles, load)
    yield numbers.dtype_drift(encoder, texts[:4], singles[:4], load)
    yield from alignment(encoder, hard_strings(), "hard strings", own=False)
    if own is not None:
        yield from alignment(encoder, own, Path(file).name, own=True)
    yield _cost(encoder, texts)


def that_fit(encoder: TextEncoder, texts: Sequence[str]) -> list[str]:
    """Keep of each text the first words that the model allows, and each text once."""
    if encoder.max_tokens is None:
        return list(texts)
    fitting = []
    for text in texts:
        words = text.split(" ")
        while words and encoder.tokenize([" ".join(words)]).lengths[0] > encoder.max_tokens:
            words.pop()
        fitting += [" ".join(words)] if words else []
    return list(dict.fromkeys(fitting)) or ["a"]


def _long(encoder: TextEncoder) -> str:
    """Make a text that fills the longest row that the model allows, or `LONGEST` sub-tokens."""
    words = [word for text in TEXTS[1:4] for word in text.split(" ")]
    n = len(words)
    while encoder.tokenize([" ".join(words)]).lengths[0] < LONGEST:
        words += words[:n]
    while encoder.tokenize([" ".join(words)]).lengths[0] > LONGEST:
        words.pop()
    return " ".join(words)


def _cost(encoder: TextEncoder, texts: Sequence[str], seconds: float = 2.0) -> Check:
    """Time whole passes over all layers for a while; only to know."""
    ids, mask = encoder.pad(texts)
    if encoder.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(encoder.device)
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
        f"{rate:,.0f} sub-tokens/s at all {len(encoder.layers)} layers on {encoder.device}; this "
        f"examination took {peak:,.0f} MB at its peak; vectors of 1,000 words take {size:.1f} MB",
    )
