"""The clauses about numbers: one model, several ways to the same vectors."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from probes.doctor.measure import (
    EXACT,
    SINK,
    TOLERANCE,
    Encoder,
    Load,
    States,
    against,
    alone,
    each,
    farthest,
    limit_of,
    shown,
)
from probes.doctor.verdict import Check, Outcome
from probes.encoders import TextEncoder
from probes.encoders.choose import number_of_layers
from probes.errors import InputError


def batch_is_single(
    encoder: Encoder,
    texts: Sequence[Any],
    singles: Sequence[States],
    load: Load[Encoder],
) -> Check:
    """Several texts in one padded batch, against each text alone; float64 decides a quarrel."""
    name = "batch = single"
    batch = encoder.hidden_states(texts, encoder.layers)
    worst, where, complaint = against(singles, batch, [0] * len(texts), "a batch")
    if worst <= limit_of(encoder):
        return Check(name, "pass", f"largest difference {shown(worst)} of a vector", worst)
    if worst < float("inf") and encoder.dtype == "float32":
        exact = load("float64")
        exact_singles = alone(exact, texts)
        exact_batch = exact.hidden_states(texts, exact.layers)
        quarrel = against(exact_singles, exact_batch, [0] * len(texts), "")[0]
        single_error = farthest(each(exact_singles, singles))[0]
        del exact
        gc.collect()  # hooks tie a model to its reader in a circle
        batch_error = against(exact_singles, batch, [0] * len(texts), "")[0]
        if quarrel <= EXACT and batch_error <= 4 * single_error:
            return Check(
                name,
                "pass",
                f"{shown(worst)} at layer {where}, and float64 shows it to be rounding: there the "
                f"difference is {shown(quarrel)}, and float32 is off by {shown(single_error)} alone"
                f", by {shown(batch_error)} in a batch",
                worst,
            )
    return Check(
        name,
        "fail",
        complaint,
        worst,
        "use --deterministic (nothing else in a batch)"
        + ("" if encoder.dtype == "float64" else ", or --dtype float32")
        + ", and report it: the model lets a unit's neighbours into its vectors",
    )


def plain_forward(encoder: TextEncoder, texts: Sequence[str], singles: Sequence[States]) -> Check:
    """Each layer against the blocks' own inputs in a plain forward pass, by hooks set here."""
    hooked = [_by_hooks(encoder, text) for text in texts]
    worst, where = farthest(each(hooked, singles))
    if worst <= TOLERANCE:
        said = f"every layer is its block's input: largest difference {shown(worst)}"
        return Check("layers = plain forward", "pass", said, worst)
    return Check(
        "layers = plain forward",
        "fail",
        f"layer {where} differs by {shown(worst)} from what its block receives",
        worst,
        "do not use these vectors, and report the model's family",
    )


def _by_hooks(encoder: TextEncoder, text: str) -> States:
    """Record what enters each block and leaves the last, and the last hidden state."""
    seen: dict[str, list[Tensor]] = {}
    handles = []
    for prefix, blocks in encoder.blocks().items():

        def enter(module: Any, args: Any, kwargs: Any, prefix: str = prefix) -> None:
            values = (kwargs.get("hidden_states"), *args, *kwargs.values())
            state = next(
                v for v in values if isinstance(v, Tensor) and v.is_floating_point() and v.ndim == 3
            )
            seen.setdefault(prefix, []).append(state.clone())

        def leave(module: Any, args: Any, output: Any, prefix: str = prefix) -> None:
            state = output if isinstance(output, Tensor) else output[0]
            seen[f"{prefix}top"] = [state.clone()]

        for block in blocks:
            handles.append(block.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(block.register_forward_hook(leave))
    try:
        with torch.inference_mode():
            output = encoder.model(**encoder.inputs(*encoder.pad([text])))
    finally:
        for handle in handles:
            handle.remove()
    layers: States = {}
    for prefix in encoder.blocks():
        layers |= {f"{prefix}{k}": state for k, state in enumerate(seen[prefix])}
        layers[f"{prefix}{len(seen[prefix])}"] = seen[f"{prefix}top"][0]
    for final in (name for name in encoder.layers if name.endswith("final")):
        is_encoder = final == "encoder.final"
        layers[final] = output.encoder_last_hidden_state if is_encoder else output.last_hidden_state
    return layers


def hidden_states_agree(encoder: Encoder) -> Check:
    """What the model calls `hidden_states`, against the layers; only to know."""
    parts, differ = [], False
    for key, found in encoder.semantics.items():
        if key.endswith("hidden_states_differ_at"):
            prefix = key.removesuffix("hidden_states_differ_at")
            own = [name.removeprefix(prefix) for name in encoder.layers if name.startswith(prefix)]
            top = number_of_layers(own)
            inner = [k for k in found if k < top] if isinstance(found, list) else []
            differ |= bool(inner) or isinstance(found, str)
            prefix = prefix.replace(".", " ")
            parts.append(
                f"{prefix}{found}"
                if isinstance(found, str)
                else f"{prefix}the same at every layer"
                if not found
                else f"{prefix}others at {', '.join(map(str, found))}"
                + (" (the last is `final`)" if found == [top] else "")
            )
    return Check(
        "hidden_states",
        "warn" if differ else "pass",
        "the model's own hidden_states against its blocks: " + "; ".join(parts),
        None,
        "layers here are the blocks' inputs; do not compare them by number with hidden_states "
        "read elsewhere"
        if differ
        else "",
    )


def run_from_own_states(encoder: Encoder, text: Any, single: States) -> Check:
    """The model's own states, put in at each layer, give its own output bit for bit."""
    tops = [name for name in encoder.layers if not name.startswith("encoder.")]
    wrong = [
        layer
        for layer in encoder.layers
        if not torch.equal(encoder.run_from(layer, single[layer], [text]), single[tops[-1]])
    ]
    if not wrong:
        return Check("run from a layer", "pass", "own states give the own output, bit for bit", 0.0)
    return Check(
        "run from a layer",
        "fail",
        f"other output from layers {', '.join(wrong)}",
        float("inf"),
        "what happens above these layers cannot be studied by putting states in",
    )


def finite(singles: Sequence[States], texts: Sequence[str]) -> Check:
    """No state is NaN or infinite."""
    for text, single in zip(texts, singles, strict=True):
        for layer, states in single.items():
            bad = torch.nonzero(~torch.isfinite(states[0]).all(dim=-1)).flatten()
            if len(bad):
                return Check(
                    "finite",
                    "fail",
                    f"layer {layer}, token {int(bad[0])} of {text[:60]!r} is NaN or infinite",
                    float("inf"),
                    "check the weights, or choose a wider --dtype",
                )
    return Check("finite", "pass", "no NaN and no infinity at any layer")


def position_0(encoder: TextEncoder, singles: Sequence[States]) -> Check:
    """Whether position 0 is an attention sink: its norm against the median of the others."""
    worst, where = 0.0, ""
    for single in singles:
        for layer, states in single.items():
            norms = states[0].double().norm(dim=-1)
            if len(norms) > 2:
                ratio = float(norms[0] / norms[1:].median().clamp_min(1e-30))
                if ratio > worst:
                    worst, where = ratio, layer
    is_special = encoder.tokens.beginning != "none" or encoder.inputs.decodes
    if encoder.inputs.decodes:
        holds = "the token that begins a decoder's text, which enters no unit"
    elif is_special:
        by = "prepended here" if encoder.tokens.beginning == "prepended" else "by the tokenizer"
        holds = f"a special token ({by}), which enters no unit"
    else:
        holds = "the text's first sub-token"
    said = f"holds {holds}; its norm is at most {worst:.1f} × the median (layer {where})"
    outcome: Outcome = "warn" if worst > SINK and not is_special else "pass"
    advice = "position 0 stays out of sentence means; look at the scores of first words apart"
    return Check("position 0", outcome, said, worst, advice if outcome == "warn" else "")


def deterministic(encoder: Encoder, texts: Sequence[Any]) -> Check:
    """The same batch twice gives the same bits."""
    first, again = (encoder.hidden_states(texts, encoder.layers) for _ in range(2))
    worst, _ = farthest(each([first], [again]))
    if not worst:
        return Check("determinism", "pass", "the same batch twice gives the same bits", 0.0)
    return Check(
        "determinism",
        "warn" if worst <= TOLERANCE else "fail",
        f"the same batch twice differs by {shown(worst)}",
        worst,
        "choose another attention implementation (--attention eager)",
    )


def attention_is_eager(
    encoder: Encoder,
    texts: Sequence[Any],
    singles: Sequence[States],
    load: Load[Encoder],
) -> Check:
    """The attention implementation in use, against the plain one that transformers writes out."""
    name, used = "attention", encoder.fingerprint["attention"]
    if used in ("eager", "None", "none"):
        return Check(name, "pass", "the plain implementation is the one in use")
    try:
        plain = _alone_then_gone(load(encoder.dtype, "eager"), texts)  # type: ignore[arg-type]
    except InputError as error:
        return Check(name, "pass", f"not examined: {error}")
    worst, where = farthest(each(plain, singles))
    if worst <= 10 * limit_of(encoder):
        return Check(name, "pass", f"{used} equals eager: largest difference {shown(worst)}", worst)
    return Check(
        name,
        "fail",
        f"{used} differs from eager by {shown(worst)} at layer {where}",
        worst,
        "choose --attention eager",
    )


def _alone_then_gone(encoder: Encoder, texts: Sequence[Any]) -> list[States]:
    """Compute each text alone, and let go of the model: hooks tie it to its reader in a circle."""
    found = alone(encoder, texts)
    del encoder
    gc.collect()
    return found


def dtype_drift(
    encoder: Encoder,
    texts: Sequence[Any],
    singles: Sequence[States],
    load: Load[Encoder],
) -> Check:
    """How far bfloat16 takes the vectors; only to know."""
    name = "bfloat16"
    if encoder.dtype not in ("float32", "float64"):
        return Check(name, "pass", f"not examined: the model computes in {encoder.dtype}")
    try:
        narrow = _alone_then_gone(load("bfloat16"), texts)
    except InputError as error:
        return Check(name, "warn", str(error), None, "keep to --dtype float32 for this model")
    worst, layer = farthest(each(singles, narrow))
    said = f"vectors move by up to {worst:.1%} of their norm (layer {layer})"
    if worst <= 0.1:
        return Check(name, "pass", said, worst)
    return Check(name, "warn", said, worst, "keep to --dtype float32 for this model")
