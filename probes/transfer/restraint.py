"""What holds weights near where they started: L2-SP, and selective projection decay."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probes.transfer.groups import Group
from probes.transfer.settings import Change


class Restraint:
    """Pulls the trained weights of the network, not the head, towards their start.

    Parameters
    ----------
    change : Change
        How strongly.
    groups : sequence of Group
        What is trained, as it starts.

    Notes
    -----
    L2-SP (Li, Grandvalet & Davoine 2018, eq. 1) adds α/2 ‖θ - θ0‖² to the loss: here α (θ - θ0) to
    its gradient. Selective projection decay (Tian et al. 2024, alg. 1) looks at each tensor: where
    the gradient g at the old weights says -⟨g, θ - θ0⟩ < 0, the new weights are moved back by
    λ · clip((‖Δ_new‖ - ‖Δ_old‖) / ‖Δ_new‖, 0, 1) · Δ_new, with Δ = θ - θ0. It takes the place of
    weight decay, which would be decay towards nought.
    """

    def __init__(self, change: Change, groups: Sequence[Group]) -> None:
        self._l2_sp, self._spd = change.l2_sp, change.spd
        held = [p for group in groups if not group.is_head for p in group.parameters]
        self._held = held if change.l2_sp or change.spd else []
        self._start = [p.detach().clone() for p in self._held]
        self._before: list[tuple[Tensor, bool]] = []

    @torch.no_grad()
    def add_to_gradients(self) -> None:
        """Add the gradient of the L2-SP penalty, and look at the weights before the step."""
        if self._l2_sp:
            for p, start in zip(self._held, self._start, strict=True):
                if p.grad is not None:
                    p.grad.add_(p - start, alpha=self._l2_sp)
        if self._spd:
            self._before = []
            for p, start in zip(self._held, self._start, strict=True):
                away = p - start
                uphill = p.grad is not None and bool((p.grad * away).sum() > 0)
                self._before.append((away.norm(), uphill))

    @torch.no_grad()
    def after_step(self) -> None:
        """Take back what selective projection decay takes back of the step."""
        for p, start, (old, uphill) in zip(self._held, self._start, self._before, strict=False):
            if uphill:
                away = p - start
                new = away.norm()
                share = ((new - old) / new.clamp(min=1e-30)).clamp(0, 1)
                p.sub_(away * (self._spd * share))
