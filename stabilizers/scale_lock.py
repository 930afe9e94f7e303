"""Scale lock: the size of a face does not pulse with its jaw."""

from collections import deque

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

TOLERANCE = 0.04
"""A lasting change of scale larger than this is the head coming nearer, not noise."""


class ScaleLock:
    """The causal form: the median of the first frames, then held. Not thread-safe.

    When the median of the latest frames has left the lock by more than TOLERANCE, the lock
    glides to it within about as many frames.
    """

    def __init__(self, warmup_frames: int) -> None:
        self._latest: deque[float] = deque(maxlen=warmup_frames)
        self._glide = 2 / warmup_frames
        self._locked: float | None = None
        self._gliding = False

    def __call__(self, scale: float) -> float:
        """The locked scale for the next frame's measured one; both positive."""
        self._latest.append(scale)
        median = float(np.median(self._latest))
        if self._locked is None or len(self._latest) < (self._latest.maxlen or 1):
            self._locked = median
        else:
            self._follow(self._locked, median)
        return self._locked

    def _follow(self, locked: float, median: float) -> None:
        away = abs(np.log(median / locked))
        self._gliding = away > (TOLERANCE / 8 if self._gliding else TOLERANCE)
        if self._gliding:
            self._locked = locked * (median / locked) ** self._glide


def lock_scale(scales: NDArray[np.float64], warmup_frames: int) -> NDArray[np.float64]:
    """Zero-lag form for a whole clip: (n,) positive scales in, (n,) out.

    The clip's median, unless the running median over `warmup_frames` leaves it by more than
    TOLERANCE: then that running median, smoothed, is followed instead.
    """
    window = min(warmup_frames, len(scales)) | 1
    slow = np.log(median_filter(scales, size=window, mode="nearest"))
    level = np.median(np.log(scales))
    if np.abs(slow - level).max() <= TOLERANCE:
        return np.full(len(scales), np.exp(level))
    return np.exp(gaussian_filter1d(slow, warmup_frames / 4, mode="nearest"))
