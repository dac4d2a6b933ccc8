"""Which parts of a network stand before its blocks: what runs before the first of them does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn


def stem_of(
    module: nn.Module, blocks: Sequence[nn.Module], run: Callable[[], object]
) -> tuple[str, ...]:
    """Name the modules with weights of their own that a pass runs before the first block.

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
    tuple of str
        Names within `module`, in its own order; the embeddings of a text model. Weights that are
        read without a call of their module (a table of relative positions) count where nothing
        after the blocks does.
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
    after = set(order[first:])
    return tuple(name for name, part in own.items() if id(part) not in after)
