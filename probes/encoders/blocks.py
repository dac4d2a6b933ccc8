"""Which modules of a model are its blocks, by what they are given and give in a forward pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from probes.encoders.hooks import Stack, state_in
from probes.errors import InputError

Lists = list[tuple[str, list[nn.Module]]]
"""Candidates: the path of each list of modules, and its modules."""


def module_lists(module: nn.Module) -> Lists:
    """Give every list of modules in a module."""
    return [(name, list(m)) for name, m in module.named_modules() if isinstance(m, nn.ModuleList)]


def staged_lists(module: nn.Module, depths: Sequence[int]) -> Lists:
    """Give the lists of modules that run through stages of so many blocks each.

    Parameters
    ----------
    module : torch.nn.Module
        Of a hierarchical model.
    depths : sequence of int
        Blocks a stage, as its configuration says.

    Returns
    -------
    Lists
        One for each pair of names A, B such that ``A.0.B`` … ``A.k.B`` are lists of these lengths,
        under the path ``A.*.B``: their blocks, one after another.
    """
    lists = {
        name: list(m)
        for name, m in module.named_modules()
        if isinstance(m, (nn.ModuleList, nn.Sequential))
    }
    found: Lists = []
    for name in lists:
        before, zero, after = name.rpartition(".0.")
        stages = [lists.get(f"{before}.{k}.{after}") for k in range(len(depths))]
        if zero and [len(stage or ()) for stage in stages] == list(depths):
            found.append((f"{before}.*.{after}", [b for stage in stages for b in stage or ()]))
    return found


def find_blocks(
    model: nn.Module,
    stack: Stack,
    lists: Lists,
    run: Callable[[], object],
    *,
    ndims: tuple[int, ...] = (3,),
    least: float = 0.5,
) -> tuple[str, list[nn.Module]]:
    """Find the list of modules that are the stack's blocks.

    A list of n blocks called once each, or (ALBERT) fewer blocks called over and over, of which
    each receives what the one before it gave. (Something may stand between two of them, such as
    DeBERTa's convolution, or a step down between stages; between all of them, it is no list of
    blocks.)

    Parameters
    ----------
    model : torch.nn.Module
        For complaints.
    stack : Stack
        Says how many there are.
    lists : Lists
        Among which to look.
    run : callable
        Makes one forward pass of the model.
    ndims : tuple of int
        As in `Hooks`.
    least : float
        The smallest share of blocks that must receive what the one before gave.

    Returns
    -------
    path : str
        Of the list.
    blocks : list of torch.nn.Module
        Each once.

    Raises
    ------
    InputError
        If there is no such list.
    """
    calls: list[_Call] = []
    handles = []
    for block in {id(b): b for _, blocks in lists for b in blocks}.values():
        handles.append(
            block.register_forward_hook(
                lambda module, args, kwargs, output: calls.append(
                    _Call(id(module), _given(args, kwargs, ndims), _gave(output))
                ),
                with_kwargs=True,
            )
        )
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for name, blocks in sorted(lists, key=lambda item: item[0].count(".")):
        own = [call for call in calls if call.module in {id(block) for block in blocks}]
        if len(blocks) and len(own) == stack.n_layers:
            found.append((_chained(own), name, blocks))
    if not found or max(share for share, *_ in found) < least:
        raise InputError(
            f"{type(model).__name__}: found no list of modules that is called {stack.n_layers} "
            "times in a forward pass, each receiving what the one before it gave; this family is "
            "not supported"
        )
    _, path, chosen = max(found, key=lambda item: item[0])  # of a tie the first
    return path, chosen


@dataclass(frozen=True, eq=False)
class _Call:
    """One call of a module in a forward pass: the states that it was given, and gave."""

    module: int
    given: Tensor | None
    gave: Tensor | None


def _given(args: tuple[Any, ...], kwargs: dict[str, Any], ndims: tuple[int, ...]) -> Tensor | None:
    try:
        return state_in(args, kwargs, ndims)
    except InputError:
        return None


def _gave(output: Any) -> Tensor | None:
    first = output if isinstance(output, Tensor) or not output else output[0]
    return first if isinstance(first, Tensor) else None


def _chained(calls: Sequence[_Call]) -> float:
    """Share of the calls that were given what the one before gave; 1 of a single call."""
    if any(call.given is None or call.gave is None for call in calls):
        return 0.0
    pairs = list(itertools.pairwise(calls))
    same = [a.gave.shape == b.given.shape and torch.equal(a.gave, b.given) for a, b in pairs]  # type: ignore[union-attr,arg-type]
    return sum(same) / len(same) if same else 1.0
