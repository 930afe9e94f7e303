"""Pauses of two recordings, which rarely agree: they are shortened before a comparison."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

KEPT_FRAMES = 6
"""Frames that remain of a pause: fewer than a closure has, and enough to recognise one."""


def silent_runs(silent: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the first frame of each silent run and the frame after its last one."""
    edges = np.flatnonzero(np.diff(silent, prepend=False, append=False))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def without_long_pauses(silent: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the indices of the frames that remain; the middle of each long pause is left out.

    Of a pause at either end the part next to the speech remains.
    """
    kept = np.ones(len(silent), bool)
    for first, end in silent_runs(silent):
        before = 0 if first == 0 else KEPT_FRAMES // 2
        after = KEPT_FRAMES - before
        if end == len(silent):
            before, after = KEPT_FRAMES - after % KEPT_FRAMES, 0
        kept[first + before : max(end - after, first + before)] = False
    return np.flatnonzero(kept)
