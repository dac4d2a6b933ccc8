"""The offsets of every relation from one origin, as SVG: small multiples at one scale."""

from __future__ import annotations

import html
from dataclasses import dataclass

import numpy as np
import pandas as pd

from probes.analogy.offsets import Floats

ACROSS = 5
_WIDTH, _HEIGHT, _HEAD = 164, 150, 34
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


def fans_drawing(fans: list[Fan]) -> str:
    """Draw panels in rows, all at one scale, with the origin of each on its left.

    Parameters
    ----------
    fans : list of Fan
        In the order in which they are drawn; at least one.

    Returns
    -------
    str
        SVG; its colours are variables of the page's style sheet.
    """
    ends = np.concatenate([np.concatenate([fan.offsets, fan.shuffled]) for fan in fans])
    left, right = min(ends[:, 0].min(), 0.0), max(ends[:, 0].max(), 0.0)
    tall = max(float(np.abs(ends[:, 1]).max()), 1e-9)
    scale = min((_WIDTH - 16) / max(right - left, 1e-9), (_HEIGHT - _HEAD - 10) / (2 * tall))
    rows = -(-len(fans) // ACROSS)
    width, height = ACROSS * _WIDTH, rows * _HEIGHT
    origin = (8 - left * scale, _HEAD + (_HEIGHT - _HEAD) / 2)
    panels = [
        _panel(fan, ((k % ACROSS) * _WIDTH, (k // ACROSS) * _HEIGHT), origin, scale)
        for k, fan in enumerate(fans)
    ]
    return (
        f'<svg class="drawing" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img">{"".join(panels)}</svg>'
    )


def _panel(fan: Fan, corner: tuple[float, float], origin: tuple[float, float], scale: float) -> str:
    name = fan.name if len(fan.name) <= _LONGEST else f"{fan.name[: _LONGEST - 1]}…"
    colour = "--s1" if fan.is_direction else "--s2"
    x, y = origin
    return (
        f'<g transform="translate({corner[0]} {corner[1]})"><title>{html.escape(fan.name)}</title>'
        f'<text x="8" y="13" font-size="12" fill="var(--ink)">{html.escape(name)}</text>'
        f'<text x="8" y="27" font-size="11" fill="var(--faint)">{html.escape(fan.said)}</text>'
        f'<g transform="translate({x:.1f} {y:.1f})" fill="none" stroke-linecap="round">'
        f'<path stroke="var(--faint)" stroke-opacity=".35" d="{_lines(fan.shuffled, scale)}"/>'
        f'<path stroke="var({colour})" stroke-opacity=".8" d="{_lines(fan.offsets, scale)}"/>'
        f'<circle r="2" fill="var(--ink)"/></g></g>'
    )


def _lines(ends: Floats, scale: float) -> str:
    return "".join(f"M0 0L{x:.1f} {y:.1f}" for x, y in (ends * [scale, -scale]).tolist())
