"""Frames of a video that are not learned from, and on which drawn mouths are scored."""

import numpy as np
from numpy.typing import NDArray

BLOCK_FRAMES, EVERY = 12, 3
"""Every third block of twelve frames is held out."""


def held_out_blocks(frames: int) -> NDArray[np.bool_]:
    """(frames,) True for every third block."""
    return np.asarray(np.arange(frames) // BLOCK_FRAMES % EVERY == EVERY - 1)


def held_out_end(frames: int, share: float) -> NDArray[np.bool_]:
    """(frames,) True for the last part."""
    return np.asarray(np.arange(frames) >= round(frames * (1 - share)))
