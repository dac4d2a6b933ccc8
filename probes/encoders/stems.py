"""Which parts of a network stand before its blocks, and which after them, by when they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn


def ends_of(
    module: nn.Module, blocks: Sequence[nn.Module], run: Callable[[], object]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the modules with weights of their own that stand before the blocks, and after them.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    blocks : sequence of torch.nn.Module
        Its blocks, in the order in which they run.
    run : callable
        Makes one forward pass.

    Returns
    -------
    before, after : tuple of str
        Names within `module`, in its own order: the embeddings of a text model, and its final norm.
        Weights that are read without a call of their module (a table of relative positions) stand
        before.
    """
    inside = {id(part) for block in blocks for part in block.modules()}
    own = {
        name: part
        for name, part in module.named_modules()
        if id(part) not in inside and next(part.parameters(recurse=False), None) is not None
    }
    entered: list[nn.Module] = []
    hooks = [
        part.register_forward_pre_hook(lambda part, _: entered.append(part))
        for part in (*own.values(), *blocks)
    ]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    order = list(dict.fromkeys(id(part) for part in entered))
    first = min(order.index(id(block)) for block in blocks)
    late = set(order[first:])
    before = tuple(name for name, part in own.items() if id(part) not in late)
    return before, tuple(name for name, part in own.items() if id(part) in late)
