"""Images in the order of a corpus, decoded when they are asked for."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash
from PIL import Image, ImageOps

from probes.errors import InputError

Picture = Image.Image
"""One decoded image, in mode RGB."""

_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
_DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Modes of more than eight bits a channel, which Pillow clips where it makes them RGB."""


class Images:
    """Images in the order of a corpus, decoded when they are asked for.

    Parameters
    ----------
    names : sequence of str
        What a message and a table call each image: its file, or its row.
    read : sequence of callable
        One for each image, that gives it as Pillow does, or as an array of shape (height, width),
        (height, width, 1) or (height, width, 3), uint8. Called from several threads, and more than
        once.

    Notes
    -----
    Every image is turned upright as its EXIF record says, and made RGB: one channel is repeated,
    transparency is dropped. Palettes are resolved.
    """

    def __init__(self, names: Sequence[str], read: Sequence[Callable[[], Any]]) -> None:
        if len(names) != len(read):
            raise InputError(f"{len(names)} names for {len(read)} images; give one each")
        self.names = tuple(names)
        self._read = tuple(read)
        self._before: Images | None = None

    @classmethod
    def of_files(cls, paths: Sequence[str | Path], names: Sequence[str] | None = None) -> Images:
        """Make them of files.

        Parameters
        ----------
        paths : sequence of str or Path
            In any format that Pillow reads.
        names : sequence of str, optional
            The paths by default.
        """
        shown = [str(path) for path in paths] if names is None else names
        return cls(shown, [partial(_opened, path) for path in paths])

    @classmethod
    def of_arrays(
        cls, arrays: npt.NDArray[np.uint8] | Sequence[Any], names: Sequence[str] | None = None
    ) -> Images:
        """Make them of arrays, or of images of Pillow.

        Parameters
        ----------
        arrays : ndarray of shape (n, height, width) or (n, height, width, 3), or a sequence
            Of uint8, 0 to 255.
        names : sequence of str, optional
            ``image 0`` and so on by default.
        """
        shown = [f"image {k}" for k in range(len(arrays))] if names is None else names
        return cls(shown, [partial(arrays.__getitem__, k) for k in range(len(arrays))])

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, k: int) -> Picture:
        """Decode one image.

        Raises
        ------
        InputError
            If it cannot be decoded. The message names it.
        """
        name = self.names[k]
        try:
            return as_picture(self._read[k](), name)
        except InputError:
            raise
        except _DAMAGED as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise InputError(
                f"{name} cannot be read as an image ({why}); mend that file, or remove it"
            ) from error

    def at(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Images:
        """Give some of them, in the order that is asked for."""
        chosen = [int(row) for row in rows]
        some = Images([self.names[k] for k in chosen], [self._read[k] for k in chosen])
        if "digests" in self.__dict__:  # what is known already needs no decoding
            some.__dict__["digests"] = tuple(self.digests[k] for k in chosen)
        if self._before is not None:
            some._before = self._before.at(rows)
        return some

    @property
    def originals(self) -> Images:
        """The images before they were `changed`, if they were."""
        return self if self._before is None else self._before.originals

    def changed(self, change: Callable[[int, Picture], Picture]) -> Images:
        """Change each image after it is decoded.

        Parameters
        ----------
        change : callable
            Is given the image's number here, and itself; gives another. The same each time.
        """
        new = Images(self.names, [partial(_changed, self, change, k) for k in range(len(self))])
        new._before = self
        return new

    @cached_property
    def digests(self) -> tuple[str, ...]:
        """A digest of each image's size and pixels; all are decoded for it, once, on all cores.

        Pixels and not files: a folder, a data set and an array of the same images are the same.
        """
        with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
            return tuple(workers.map(self._digest, range(len(self))))

    def thumbnails(self, side: int) -> npt.NDArray[np.float32]:
        """Give side × side pixels of each, means over their parts, as (n, side · side · 3)."""

        def small(k: int) -> npt.NDArray[np.float32]:
            thumbnail = self[k].resize((side, side), Image.Resampling.BOX)
            return np.asarray(thumbnail, dtype=np.float32).reshape(-1)

        with ThreadPoolExecutor(os.cpu_count() or 1) as workers:
            return np.stack(list(workers.map(small, range(len(self)))))

    def _digest(self, k: int) -> str:
        picture = self[k]
        size = f"{picture.width} {picture.height}\n".encode()
        return xxhash.xxh3_128(size + picture.tobytes()).hexdigest()


def as_picture(image: Any, name: str = "the image") -> Picture:
    """Make one image RGB, upright.

    Parameters
    ----------
    image : PIL.Image.Image or ndarray
        As in `Images`.
    name : str
        For complaints.

    Returns
    -------
    PIL.Image.Image
        In mode RGB, decoded.

    Raises
    ------
    InputError
        If it is no image, or one of more than eight bits a channel.
    """
    if isinstance(image, np.ndarray):
        image = _of_array(image, name)
    if not isinstance(image, Image.Image):
        raise InputError(f"{name} is {type(image).__name__}; expected an image of Pillow, or uint8")
    if image.mode in _DEEP:
        raise InputError(
            f"{name} has more than eight bits a channel (mode {image.mode}), which would be "
            "clipped; save it with eight"
        )
    if image.mode == "RGB" and not image.getexif():
        image.load()
        return image
    return ImageOps.exif_transpose(image).convert("RGB")


def pictures_of(images: Images | Sequence[Any]) -> Images | list[Picture]:
    """Give images that may be arrays as Pillow has them."""
    if isinstance(images, Images):
        return images
    return [as_picture(image, f"image {k}") for k, image in enumerate(images)]


def _of_array(array: npt.NDArray[Any], name: str) -> Picture:
    if array.dtype != np.uint8:
        raise InputError(
            f"{name} is an array of {array.dtype}; expected uint8, 0 to 255 (scale it, and round)"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or not array.size:
        raise InputError(
            f"{name} is an array of shape {array.shape}; expected (height, width) or "
            "(height, width, 3), channels last"
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _opened(path: str | Path) -> Picture:
    with Image.open(path) as image:
        image.load()
        return image


def _changed(images: Images, change: Callable[[int, Picture], Picture], k: int) -> Picture:
    return change(k, images[k])
