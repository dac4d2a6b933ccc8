"""Which role a filler's role is of another filler: the names of roles, tied by exchanges.

With a binding of its own for each filler and role, an encoding does not say that two fillers have
the same role: any permutation of one filler's roles fits as well. Names are tied here so that an
item's role changes as seldom as possible when the item is exchanged for another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from probes.roles.learned.assigner import Padded

Reader = Callable[[Padded], Tensor]


@torch.no_grad()
def exchanges(read: Reader, data: Padded, n_fillers: int, n_roles: int) -> Tensor:
    """Count what roles items have before and after they are exchanged for each filler.

    Parameters
    ----------
    read : function
        From sequences to the number of each item's role, (n, length).
    data : Padded
        The sequences; of each, every item is exchanged in turn.
    n_fillers, n_roles : int
        Known fillers, and roles.

    Returns
    -------
    Tensor of shape (n_fillers * n_roles, n_fillers * n_roles)
        From the filler and role before to those after.
    """
    counts = torch.zeros(n_fillers * n_roles, n_fillers * n_roles)
    before = data.items * n_roles + read(data)
    for place in range(data.items.shape[1]):
        rows = (data.mask[:, place] & (data.items[:, place] < n_fillers)).nonzero()[:, 0]
        part = data[rows]
        for filler in range(n_fillers):
            items = part.items.clone()
            items[:, place] = filler
            after = filler * n_roles + read(Padded(items, part.mirror, part.mask))[:, place]
            ones = torch.ones(len(rows))
            counts.index_put_((before[rows, place], after), ones, accumulate=True)
    return counts


def unite_alike(bindings: Tensor, sizes: Tensor, tolerance: float) -> Tensor:
    """Unite roles of one filler that add nearly the same to an encoding.

    Parameters
    ----------
    bindings : Tensor of shape (n_fillers, n_roles, width)
        What each filler in each role adds.
    sizes : Tensor of shape (n_fillers, n_roles)
        Items, as a share of the sequences.
    tolerance : float
        The two that cost the least, by Ward's criterion, are united, over and over, until all
        unions together would cost so much squared error.

    Returns
    -------
    Tensor of shape (n_fillers, n_roles), int64
        The role that stands for each.
    """
    bindings, sizes = bindings.clone(), sizes.clone()
    n_fillers, n_roles = sizes.shape
    stands_for = torch.arange(n_roles).repeat(n_fillers, 1)
    cost = torch.stack(
        [
            torch.stack([_ward(bindings[f], sizes[f], k) for k in range(n_roles)])
            for f in range(n_fillers)
        ]
    )
    left = tolerance
    while (least := float(cost.min())) <= left:
        left -= least
        f, k = divmod(int(cost.argmin()), n_roles**2)
        kept, gone = divmod(k, n_roles)
        weights = sizes[f, [kept, gone]]
        bindings[f, kept] = weights @ bindings[f, [kept, gone]] / weights.sum()
        sizes[f, kept], sizes[f, gone] = weights.sum(), 0
        stands_for[f][stands_for[f] == gone] = kept
        cost[f, gone] = cost[f, :, gone] = torch.inf
        cost[f, kept] = cost[f, :, kept] = _ward(bindings[f], sizes[f], kept)
    return stands_for


def _ward(bindings: Tensor, sizes: Tensor, k: int) -> Tensor:
    """Give the cost of a union of role k with each role of the same filler, (n_roles,)."""
    share = sizes * sizes[k] / (sizes + sizes[k]).clamp_min(1e-12)
    cost = share * (bindings - bindings[k]).square().sum(1)
    cost[(sizes == 0) | (sizes[k] == 0)] = torch.inf
    cost[k] = torch.inf
    return cost


def tie(counts: Tensor, n_fillers: int, doubt: float = 3.0) -> Tensor:
    """Name roles alike that exchanges of items turn into each other.

    The two groups of roles with the surest exchange between them are united, over and over, but
    none that both have a role of the same filler: that these differ is what the encodings do say.

    Parameters
    ----------
    counts : Tensor of shape (n_fillers * n_roles, n_fillers * n_roles)
        Of `exchanges`.
    n_fillers : int
        Fillers.
    doubt : float
        Exchanges that failed, which are added to those seen: rare roles are tied the last.

    Returns
    -------
    Tensor of shape (n_fillers * n_roles,), int64
        The name of each filler's roles; 0 for roles that no item has.

    Notes
    -----
    Single linkage: fillers that behave alike tie others that do not, as neighbouring digits do
    where roles come from a comparison of digits.
    """
    used = (counts.sum(1) > 0).nonzero()[:, 0]
    filler = used // (len(counts) // n_fillers)
    seen = counts[used][:, used]
    tried = torch.zeros(len(used), n_fillers).index_add_(1, filler, seen)[:, filler]
    sure = (seen + seen.T) / (tried + tried.T + doubt)
    fillers = torch.nn.functional.one_hot(filler, n_fillers).float()
    sure[fillers @ fillers.T > 0] = 0
    group = torch.arange(len(used))
    while sure.max() > 0:
        kept, gone = divmod(int(sure.argmax()), len(used))
        group[group == gone] = kept
        fillers[kept] += fillers[gone]
        sure[kept] = sure[:, kept] = torch.maximum(sure[kept], sure[gone])
        sure[gone] = sure[:, gone] = 0
        shared = fillers @ fillers[kept] > 0
        sure[kept, shared] = sure[shared, kept] = 0
    names = torch.zeros(len(counts), dtype=torch.long)
    names[used] = group.unique(return_inverse=True)[1]
    return names
