"""The offsets of every relation from one origin, as SVG: small multiples."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
import pandas as pd

from probes.analogy.offsets import Floats

ACROSS = 5
_WIDTH, _HEIGHT, _HEAD = 164, 164, 48
_LONGEST = 23


@dataclass(frozen=True)
class Fan:
    """A relation's panel: its name, what is said below it, its offsets, others, and a judgement."""

    name: str
    said: str
    offsets: Floats
    shuffled: Floats
    is_direction: bool


def fan_of(name: str, said: str, pairs: pd.DataFrame, is_direction: bool) -> Fan:
    """Make a panel from the rows of one picture."""
    offsets, shuffled = (
        pairs[[f"{which}_x", f"{which}_y"]].to_numpy(np.float64) for which in ("offset", "shuffled")
    )
    return Fan(name, said, offsets, shuffled, is_direction)


def fans_drawing(fans: list[Fan], words: str) -> str:
    """Draw panels in rows, each at a scale of its own: directions are compared, not lengths.

    Parameters
    ----------
    fans : list of Fan
        In the order in which they are drawn; at least one.
    words : str
        For those who do not see it.

    Returns
    -------
    str
        SVG; its colours are variables of the page's style sheet.
    """
    width, height = ACROSS * _WIDTH, -(-len(fans) // ACROSS) * _HEIGHT
    panels = [
        _panel(fan, (k % ACROSS) * _WIDTH, (k // ACROSS) * _HEIGHT) for k, fan in enumerate(fans)
    ]
    return (
        f'<svg class="drawing" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{html.escape(words)}">{"".join(panels)}</svg>'
    )


def _panel(fan: Fan, left: int, top: int) -> str:
    name = fan.name if len(fan.name) <= _LONGEST else f"{fan.name[: _LONGEST - 1]}…"
    colour = "--s1" if fan.is_direction else "--s2"
    judged = "● direction" if fan.is_direction else "○ no direction"
    ends = np.concatenate([fan.offsets, fan.shuffled, np.zeros((1, 2))])
    low, high = ends.min(axis=0), ends.max(axis=0)
    across, up = np.maximum(high - low, 1e-9)
    scale = min((_WIDTH - 24) / across, (_HEIGHT - _HEAD - 14) / up)
    x, y = 8 - low[0] * scale, _HEAD + 4 + high[1] * scale
    return (
        f'<g transform="translate({left} {top})"><title>{html.escape(fan.name)}</title>'
        f'<text x="8" y="13" font-size="12" fill="var(--ink)">{html.escape(name)}</text>'
        f'<text x="8" y="27" font-size="11" fill="var(--faint)">{html.escape(fan.said)}</text>'
        f'<text x="8" y="41" font-size="11" fill="var({colour})">{judged}</text>'
        f'<g transform="translate({x:.1f} {y:.1f})" fill="none" stroke-linecap="round">'
        f'<path stroke="var(--faint)" stroke-opacity=".4" d="{_lines(fan.shuffled, scale)}"/>'
        f'<path stroke="var({colour})" stroke-opacity=".85" d="{_lines(fan.offsets, scale)}"/>'
        f'<circle r="2.5" fill="var(--ink)"/></g></g>'
    )


def _lines(ends: Floats, scale: float) -> str:
    return "".join(f"M0 0L{x:.1f} {y:.1f}" for x, y in (ends * [scale, -scale]).tolist())
