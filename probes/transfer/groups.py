"""Which parameters are trained, and at which share of the learning rate."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from probes.errors import InputError
from probes.transfer.classifier import Classifier
from probes.transfer.settings import Change


@dataclass(frozen=True, eq=False)
class Group:
    """Parameters that are treated alike.

    Parameters
    ----------
    names : tuple of str
        As in `Classifier.state`.
    parameters : tuple of torch.nn.Parameter
        In the same order.
    share : float
        Of the learning rate.
    is_decayed : bool
        Whether weight decay is of them: those of two dimensions or more.
    is_head : bool
        Whether they are the head's.
    """

    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    share: float
    is_decayed: bool
    is_head: bool


def trained_groups(classifier: Classifier, change: Change) -> list[Group]:
    """Choose what is trained, mark it so, and give each part its rate.

    Parameters
    ----------
    classifier : Classifier
        Its parameters are marked (``requires_grad``): those that LoRA left as they are, and those
        of blocks that are not asked for, are not trained.
    change : Change
        What may change.

    Returns
    -------
    list of Group
        Every trained parameter once; the head last.

    Raises
    ------
    InputError
        If a block is not there, or there is nothing in it.

    Notes
    -----
    Rates fall from part to part as in Howard & Ruder (2018), §3.2, and in the fine-tuning of BEiT:
    the head at 1, the last of m parts at the decay, the first at its m-th power. Parameters that
    are in no part do not decide a feature, and go with the last.
    """
    blocks = classifier.features.blocks()
    depth = {id(p): k for k, block in enumerate(blocks) for p in block.parameters()}
    wanted = _wanted(change, len(blocks))
    adapts = change.lora_rank is not None
    found: dict[tuple[float, bool, bool], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in classifier.parameters().items():
        is_head = name.startswith("head.")
        k = len(blocks) if is_head else depth.get(id(parameter), len(blocks) - 1)
        free = is_head or (k in wanted and (".lora_" in name or not adapts))
        parameter.requires_grad_(free)
        if free:
            key = (change.layer_decay ** (len(blocks) - k), parameter.ndim > 1, is_head)
            found.setdefault(key, []).append((name, parameter))
    if not any(not is_head for _, _, is_head in found):
        raise InputError(
            f"blocks {change.blocks} hold nothing that could be trained"
            + ("; LoRA puts nothing there" if adapts else "")
            + f"; there are {len(blocks)} parts, 0 the embeddings or stem"
        )
    order = sorted(found.items(), key=lambda item: (item[0][2], item[0][0]))
    return [
        Group(tuple(n for n, _ in pairs), tuple(p for _, p in pairs), *key) for key, pairs in order
    ]


def _wanted(change: Change, n_blocks: int) -> set[int]:
    if change.blocks is None:
        return set(range(n_blocks))
    wanted = set()
    for k in change.blocks:
        if not -n_blocks <= k < n_blocks:
            raise InputError(
                f"block {k}: the network has {n_blocks} parts, 0 (the embeddings or stem) to "
                f"{n_blocks - 1}"
            )
        wanted.add(k % n_blocks)
    return wanted
