"""From images to what a vision model is given."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import PIL
import torch
import transformers
from PIL import Image
from torch import Tensor

from probes.encoders.load import not_loaded
from probes.errors import InputError
from probes.images import Images, Picture

Resample = Literal["nearest", "bilinear", "bicubic"]

Numbers = tuple[float, float, float]

FILE = "pixels.json"
"""Where `Pixels` are saved."""


class ToPixels(Protocol):
    """Makes pixels of images, each by itself."""

    def __call__(self, pictures: Sequence[Picture]) -> Tensor:
        """Give them with shape (n, channels, height, width), float32, on the CPU."""
        ...

    @property
    def settings(self) -> str:
        """What decides the pixels, for a fingerprint."""
        ...

    def save(self, folder: Path) -> None:
        """Save what decides the pixels."""
        ...


@dataclass(frozen=True)
class Pixels:
    """Square images: the shorter side scaled, the middle kept, each channel standardised.

    Parameters
    ----------
    size : int
        Side in pixels.
    mean, std : tuple of float
        Of each channel, where 0 is black and 1 is full: pixels are (value − mean) / std.
    resample : {"nearest", "bilinear", "bicubic"}
        How Pillow scales; not at all where the shorter side is `size` already.

    Raises
    ------
    InputError
        If there is no side, or a standard deviation is not positive.
    """

    size: int
    mean: Numbers = (0.485, 0.456, 0.406)
    std: Numbers = (0.229, 0.224, 0.225)
    resample: Resample = "bilinear"

    def __post_init__(self) -> None:
        if self.size < 1 or len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise InputError(
                f"{self}: expected a side of 1 or more, and three means and standard deviations, "
                "these above 0"
            )

    def __call__(self, pictures: Sequence[Picture]) -> Tensor:
        """As `ToPixels`."""
        mean, std = (np.asarray(v, dtype=np.float32) for v in (self.mean, self.std))
        arrays = [np.asarray(self._square(picture), dtype=np.float32) for picture in pictures]
        scaled = (np.stack(arrays) / np.float32(255) - mean) / std
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))

    def _square(self, picture: Picture) -> Picture:
        width, height = picture.size
        scale = self.size / min(width, height)
        wide, high = max(self.size, round(width * scale)), max(self.size, round(height * scale))
        if (wide, high) != (width, height):
            how = Image.Resampling[self.resample.upper()]
            picture = picture.resize((wide, high), how)
        left, top = (wide - self.size) // 2, (high - self.size) // 2
        return picture.crop((left, top, left + self.size, top + self.size))

    @property
    def settings(self) -> str:
        """As `ToPixels`."""
        return json.dumps({**dataclasses.asdict(self), "pillow": PIL.__version__})

    @classmethod
    def load(cls, folder: Path) -> Pixels:
        """Read what `save` wrote, or say that it is not there."""
        try:
            fields = json.loads((folder / FILE).read_text(encoding="utf-8"))
            given: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()
            }
            return cls(**given)
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{folder / FILE} says no pixels ({error})") from None

    def save(self, folder: Path) -> None:
        """As `ToPixels`: a JSON file of its fields."""
        text = json.dumps(dataclasses.asdict(self), indent=1)
        (folder / FILE).write_text(text + "\n", encoding="utf-8")


class PretrainedPixels:
    """What the model was trained on, by the image processor that comes with it.

    Parameters
    ----------
    processor : transformers.BaseImageProcessor
        Of Pillow and numpy: torchvision is not used, even where it is installed, since it scales
        a little differently.
    name : str
        Of the model, for complaints.
    """

    def __init__(self, processor: Any, name: str) -> None:
        self._processor = processor
        self._name = name

    @classmethod
    def of(cls, name: str, where: dict[str, Any]) -> PretrainedPixels:
        """Load the image processor of a model.

        Parameters
        ----------
        name : str
            Folder or name on the hub.
        where : dict
            Its ``revision``, and whether to ``trust_remote_code``.

        Raises
        ------
        InputError
            If there is none, or it needs torchvision.
        """
        # Before transformers had backends, a flag said which of two classes.
        has_backends = importlib.util.find_spec("transformers.image_processing_backends")
        plain: dict[str, Any] = {"backend": "pil"} if has_backends else {"use_fast": False}
        path = Path(name)
        if path.is_dir() and not (path / "preprocessor_config.json").is_file():
            raise InputError(
                f"the folder {name!r} holds no preprocessor_config.json, which says how images are "
                "scaled; save it there (AutoImageProcessor … .save_pretrained)"
            )
        try:
            found = transformers.AutoImageProcessor.from_pretrained(name, **where, **plain)
        except (OSError, ValueError, ImportError, KeyError, AttributeError) as error:
            raise not_loaded(name, error, "image processor of the model") from error
        return cls(found, name)

    def __call__(self, pictures: Sequence[Picture]) -> Tensor:
        """As `ToPixels`."""
        try:
            given = self._processor(images=list(pictures), return_tensors="pt")
        except (ValueError, TypeError) as error:
            raise InputError(
                f"the image processor of {self._name!r} cannot make one batch of images of sizes "
                f"{sorted({picture.size for picture in pictures})[:3]} ({error})"
            ) from error
        pixels: Tensor = given["pixel_values"]
        if pixels.ndim != 4:
            raise InputError(
                f"the image processor of {self._name!r} gives pixels of shape "
                f"{tuple(pixels.shape)}, expected (images, channels, height, width); this family "
                "is not supported"
            )
        return pixels.float()

    @property
    def settings(self) -> str:
        """As `ToPixels`."""
        state = self._processor.to_dict()
        for key in ("image_processor_type", "processor_class", "_processor_class"):
            state.pop(key, None)
        state |= {"class": type(self._processor).__name__, "pillow": PIL.__version__}
        return json.dumps(state, sort_keys=True, default=str)

    def save(self, folder: Path) -> None:
        """As `ToPixels`: as transformers reads it."""
        self._processor.save_pretrained(folder)


def pixels_of(
    images: Images | Sequence[Picture], to_pixels: ToPixels, name: str, *, threads: int = 1
) -> Tensor:
    """Make pixels of images, each by itself, and lay them side by side.

    Parameters
    ----------
    images : Images or sequence of PIL.Image.Image
        At least one.
    to_pixels : ToPixels
        Of the model.
    name : str
        Of the model, for complaints.
    threads : int
        How many make them.

    Returns
    -------
    Tensor of shape (n, channels, height, width), float32
        On the CPU.

    Raises
    ------
    InputError
        If an image cannot be decoded, or they come out in different sizes.
    """
    with nullcontext(None) if threads == 1 else ThreadPoolExecutor(threads) as pool:
        each = map if pool is None else pool.map
        found = list(each(lambda k: to_pixels([images[k]]), range(len(images))))
    sizes = sorted({tuple(one.shape[1:]) for one in found})
    if len(sizes) > 1:
        raise InputError(
            f"the images come out of the image processor of {name!r} in different sizes "
            f"({', '.join(map(str, sizes[:2]))}, …); it must scale or crop them to one"
        )
    return torch.cat(found)
