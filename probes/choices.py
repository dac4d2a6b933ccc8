"""Closed sets of options, each in one place."""

from __future__ import annotations

from typing import Literal

TextPooling = Literal["first", "last", "mean", "max", "cls"]
"""From sub-tokens to a unit; ``cls`` reads the special token before the text."""

ImagePooling = Literal["cls", "mean", "patch"]
"""From the positions of an image to one vector: the special token before its patches; the mean over
all positions, special tokens too; the mean over its patches alone. Where there is no special token,
as in feature maps, the last two are the same."""

FeaturePooling = Literal[ImagePooling, "embedding"]
"""Of an image's features, which may be trained: as of a layer; or, of a model of images and texts,
the vector that it compares with those of texts, at length one."""

Pooling = Literal[TextPooling, ImagePooling]
"""Of a text or an image."""

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
