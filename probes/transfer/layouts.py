"""What a set of weights holds, known before any of it is read: names, dtypes, shapes, classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from probes.errors import InputError

State = Mapping[str, torch.Tensor]
"""Weights in memory: a tensor by name, as ``module.state_dict()`` gives them."""

IDENTITY = ("architecture", "classes")
"""Keys of a file's metadata that two files must share to be averaged."""

CODES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.complex64: "C64",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""What the safetensors format calls each dtype."""


@dataclass(frozen=True)
class Layout:
    """The tensors of a set of weights without their numbers.

    Parameters
    ----------
    source : str
        What it is called in a complaint: its path, or its place among others.
    tensors : dict
        Dtype (as safetensors names it) and shape, by name.
    metadata : dict
        What the file's header says beside the tensors.
    about : dict
        What it must share with the others: ``classes``, a list of names in the order of the
        outputs, ``architecture``, or whatever else was passed in.
    """

    source: str
    tensors: dict[str, tuple[str, tuple[int, ...]]]
    metadata: dict[str, str]
    about: dict[str, Any]


def layout_of(state: State, source: str, about: Mapping[str, Any] | None = None) -> Layout:
    """Lay out weights in memory.

    Parameters
    ----------
    state : mapping of str to Tensor
        The weights.
    source : str
        What they are called in a complaint.
    about : mapping, optional
        What they must share with the others, such as ``{"classes": ["negative", "positive"]}``.

    Returns
    -------
    Layout
        Of the weights.

    Raises
    ------
    InputError
        If there are none, or a value is no tensor of a dtype that safetensors keeps.
    """
    if not state:
        raise InputError(f"{source} holds no tensors; pass module.state_dict()")
    tensors = {}
    for name, tensor in state.items():
        if not isinstance(tensor, torch.Tensor) or tensor.dtype not in CODES:
            came = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise InputError(
                f"{source}: {name!r} is of {came}; expected a tensor of {', '.join(CODES.values())}"
            )
        tensors[name] = (CODES[tensor.dtype], tuple(tensor.shape))
    return Layout(source, tensors, {}, dict(about or {}))


def layout_in(path: str | Path, about: Mapping[str, Any] | None = None) -> Layout:
    """Lay out the weights of a safetensors file, from its header alone.

    Parameters
    ----------
    path : str or Path
        Of the file.
    about : mapping, optional
        As in `layout_of`; goes over what the header says under `IDENTITY`, where ``classes`` is a
        list of names as JSON.

    Returns
    -------
    Layout
        Of the weights.

    Raises
    ------
    InputError
        If the file is not there, is no safetensors file, holds no tensors, or holds a dtype that
        torch lacks.
    """
    with opened(path) as file:
        metadata = dict(file.metadata() or {})
        slices = {name: file.get_slice(name) for name in sorted(file.keys())}
        tensors = {n: (str(s.get_dtype()), tuple(s.get_shape())) for n, s in slices.items()}
    if not tensors:
        raise InputError(f"{path} holds no tensors; give the weights of a model")
    for name, (code, _) in tensors.items():
        if code not in CODES.values():
            raise InputError(f"{path}: {name!r} is of {code}; expected {', '.join(CODES.values())}")
    known = {key: _parsed(path, key, metadata[key]) for key in IDENTITY if key in metadata}
    return Layout(str(path), tensors, metadata, known | dict(about or {}))


def opened(path: str | Path) -> Any:
    """Open a safetensors file, of which nothing but the header is read.

    Parameters
    ----------
    path : str or Path
        Of the file.

    Returns
    -------
    safe_open
        To be used in a ``with``.

    Raises
    ------
    InputError
        If it is not there, or no safetensors file.
    """
    if not Path(path).is_file():
        raise InputError(f"no weights at {path}; give a .safetensors file")
    try:
        return safe_open(str(path), framework="pt")
    except SafetensorError as error:
        raise InputError(f"{path} is no safetensors file, or is cut off ({error})") from None


def require_alike(first: Layout, second: Layout) -> None:
    """Refuse two sets of weights whose numbers do not stand for the same things.

    Parameters
    ----------
    first, second : Layout
        What they hold.

    Raises
    ------
    InputError
        If the order of classes, the architecture or whatever else both say of themselves differs;
        or a name, dtype or shape does: the first that differs, by name, and how.
    """
    for key in sorted(first.about.keys() & second.about.keys()):
        _require_same(key, first, second)
    for name in sorted(first.tensors.keys() | second.tensors.keys()):
        for has, lacks in ((first, second), (second, first)):
            if name not in lacks.tensors:
                n = len(has.tensors.keys() - lacks.tensors.keys())
                raise InputError(
                    f"{lacks.source} lacks the tensor {name!r} that {has.source} has ({n} such in "
                    "all); average weights of one architecture"
                )
        (code_1, shape_1), (code_2, shape_2) = first.tensors[name], second.tensors[name]
        if shape_1 != shape_2:
            raise InputError(
                f"{name!r} has shape {shape_1} in {first.source} and {shape_2} in {second.source}; "
                "average weights of one architecture with as many classes"
            )
        if code_1 != code_2:
            raise InputError(
                f"{name!r} is {code_1} in {first.source} and {code_2} in {second.source}; convert "
                "one of them, so that it is plain in which dtype the result stands"
            )


def _require_same(key: str, first: Layout, second: Layout) -> None:
    ours, theirs = first.about[key], second.about[key]
    if ours == theirs:
        return
    if not (isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple))):
        raise InputError(
            f"{key} is {ours!r} of {first.source} and {theirs!r} of {second.source}; "
            "expected the same"
        )
    if len(ours) != len(theirs):
        raise InputError(
            f"{first.source} has {len(ours)} {key}, {second.source} has {len(theirs)}; "
            "expected the same ones"
        )
    pairs = enumerate(zip(ours, theirs, strict=True))
    for place, (one, other) in pairs:
        if one != other:
            raise InputError(
                f"{key} differ: number {place} is {one!r} of {first.source} and {other!r} of "
                f"{second.source}; bring the outputs into one order first"
            )


def _parsed(path: str | Path, key: str, text: str) -> Any:
    if key != "classes":
        return text
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{path}: its header's classes are {text!r}; expected a list of names as JSON"
        )
    return names
