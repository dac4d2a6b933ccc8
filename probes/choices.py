"""Closed sets of options, each in one place."""

from __future__ import annotations

from typing import Literal

Pooling = Literal["first", "last", "mean", "max", "cls"]
"""From sub-tokens to a unit; ``cls`` reads the special token before the text."""

Truncation = Literal["error", "window", "truncate"]
"""What to do with a text that is longer than the model allows: refuse it, cover it with
overlapping windows, or keep its beginning."""

Part = Literal["encoder", "decoder", "both"]
"""Which half of an encoder-decoder is read."""

Lost = Literal["error", "skip"]
"""What to do with a unit that no sub-token covers: refuse it, or leave it out, counted."""

Unseen = Literal["wrong", "error", "drop"]
"""What to do with a unit whose class the training split lacks: count it as wrong, refuse it, or
leave it out, counted."""

Dtype = Literal["float32", "float64", "bfloat16", "float16"]
"""In which a model computes."""

StoreDtype = Literal["float32", "float16"]
"""In which vectors are stored."""
