"""Where images come from: folders of class folders, arrays, and data sets."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from probes_tasks.cells import SPLIT_NAMES
from probes_tasks.rows import Rows, Source, open_dataset, source_of

from probes.errors import InputError, unknown
from probes.task import Images

SAVED = ("dataset_dict.json", "state.json")
CLASS = "label"
"""What the labelling of class folders is called, as data sets call theirs."""


@dataclass(frozen=True)
class ImageSource:
    """Images and what is known of them, by the split that the data themselves name."""

    source: Source
    images: Mapping[str, Images]
    """Called in full, as a message names them."""
    names: Mapping[str, Sequence[str]]
    """What tables call them: within the folder, or by row."""
    label: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_images(
    path: str,
    *,
    image: str | None = None,
    label: Sequence[str] = (),
    more: Collection[str] = (),
    config: str | None = None,
) -> ImageSource:
    """Find images and their labels; the images themselves are decoded later.

    Parameters
    ----------
    path : str
        A folder of class folders, perhaps under train, dev and test; an ``.npz`` file; a folder of
        `datasets`; or the id of a data set on the hub.
    image : str, optional
        Column or array of images.
    label : sequence of str
        Columns or arrays of labels; the usual one by default.
    more : collection of str
        Further columns or arrays that are wanted: of splits and groups.
    config : str, optional
        Which configuration of a data set.

    Returns
    -------
    ImageSource
        With as many images as rows, in the order of the data.

    Raises
    ------
    InputError
        If there is nothing to read, or a column is not there.
    """
    place = Path(path)
    if place.suffix.lower() == ".npz":
        return _of_arrays(path, image or "images", tuple(label) or ("labels",), more)
    if files := _class_files(place):
        named = [*([image] if image else []), *label, *more, *([config] if config else [])]
        if named:
            raise InputError(
                f"{path} is a folder of class folders, and has no column {named[0]!r}: a file's "
                "class is its folder; leave columns and config out"
            )
        return _of_folders(path, files)
    return _of_dataset(path, image, tuple(label) or ("label",), more, config)


def _class_files(place: Path) -> list[Path]:
    """List the files with a name of an image, below, in order; none of what `datasets` reads."""
    if not place.is_dir() or any((place / name).is_file() for name in SAVED):
        return []
    if any(place.rglob("metadata.*")):
        return []
    known = set(Image.registered_extensions())
    found = []
    for folder, below, names in os.walk(place):
        below.sort()
        found += [Path(folder, name) for name in sorted(names) if _suffix(name) in known]
    return found


def _suffix(name: str) -> str:
    return "" if name.startswith(".") else Path(name).suffix.lower()


def _of_folders(path: str, files: Sequence[Path]) -> ImageSource:
    place = Path(path)
    parts = _by_folder(path, files)
    others = sum(
        1
        for _, _, names in os.walk(place)
        for name in names
        if not name.startswith(".") and _suffix(name) not in Image.registered_extensions()
    )
    called = {name: f"{path}/{name}" if name else path for name in parts}
    source = Source(
        {
            name: Rows(called[name], {CLASS: classes}, range(1, len(classes) + 1), "file")
            for name, (_, classes) in parts.items()
        },
        title=place.resolve().name,
        source=place.name,
    )
    note = f"{others:,} files are left out, whose names are not those of images"
    return ImageSource(
        source,
        {name: Images.of_files(own) for name, (own, _) in parts.items()},
        {name: [str(f.relative_to(place)) for f in own] for name, (own, _) in parts.items()},
        (CLASS,),
        {"other_files": others} if others else {},
        (note,) if others else (),
    )


def _by_folder(path: str, files: Sequence[Path]) -> dict[str, tuple[list[Path], list[str]]]:
    """Sort files by their folder of a split (or none), with the class of each."""
    place = Path(path)
    tops = {file.relative_to(place).parts[0] for file in files}
    in_splits = bool(tops) and all(top.lower() in SPLIT_NAMES for top in tops)
    if not in_splits and any(SPLIT_NAMES.get(top.lower()) == "train" for top in tops):
        strange = sorted(top for top in tops if top.lower() not in SPLIT_NAMES)
        raise InputError(
            f"{path} holds train, and also {strange[0]!r}; expected folders of splits (train, dev "
            "or val, test) with class folders in them, or class folders alone"
        )
    parts: dict[str, tuple[list[Path], list[str]]] = {}
    for file in files:
        inner = file.relative_to(place).parts
        if len(inner) < 2 + in_splits:
            raise InputError(
                f"{file} lies in no class folder; expected {path}/"
                f"{inner[0] + '/' if in_splits else ''}CLASS/{file.name}"
            )
        own = parts.setdefault(inner[0] if in_splits else "", ([], []))
        own[0].append(file)
        own[1].append(inner[1 if in_splits else 0])
    return parts


def _of_arrays(path: str, image: str, label: tuple[str, ...], more: Collection[str]) -> ImageSource:
    place = Path(path)
    if not place.is_file():
        raise InputError(f"there is no file {path}; check the path")
    try:
        with np.load(place, allow_pickle=False) as file:
            for name in (image, *label, *more):
                if name not in file.files:
                    raise unknown(f"array of {path}", name, file.files)
            arrays = {name: file[name] for name in (image, *label, *more)}
            unread = frozenset(file.files) - set(arrays)
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} cannot be read ({error}); save plain arrays by numpy.savez, none of objects"
        ) from error
    images = arrays.pop(image)
    if images.ndim not in (3, 4) or not len(images):
        raise InputError(
            f"{path}, array {image!r}: shape {images.shape}; expected (n, height, width) or "
            "(n, height, width, 3)"
        )
    for name, array in arrays.items():
        if array.shape != (len(images),):
            raise InputError(
                f"{path}, array {name!r}: shape {array.shape}; expected ({len(images)},), one for "
                "each image"
            )
    rows = Rows(
        path,
        {name: [_plain(value) for value in array] for name, array in arrays.items()},
        range(len(images)),
        "image",
        unread=unread,
    )
    names = [f"{path}, image {k}" for k in range(len(images))]
    source = Source({"": rows}, title=place.stem, source=place.name)
    short = {"": [f"image {k}" for k in range(len(images))]}
    return ImageSource(source, {"": Images.of_arrays(images, names)}, short, label)


def _plain(value: Any) -> Any:
    """Give a number or text as Python has it."""
    plain = value.item()
    return plain.decode("utf-8", "replace") if isinstance(plain, bytes) else plain


def _of_dataset(
    path: str,
    image: str | None,
    label: tuple[str, ...],
    more: Collection[str],
    config: str | None,
) -> ImageSource:
    import datasets  # takes a second

    data = open_dataset(path, config)
    parts = data if isinstance(data, dict) else {"": data}
    if not parts:
        raise InputError(f"{path} has no rows; give images")
    features = next(iter(parts.values())).features
    columns = [name for name, kind in features.items() if isinstance(kind, datasets.Image)]
    if image is None and len(columns) != 1:
        raise InputError(
            f"{path} has {'several columns' if columns else 'no column'} of images "
            f"({', '.join(columns or features)}); name one (image)"
        )
    column = image or columns[0]
    if column not in columns:
        raise unknown(f"column of images of {path}", column, columns)
    source = source_of(path, [*label, *more], data)
    undecoded = datasets.Image(decode=False)
    images, short = {}, {}
    for name, part in parts.items():
        rows = part.with_format(None).select_columns([column]).cast_column(column, undecoded)
        shown = [source.parts[name].place(k) for k in range(len(rows))]
        short[name] = [f"{name or 'row'} {k}" for k in source.parts[name].numbers]
        images[name] = Images(
            shown, [partial(_opened, rows, k, column, shown[k]) for k in range(len(rows))]
        )
    return ImageSource(source, images, short, label)


def _opened(rows: Any, k: int, column: str, where: str) -> Image.Image:
    value = rows[k][column]
    if value is None:
        raise InputError(f"{where}: column {column!r} is empty; drop that row")
    return Image.open(value["path"] if value["bytes"] is None else io.BytesIO(value["bytes"]))
