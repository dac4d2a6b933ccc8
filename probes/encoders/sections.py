"""A vision model divided from the input upwards, for what trains some of it, or some faster."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sections(model: nn.Module, path: str) -> list[nn.Module]:
    """Divide a model of Hugging Face.

    Parameters
    ----------
    model : torch.nn.Module
        Whose modules are registered in the order in which they run.
    path : str
        Of its blocks, as `ImageReader.path`; of ``A.*.B`` the stages ``A.0``, ``A.1``, … are taken.

    Returns
    -------
    list of torch.nn.Module
        What stands before the first block, the blocks, and what stands after the last, where that
        has parameters.
    """
    inside = path.partition(".*")[0]
    before: list[nn.Module] = []
    after: list[nn.Module] = []
    blocks: list[nn.Module] = []

    def walk(module: nn.Module, at: str) -> None:
        for name, child in module.named_children():
            here = f"{at}.{name}" if at else name
            if here == inside:
                blocks.extend(child.children())
            elif inside.startswith(f"{here}."):
                walk(child, here)
            elif next(child.parameters(), None) is not None:
                (after if blocks else before).append(child)

    walk(model, "")
    return [*_joined(before), *blocks, *_joined(after)]


def network_sections(module: nn.Module, point: str, pixels: Tensor) -> list[nn.Module]:
    """Divide a network up to a point.

    Parameters
    ----------
    module : torch.nn.Module
        Whose forward takes pixels alone.
    point : str
        Path of the submodule that gives the features.
    pixels : Tensor of shape (n, channels, height, width)
        By which it is seen what runs before the point.

    Returns
    -------
    list of torch.nn.Module
        Its children with parameters in the order in which they first run, lists and sequences of
        them taken apart.
    """
    candidates = [m for m in _apart(module) if next(m.parameters(), None) is not None]
    ran: dict[int, nn.Module] = {}
    ended: list[bool] = []
    handles = [module.get_submodule(point).register_forward_hook(lambda *of: ended.append(True))]
    for candidate in candidates:
        for part in candidate.modules():
            handles.append(
                part.register_forward_pre_hook(
                    lambda m, args, candidate=candidate: (
                        None if ended else ran.update({id(candidate): candidate})
                    )
                )
            )
    try:
        with torch.no_grad():
            module(pixels.to(next(module.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    return list(ran.values())


def _apart(module: nn.Module) -> list[nn.Module]:
    """Give children, lists and sequences taken apart, however deep."""
    found = []
    for child in module.children():
        is_list = isinstance(child, (nn.ModuleList, nn.Sequential))
        found += _apart(child) if is_list else [child]
    return found


def _joined(modules: list[nn.Module]) -> list[nn.Module]:
    """Make one module of several; none of none."""
    return modules if len(modules) < 2 else [nn.ModuleList(modules)]
