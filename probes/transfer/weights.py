"""WiSE-FT: the weights on the line between those of two models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from probes.errors import InputError
from probes.files import write_whole
from probes.transfer.layouts import (
    CODES,
    Layout,
    State,
    layout_in,
    layout_of,
    opened,
    require_alike,
)

BLOCK = 1 << 18
"""Numbers that are averaged at a time, so that a large tensor needs no copy in float64."""

_SIZES = {code: dtype.itemsize for dtype, code in CODES.items()}


def interpolate(
    state_0: State,
    state_1: State,
    alpha: float,
    *,
    about_0: Mapping[str, Any] | None = None,
    about_1: Mapping[str, Any] | None = None,
) -> dict[str, torch.Tensor]:
    """Average the weights of two models: θ_α = (1 - α) θ_0 + α θ_1, over every tensor.

    Parameters
    ----------
    state_0, state_1 : mapping of str to Tensor
        Weights with the same names, shapes and dtypes; neither is changed.
    alpha : float
        Share of `state_1`, 0 to 1; at both ends the result is that state, bit for bit.
    about_0, about_1 : mapping, optional
        What the two must share, such as ``{"classes": ["negative", "positive"]}``.

    Returns
    -------
    dict of str to Tensor
        In the order, with the dtypes and on the devices of `state_0`.

    Raises
    ------
    InputError
        If the two are not alike, `alpha` is not between 0 and 1, or an integer tensor differs.

    Notes
    -----
    Wortsman et al. (2022), arXiv:2109.01903, §3: buffers are averaged like parameters. As `mixed`
    says: in float64; numbers that are equal in both stay as they are, counters are rounded.
    """
    require_alike(layout_of(state_0, "state_0", about_0), layout_of(state_1, "state_1", about_1))
    _require_share(alpha)
    return {name: mixed(state_0[name], state_1[name], alpha, name) for name in state_0}


def interpolate_files(
    path_0: str | Path,
    path_1: str | Path,
    alpha: float,
    out: str | Path,
    *,
    about_0: Mapping[str, Any] | None = None,
    about_1: Mapping[str, Any] | None = None,
) -> None:
    """Average the weights of two safetensors files into a third, a tensor at a time.

    Parameters
    ----------
    path_0, path_1 : str or Path
        Of safetensors files. Their headers are compared before a number is read.
    alpha : float
        Share of `path_1`, 0 to 1.
    out : str or Path
        File to write, whole or not at all, in a folder that exists; may be one of the two.
    about_0, about_1 : mapping, optional
        As in `interpolate`; each goes over its file's header, where ``classes`` (a list as JSON)
        and ``architecture`` are compared if both have them.

    Raises
    ------
    InputError
        As `interpolate`; or if a file is not there, or no safetensors file.
    EnvironmentFailure
        If the disk is full.

    Notes
    -----
    The header keeps the metadata that both files share, and tells ``alpha``. No tensor but the one
    being written is held: the files are mapped, so that the most resident at once is both of them
    (which the system may drop) and one tensor.
    """
    layout_0, layout_1 = layout_in(path_0, about_0), layout_in(path_1, about_1)
    require_alike(layout_0, layout_1)
    _require_share(alpha)
    shared = dict(layout_0.metadata.items() & layout_1.metadata.items())
    write_whole(Path(out), _pieces(layout_0, layout_1, alpha, shared | {"alpha": repr(alpha)}))


def mixed(a: torch.Tensor, b: torch.Tensor, alpha: float, name: str) -> torch.Tensor:
    """Average two tensors of one shape and dtype, (1 - α) a + α b.

    Parameters
    ----------
    a, b : Tensor
        What is averaged; neither is changed.
    alpha : float
        Share of `b`, 0 to 1; at both ends the result is that tensor, bit for bit.
    name : str
        What they are called in a complaint.

    Returns
    -------
    Tensor
        Of `a`'s dtype, on its device.

    Raises
    ------
    InputError
        If they are integers or booleans that differ, and more than one.

    Notes
    -----
    Computed in float64 (complex128) whatever the dtype, and cast back. A number that is equal in
    both stays as it is, an infinite one (of a mask) too. Of integer tensors, a single number is a
    counter, such as batch normalisation's of batches: averaged in float64, and rounded to the
    nearest integer, of two as near the even one. More of them are indices, masks or packed weights,
    of which no average means anything: they must be equal.
    """
    if alpha in (0, 1):
        return (a if alpha == 0 else b.to(a.device)).detach().clone()
    is_whole = not (a.is_floating_point() or a.is_complex())
    if is_whole and (a.numel() > 1 or a.dtype == torch.bool):
        if not torch.equal(a, b.to(a.device)):
            raise InputError(
                f"{name!r} holds {a.numel():,} numbers of {a.dtype} that differ: indices, a mask "
                "or packed weights, of which there is no average; take weights in floating point"
            )
        return a.detach().clone()
    wide = torch.complex128 if a.is_complex() else torch.float64
    flat_a, flat_b = a.detach().reshape(-1), b.detach().to(a.device).reshape(-1)
    result = torch.empty_like(flat_a)
    for start in range(0, len(result), BLOCK):
        x, y = (flat[start : start + BLOCK].to(wide) for flat in (flat_a, flat_b))
        mean = torch.where(x == y, x, (1 - alpha) * x + alpha * y)
        result[start : start + BLOCK] = (mean.round() if is_whole else mean).to(a.dtype)
    return result.reshape(a.shape)


def _pieces(
    layout_0: Layout, layout_1: Layout, alpha: float, metadata: dict[str, str]
) -> Iterator[bytes | memoryview]:
    """Yield a safetensors file: length of its header, header, and each tensor's bytes."""
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    # Wide numbers first, so that every tensor begins at a multiple of its number's size.
    names = sorted(layout_0.tensors, key=lambda n: (-_SIZES[layout_0.tensors[n][0]], n))
    for name in names:
        code, shape = layout_0.tensors[name]
        start, end = end, end + _SIZES[code] * torch.Size(shape).numel()
        header[name] = {"dtype": code, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    with opened(layout_0.source) as file_0, opened(layout_1.source) as file_1:
        for name in names:
            tensor = mixed(file_0.get_tensor(name), file_1.get_tensor(name), alpha, name)
            yield tensor.reshape(-1).view(torch.uint8).numpy().data


def _require_share(alpha: float) -> None:
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha {alpha}: expected 0 (the first weights) to 1 (the second)")
