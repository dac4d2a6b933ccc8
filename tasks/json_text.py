"""What kills the reader of JSON rather than being an error of it: refused before it is read."""

from __future__ import annotations

import json
import re

import numpy as np

from probes.errors import InputError

DEEPEST = 64
"""Brackets in brackets; tables have three or four."""

_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_OPENING, _CLOSING = b"[{", b"]}"


def check_json(path: str, text: str) -> None:
    """Refuse rows that are null, and brackets nested without end.

    Parameters
    ----------
    path : str
        Names the file in a complaint.
    text : str
        JSON, or JSON Lines.

    Raises
    ------
    InputError
        If there is one.

    Notes
    -----
    The process dies of them inside pyarrow (26.0: where a block begins with null). Anything else
    that is wrong has an error there.
    """
    deepest = _depth(text)
    if deepest > DEEPEST:
        raise InputError(
            f"{path}: {deepest:,} brackets are open at one place, expected {DEEPEST} at most; "
            "mend the brackets, or give plainer values"
        )
    called, rows = "line", [line.strip().startswith("null") for line in text.split("\n")]
    if text.lstrip().startswith("["):
        try:
            called, rows = "row", [row is None for row in json.loads(text)]
        except ValueError:
            return
    if any(rows):
        raise InputError(
            f"{path}, {called} {rows.index(True) + 1} is null; expected columns with values, such "
            'as {"text": "she walks"}'
        )


def _depth(text: str) -> int:
    outside = np.frombuffer(_STRING.sub("", text).encode(), dtype=np.uint8)
    opened = np.isin(outside, list(_OPENING)).astype(np.int64)
    return int((opened - np.isin(outside, list(_CLOSING))).cumsum().max(initial=0))
