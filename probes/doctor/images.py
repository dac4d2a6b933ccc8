"""The contract of a vision model: the clauses that are of images, and all of them in order."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from probes.choices import Dtype, ImagePooling
from probes.doctor import measure, numbers
from probes.doctor.measure import SINK, TOLERANCE, States, each, farthest, shown
from probes.doctor.verdict import Check, Verdict, gathered
from probes.encoders import ImageEncoder
from probes.encoders.image_layers import PointReader
from probes.encoders.positions import as_positions, pool_positions
from probes.errors import InputError
from probes.images import Images, Picture

SIDES = ((224, 224), (96, 160), (301, 97), (32, 32), (256, 256), (50, 40))
"""Width and height of the images that a model is examined on."""


def examine_images(
    load: measure.Load[ImageEncoder],
    dtype: Dtype = "float32",
    *,
    file: str | None = None,
    tell: Callable[[str], None] = lambda name: None,
) -> Verdict:
    """Examine a vision model.

    Parameters
    ----------
    load : callable
        Gives the encoder that computes in a dtype, perhaps with another attention.
    dtype : str
        In which the model will be used.
    file : str, optional
        The user's own image, or a folder of images.
    tell : callable
        Is called with the name of each check, when it is done.

    Returns
    -------
    Verdict
        Of every check.

    Raises
    ------
    InputError
        If the model cannot be loaded, or the folder holds no images.
    """
    own = None if file is None else _files(file)
    encoder = load(dtype)
    checks = gathered(_checks(encoder, load, own, file or ""), tell)
    return Verdict(encoder.name, encoder.fingerprint, checks, file or "", None)


def trial_images() -> list[Picture]:
    """Draw the images that a model is examined on: noise, shapes, flat colour, wide and high."""
    random = np.random.default_rng(0)
    pictures = []
    for k, (width, height) in enumerate(SIDES):
        pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels if k % 3 != 1 else np.full_like(pixels, 60 * k))
        draw = ImageDraw.Draw(picture)
        draw.ellipse((width // 4, height // 4, width // 2, height // 2), fill=(250, 40 * k, 20))
        pictures.append(picture)
    return pictures


def _checks(
    encoder: ImageEncoder,
    load: measure.Load[ImageEncoder],
    own: Images | None,
    file: str,
) -> Iterator[Check]:
    images = trial_images()
    singles = measure.alone(encoder, images)
    yield numbers.finite(singles, [f"trial image {k}" for k in range(len(images))])
    yield numbers.batch_is_single(encoder, images, singles, load)
    yield plain_forward(encoder, images, singles)
    yield pooled(encoder, images)
    if not isinstance(encoder.reader, PointReader):
        yield hidden_states(encoder)
        yield numbers.run_from_own_states(encoder, images[0], singles[0])
        yield special_positions(encoder, singles)
        yield outliers(encoder, singles)
    yield numbers.deterministic(encoder, images)
    yield numbers.attention_is_eager(encoder, images, singles, load)
    yield numbers.dtype_drift(encoder, images[:4], singles[:4], load)
    if own is not None:
        yield readable(own, Path(file).name)
    yield _cost(encoder, images)


def plain_forward(encoder: ImageEncoder, images: list[Picture], singles: list[States]) -> Check:
    """Each layer against the blocks' own inputs in a plain forward pass, by hooks set here."""
    name = "layers = plain forward"
    worst, where = farthest(each([_by_hooks(encoder, image) for image in images], singles))
    if worst <= TOLERANCE:
        said = f"every layer is what it is called: largest difference {shown(worst)}"
        return Check(name, "pass", said, worst)
    return Check(
        name,
        "fail",
        f"layer {where} differs by {shown(worst)} from what passes there",
        worst,
        "do not use these vectors, and report the model's family",
    )


def _by_hooks(encoder: ImageEncoder, image: Picture) -> States:
    seen: States = {}
    handles = []

    def keep(name: str, state: Tensor) -> None:
        seen[name] = as_positions(state).clone()

    reader = encoder.reader
    if isinstance(reader, PointReader):
        for name, point in reader.points.items():
            handles.append(point.register_forward_hook(lambda m, a, o, name=name: keep(name, o)))
    else:
        blocks = encoder.blocks()[""]
        for k, block in enumerate(blocks):

            def enter(module: Any, args: Any, kwargs: Any, k: int = k) -> None:
                values = (kwargs.get("hidden_states"), *args, *kwargs.values())
                keep(str(k), next(v for v in values if isinstance(v, Tensor) and v.ndim in (3, 4)))

            def leave(module: Any, args: Any, output: Any, k: int = k) -> None:
                keep(str(k + 1), output if isinstance(output, Tensor) else output[0])

            handles.append(block.register_forward_pre_hook(enter, with_kwargs=True))
            handles.append(block.register_forward_hook(leave))
    try:
        with torch.inference_mode():
            output = encoder.model(encoder.pixels([image]))
            if "final" in encoder.layers and not isinstance(reader, PointReader):
                keep("final", reader.finish(output))
    finally:
        for handle in handles:
            handle.remove()
    return seen


def hidden_states(encoder: ImageEncoder) -> Check:
    """What the model calls `hidden_states`, against the layers; only to know."""
    if isinstance(encoder.semantics["hidden_states_differ_at"], list):
        return numbers.hidden_states_agree(encoder)
    said = "the model's own hidden_states are counted otherwise, by stages; layers here by blocks"
    return Check("hidden_states", "pass", said)


def pooled(encoder: ImageEncoder, images: list[Picture]) -> Check:
    """Each pooling as it goes into a store, against the positions of the same batch."""
    states = encoder.hidden_states(images, encoder.layers)
    corpus = Images.of_arrays(images)
    tried = [p for p in get_args(ImagePooling) if p != "cls" or encoder.n_special]
    pairs = []
    for pooling in tried:
        (batch,) = encoder.plan(corpus, pooling=pooling, budget=len(images))
        vectors: States = {}
        encoder.run(batch, encoder.layers, pooling, vectors.__setitem__)
        for layer, H in states.items():
            own = pool_positions(H.double(), pooling, encoder.n_special)
            pairs.append((f"{pooling}, layer {layer}", own, vectors[layer]))
    worst, where = farthest(pairs)
    if worst <= TOLERANCE:
        said = f"{', '.join(tried)} of their own positions: largest difference {shown(worst)}"
        return Check("pooling", "pass", said, worst)
    said = f"other than their own positions, by {shown(worst)} ({where})"
    return Check("pooling", "fail", said, worst, "do not use these vectors, and report the model")


def special_positions(encoder: ImageEncoder, singles: list[States]) -> Check:
    """How many positions do not depend on the image at layer 0; only to know."""
    n, positions = encoder.n_special, singles[0]["0"].shape[1]
    if not n:
        said = f"none: each of {positions} positions of layer 0 is a place of the image"
        return Check("special positions", "pass", said, 0.0)
    there = singles[0]["0"][0, :n]
    worst, _ = farthest(("0", there, single["0"][0, :n]) for single in singles)
    said = f"{n} of {positions}, [CLS] first; at layer 0 they differ by {shown(worst)} over images"
    return Check("special positions", "pass" if worst <= TOLERANCE else "fail", said, worst)


def outliers(encoder: ImageEncoder, singles: list[States]) -> Check:
    """Whether a few patches have great norms: they hold no place, and enter the mean over all.

    Notes
    -----
    Darcet, Oquab, Mairal & Bojanowski (2024), *Vision transformers need registers*, §2.
    """
    worst, where = 0.0, ""
    for single in singles:
        for layer, states in single.items():
            if layer == "0" or states.shape[1] < 3:  # there the image itself decides
                continue
            norms = states[0, encoder.n_special :].double().norm(dim=1)
            ratio = float(norms.max() / norms.median().clamp_min(1e-30))
            if float(norms.median()) > 0 and ratio > worst:
                worst, where = ratio, layer
    said = f"the greatest norm of a patch is {worst:.1f} × the median (layer {where})"
    if worst <= SINK:
        return Check("outliers", "pass", said, worst)
    advice = "compare --pooling cls with patch: such patches hold no place of the image"
    return Check("outliers", "warn", said, worst, advice)


def readable(images: Images, name: str) -> Check:
    """Whether every image of the user's can be decoded."""
    broken, small = [], 0
    for k in range(len(images)):
        try:
            small += min(images[k].size) < SIDES[3][0]
        except InputError as error:
            broken.append(str(error))
    said = f"{len(images):,} images; cannot be read: {len(broken):,}"
    said += f"; shorter than {SIDES[3][0]} pixels on a side: {small:,}"
    if broken:
        return Check(
            f"images: {name}",
            "warn",
            f"{said} (first: {broken[0]})",
            len(broken) / len(images),
            "mend or remove them: a task of images refuses them",
            of_file=True,
        )
    return Check(f"images: {name}", "pass", said, 0.0, of_file=True)


def _files(path: str) -> Images:
    place = Path(path)
    known = Image.registered_extensions()
    found = [place] if place.is_file() else sorted(place.rglob("*"))
    files = [file for file in found if file.is_file() and file.suffix.lower() in known]
    if not files:
        raise InputError(
            f"{path} holds no images (files with names such as x.png or x.jpg); a vision model is "
            "examined on images: give a folder of them, or leave --file out"
        )
    return Images.of_files(files)


def _cost(encoder: ImageEncoder, images: list[Picture], seconds: float = 2.0) -> Check:
    """Time whole passes over all layers for a while; only to know."""
    passes, start = 0, time.perf_counter()
    while passes < 2 or time.perf_counter() - start < seconds:
        encoder.hidden_states(images, encoder.layers)
        passes += 1
    rate = passes * len(images) / (time.perf_counter() - start)
    size = sum(encoder.widths.values()) * 4 * 1000 / 1e6
    on_cuda = encoder.device.type == "cuda"
    peak = (
        torch.cuda.max_memory_allocated(encoder.device) / 2**20
        if on_cuda
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    )
    return Check(
        "speed and memory",
        "pass",
        f"{rate:,.0f} images/s at all {len(encoder.layers)} layers on {encoder.device}, decoded "
        f"and scaled; this examination took {peak:,.0f} MB at its peak; vectors of 1,000 images "
        f"take {size:.1f} MB",
    )
