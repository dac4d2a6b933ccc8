"""Images by which a vision model is tried when it is loaded."""

from __future__ import annotations

import numpy as np

from probes.images import Images


def noise(n: int) -> Images:
    """Draw images by which layers are found: any two differ at every place.

    Parameters
    ----------
    n : int
        How many; always the same ones.
    """
    random = np.random.default_rng(0)
    return Images.of_arrays(random.integers(0, 256, (n, 96, 96, 3), dtype=np.uint8))
