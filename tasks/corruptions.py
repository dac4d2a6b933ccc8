"""Corruptions of images at five severities, for a test set out of distribution.

Hendrycks & Dietterich (2019), *Benchmarking neural network robustness to common corruptions and
perturbations*, §3 (ImageNet-C): eight of its kinds and two of those it validates on, with the
constants of its severities. They are meant for images of 224 pixels: blurs and pixels of that size
are harsher on smaller images.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import xxhash
from PIL import Image
from scipy import ndimage

from probes.errors import InputError, unknown
from probes.task import Picture

Corruption = Literal[
    "gaussian-noise",
    "shot-noise",
    "impulse-noise",
    "speckle-noise",
    "gaussian-blur",
    "defocus-blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg",
]
"""What is done to an image."""

Values = npt.NDArray[np.float64]
"""Of shape (height, width, 3), 0 to 1."""


def corrupt(picture: Picture, corruption: Corruption, severity: int, seed: int = 0) -> Picture:
    """Corrupt one image.

    Parameters
    ----------
    picture : PIL.Image.Image
        In mode RGB.
    corruption : str
        Which corruption.
    severity : int
        From 1, the mildest, to 5.
    seed : int
        Of the noise. Two images of other pixels get other noise, the same pixels the same, whatever
        stands before them in a data set.

    Returns
    -------
    PIL.Image.Image
        In mode RGB, of the same size.

    Raises
    ------
    InputError
        If the corruption is unknown, or the severity none of the five.
    """
    check_corruption(corruption, severity)
    function, constants = _KINDS[corruption]
    pixels = np.asarray(picture, dtype=np.uint8)
    random = np.random.default_rng([seed, *pixels.shape[:2], *_digest(pixels)])
    changed = function(pixels / 255.0, constants[severity - 1], random)
    return Image.fromarray(np.rint(np.clip(changed, 0, 1) * 255).astype(np.uint8))


def check_corruption(corruption: str, severity: int) -> None:
    """Refuse a corruption or a severity that is not there."""
    if corruption not in get_args(Corruption):
        raise unknown("corruption", corruption, get_args(Corruption))
    if not 1 <= severity <= 5:
        raise InputError(f"severity is {severity}; expected 1 (mild) to 5")


def _digest(pixels: npt.NDArray[np.uint8]) -> list[int]:
    return list(xxhash.xxh3_128(pixels.tobytes()).digest())


def _gaussian_noise(x: Values, sd: float, random: np.random.Generator) -> Values:
    return x + random.normal(scale=sd, size=x.shape)


def _shot_noise(x: Values, photons: float, random: np.random.Generator) -> Values:
    return random.poisson(x * photons) / photons


def _impulse_noise(x: Values, share: float, random: np.random.Generator) -> Values:
    """Salt and pepper, each channel by itself."""
    struck = random.random(x.shape) < share
    return np.where(struck, random.random(x.shape) < 0.5, x)


def _speckle_noise(x: Values, sd: float, random: np.random.Generator) -> Values:
    return x + x * random.normal(scale=sd, size=x.shape)


def _gaussian_blur(x: Values, sd: float, random: np.random.Generator) -> Values:
    return np.asarray(ndimage.gaussian_filter(x, (sd, sd, 0), mode="nearest"))


def _defocus_blur(x: Values, lens: tuple[int, float], random: np.random.Generator) -> Values:
    """A disk for the lens, its edge softened a little."""
    radius, edge = lens
    axis = np.arange(-radius - 1, radius + 2)
    disk = (axis[:, None] ** 2 + axis[None, :] ** 2 <= radius**2).astype(np.float64)
    disk = ndimage.gaussian_filter(disk / disk.sum(), edge)
    disk /= disk.sum()
    return np.asarray(ndimage.convolve(x, disk[:, :, None], mode="mirror"))


def _brightness(x: Values, more: float, random: np.random.Generator) -> Values:
    """More of HSV's value, at the same hue and saturation."""
    value = x.max(axis=2, keepdims=True)
    brighter = np.minimum(value + more, 1)
    return np.where(value > 0, x * brighter / np.where(value > 0, value, 1), brighter)


def _contrast(x: Values, share: float, random: np.random.Generator) -> Values:
    mean = x.mean(axis=(0, 1), keepdims=True)
    return (x - mean) * share + mean


def _pixelate(x: Values, share: float, random: np.random.Generator) -> Values:
    picture = _picture(x)
    width, height = (max(1, int(side * share)) for side in picture.size)
    small = picture.resize((width, height), Image.Resampling.BOX)
    return np.asarray(small.resize(picture.size, Image.Resampling.BOX)) / 255.0


def _jpeg(x: Values, quality: int, random: np.random.Generator) -> Values:
    file = io.BytesIO()
    _picture(x).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB")) / 255.0


def _picture(x: Values) -> Picture:
    return Image.fromarray(np.rint(x * 255).astype(np.uint8))


_KINDS: dict[str, tuple[Callable[[Values, Any, np.random.Generator], Values], tuple[Any, ...]]] = {
    "gaussian-noise": (_gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38)),
    "shot-noise": (_shot_noise, (60, 25, 12, 5, 3)),
    "impulse-noise": (_impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27)),
    "speckle-noise": (_speckle_noise, (0.15, 0.2, 0.35, 0.45, 0.6)),
    "gaussian-blur": (_gaussian_blur, (1, 2, 3, 4, 6)),
    "defocus-blur": (_defocus_blur, ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))),
    "brightness": (_brightness, (0.1, 0.2, 0.3, 0.4, 0.5)),
    "contrast": (_contrast, (0.4, 0.3, 0.2, 0.1, 0.05)),
    "pixelate": (_pixelate, (0.6, 0.5, 0.4, 0.3, 0.25)),
    "jpeg": (_jpeg, (25, 18, 15, 10, 7)),
}
