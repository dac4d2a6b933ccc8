"""The figure of a decomposition, as SVG: every cell is a number of the run.

Blue cells are above nought, orange below; a cell is as strong as its number is large. Colours are
the page's CSS variables, so that the figure follows its light or dark scheme.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

WIDTH = 820
_STRIP = 560
_TEXT = 14


def figure(example: Mapping[str, Any], scheme: str) -> dict[str, str]:
    """Draw the four panels of a decomposition of one sequence.

    Parameters
    ----------
    example : mapping
        As `probes.roles.digits.example.digits_example` makes it.
    scheme : str
        Whose decomposition is drawn.

    Returns
    -------
    dict of str to str
        SVG of ``network``, ``binding``, ``tpdn`` and ``substitution``.
    """
    parts, most = example["schemes"][scheme], peaks(example, scheme)
    return {
        "network": _network(example, most["encoding"]),
        "binding": _binding(example, parts, most),
        "tpdn": _tpdn(example, parts, most),
        "substitution": _substitution(example, parts, most["encoding"]),
    }


def peaks(example: Mapping[str, Any], scheme: str) -> dict[str, float]:
    """Give the largest absolute number of each kind, which is drawn at full strength."""
    parts = example["schemes"][scheme]
    f, r = np.array(parts["fillers"]), np.array(parts["role_embeddings"])
    single = [_peak(np.outer(a, b)) for a, b in zip(f, r, strict=True)]
    return {
        "fillers": _peak(f),
        "roles": _peak(r),
        "bound": max([*single, _peak(np.array(parts["bound"]))]),
        "encoding": _peak(np.array([example["encoding"], parts["encoding"]])),
    }


def tree_drawing(items: Sequence[str], tree: Sequence[Sequence[int]]) -> str:
    """Draw a binary tree over items.

    Parameters
    ----------
    items : sequence of str
        Leaves.
    tree : sequence of (int, int)
        Merges of two nodes; node ``len(items) + k`` is the k-th merge (`probes.roles.trees`).

    Returns
    -------
    str
        SVG.
    """
    widths = [8 * len(item) + 22 for item in items]
    at = [sum(widths[:k]) + widths[k] / 2 for k in range(len(items))]
    height = [0] * len(items)
    for left, right in tree:
        at.append((at[left] + at[right]) / 2)
        height.append(1 + max(height[left], height[right]))
    floor = 26 * max(height) + 12
    y = [floor - 26 * h for h in height]
    lines = [
        _line(at[len(items) + k], y[len(items) + k], at[child], y[child])
        for k, children in enumerate(tree)
        for child in children
    ]
    words = [
        _text(at[k], floor + 18, item, anchor="middle", colour="--ink")
        for k, item in enumerate(items)
    ]
    label = f"Binary tree over {' '.join(items)}"
    return _svg(label, "".join([*lines, *words]), floor + 28, max(sum(widths), 60))


def _network(example: Mapping[str, Any], peak: float) -> str:
    encoder, decoder, task = example["network"].split("/")
    encoding = np.array([example["encoding"]])
    body = [
        _digits(0, 36, example["sequence"]),
        _arrow(86, 36, 112),
        _box(112, 14, 136, 44, f"{encoder} encoder"),
        _line(180, 58, 180, 84),
        _strip(0, 92, encoding, peak),
        _text(
            _STRIP + 14, 109, f"encoding, {encoding.size} numbers", colour="--faint", anchor="start"
        ),
        _line(180, 118, 180, 140),
        _box(112, 140, 136, 44, f"{decoder} decoder"),
        _arrow(248, 162, 274),
        _digits(280, 162, example["answer"], example["right"]),
        _text(380, 167, f"{task}: {_joined(example['right'])} would be right", "start", "--faint"),
    ]
    return _svg(f"Network {example['network']}: encoder, encoding, decoder", "".join(body), 194)


def _binding(
    example: Mapping[str, Any], parts: Mapping[str, Any], most: Mapping[str, float]
) -> str:
    which = min(1, len(example["sequence"]) - 1)
    f, r = np.array(parts["fillers"][which]), np.array(parts["role_embeddings"][which])
    cell = _cell(len(f), len(r), 220)
    name = f"{example['sequence'][which]}: {parts['roles'][which]}"
    tall, wide = cell * len(f), cell * len(r)
    x, y = 150, 56
    body = [
        _text(x - 26, y - 12, f"filler {example['sequence'][which]}", "end", "--ink"),
        _heat(x - 22 - cell, y, f[:, None], cell, most["fillers"]),
        _text(x + wide + 12, y - 12, f"role {parts['roles'][which]}", "start", "--ink"),
        _heat(x, y - 18 - cell, r[None], cell, most["roles"]),
        _heat(x, y, np.outer(f, r), cell, most["bound"]),
        _text(x + wide + 24, y + tall / 2, f"{name}  =  f ⊗ r", "start", "--ink"),
        _text(x + wide + 24, y + tall / 2 + 22, f"{len(f)} × {len(r)} numbers", "start", "--faint"),
    ]
    return _svg(f"Binding of {name}: outer product of two embeddings", "".join(body), y + tall + 8)


def _tpdn(example: Mapping[str, Any], parts: Mapping[str, Any], most: Mapping[str, float]) -> str:
    f, r = np.array(parts["fillers"]), np.array(parts["role_embeddings"])
    n = len(f)
    room = (WIDTH - 30 * (n + 1)) / (n + 1)
    cell = _cell(f.shape[1], r.shape[1], room)
    tall, wide = cell * f.shape[1], cell * r.shape[1]
    step, top = max(wide, 96) + 30, 34
    body = []
    for k in range(n):
        name = f"{example['sequence'][k]}: {parts['roles'][k]}"
        body.append(_text(k * step, 18, name, "start", "--ink"))
        body.append(_heat(k * step, top, np.outer(f[k], r[k]), cell, most["bound"]))
        sign = "+" if k < n - 1 else "="
        body.append(_text(k * step + step - 16, top + tall / 2, sign, "middle", "--ink", 20))
    bound = np.array(parts["bound"])
    body.append(_text(n * step, 18, "sum of the bindings", "start", "--ink"))
    body.append(_heat(n * step, top, bound, cell, most["bound"]))
    y = top + tall + 30
    down = f"{n * step + wide / 2:.1f},{top + tall + 3:.1f} {n * step + wide / 2:.1f},{y - 15:.1f}"
    body.append(
        f'<polyline points="{down} 60,{y - 15:.1f} 60,{y - 3:.1f}" fill="none" '
        'stroke="var(--faint)" stroke-width="1.5"/>'
    )
    body += _flattened(bound, most["bound"], y)
    y += 68
    body.append(_box(0, y, 260, 34, f"W: {parts['width']} × {bound.size}, and an intercept"))
    y += 56
    body += _encodings(example, parts, y, most["encoding"])
    label = "Decomposition: bindings, their sum, flattened, mapped to the encoding"
    return _svg(label, "".join(body), y + 66, max(WIDTH, int((n + 1) * step)))


def _flattened(bound: Floats, peak: float, y: float) -> list[str]:
    return [
        _strip(0, y, bound.reshape(1, -1), peak),
        _text(_STRIP + 14, y + 17, f"flattened, {bound.size} numbers", "start", "--faint"),
        _line(60, y + 26, 60, y + 64),
    ]


def _encodings(
    example: Mapping[str, Any], parts: Mapping[str, Any], y: float, peak: float
) -> list[str]:
    return [
        _line(60, y - 20, 60, y - 4),
        _strip(0, y, np.array([parts["encoding"]]), peak),
        _text(_STRIP + 14, y + 17, "encoding by decomposition", "start", "--ink"),
        _strip(0, y + 34, np.array([example["encoding"]]), peak),
        _text(_STRIP + 14, y + 51, "encoding by the encoder", "start", "--ink"),
    ]


def _substitution(example: Mapping[str, Any], parts: Mapping[str, Any], peak: float) -> str:
    decoder = example["network"].split("/")[1]
    body = []
    for row, (what, who) in enumerate((("by the encoder", example), ("by decomposition", parts))):
        y = 24 + 76 * row
        body += [
            _text(0, y - 8, f"encoding {what}", "start", "--faint"),
            _heat(0, y, np.array([who["encoding"]]), 400 / len(who["encoding"]), peak, 26),
            _arrow(404, y + 13, 430),
            _box(430, y - 8, 136, 42, f"{decoder} decoder"),
            _arrow(566, y + 13, 594),
            _digits(600, y + 13, who["answer"], example["right"]),
        ]
    return _svg("The decoder reads both encodings", "".join(body), 148)


def _digits(x: float, y: float, digits: Sequence[int], right: Sequence[int] | None = None) -> str:
    """Draw digits; those that are not the right ones are struck through."""
    drawn = []
    for k, digit in enumerate(digits):
        wrong = right is not None and digit != right[k]
        colour = "--random" if wrong else "--ink"
        drawn.append(_text(x + 12 + 26 * k, y + 6, str(digit), "middle", colour, 20))
        if wrong:
            drawn.append(_line(x + 3 + 26 * k, y + 10, x + 21 + 26 * k, y - 10, "--random"))
    return "".join(drawn)


def _joined(digits: Sequence[int]) -> str:
    return " ".join(map(str, digits))


def _cell(rows: int, columns: int, room: float) -> float:
    return min(room / max(rows, columns), 22)


def _strip(x: float, y: float, row: Floats, peak: float) -> str:
    return _heat(x, y, row, _STRIP / row.size, peak, 26)


def _heat(
    x: float, y: float, values: Floats, cell: float, peak: float, tall: float | None = None
) -> str:
    """Draw a matrix, a cell a number; each says its number to who points at it."""
    tall = cell if tall is None else tall
    gap = 0.6 if min(cell, tall) > 4 else 0
    drawn = [
        f'<rect x="{x + j * cell:.2f}" y="{y + i * tall:.2f}" width="{cell - gap:.2f}" '
        f'height="{tall - gap:.2f}" fill="var(--{"probe" if value >= 0 else "random"})" '
        f'fill-opacity="{abs(value) / peak if peak else 0:.2f}"><title>{value:+.4f}</title></rect>'
        for (i, j), value in np.ndenumerate(values)
    ]
    rows, columns = values.shape
    drawn.append(
        f'<rect x="{x - 1:.2f}" y="{y - 1:.2f}" width="{columns * cell + 2 - gap:.2f}" '
        f'height="{rows * tall + 2 - gap:.2f}" fill="none" stroke="var(--rule)"/>'
    )
    return "".join(drawn)


def _peak(values: Floats) -> float:
    return float(np.abs(values).max())


def _text(
    x: float, y: float, text: str, anchor: str = "start", colour: str = "--ink", size: int = _TEXT
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var({colour})" '
        f'font-size="{size}">{html.escape(text)}</text>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, colour: str = "--faint") -> str:
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" '
        f'stroke="var({colour})" stroke-width="1.5"/>'
    )


def _arrow(x: float, y: float, to_x: float) -> str:
    head = f"{to_x - 7:.1f},{y - 4:.1f} {to_x:.1f},{y:.1f} {to_x - 7:.1f},{y + 4:.1f}"
    return f'{_line(x, y, to_x - 6, y)}<polygon points="{head}" fill="var(--faint)"/>'


def _box(x: float, y: float, width: float, height: float, text: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4" '
        f'fill="var(--wash)" stroke="var(--faint)"/>'
        f"{_text(x + width / 2, y + height / 2 + 5, text, 'middle')}"
    )


def _svg(label: str, body: str, height: float, width: float = WIDTH) -> str:
    return (
        f'<svg class="drawing" role="img" aria-label="{html.escape(label)}" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="-2 0 {width + 4:.0f} {height:.0f}">{body}</svg>'
    )
