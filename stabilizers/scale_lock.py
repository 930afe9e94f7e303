"""Scale lock: keeps the size of a face from pulsing with its jaw."""

from collections import deque

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

TOLERANCE = 0.04
"""A lasting change of scale beyond this means that the head moves nearer or farther away."""


class ScaleLock:
    """The causal form: locks the scale at the median of the first frames. Not thread-safe.

    Once the median of the latest frames differs from the locked scale by more than TOLERANCE,
    the locked scale glides to it within about `warmup_frames` frames.
    """

    def __init__(self, warmup_frames: int) -> None:
        self._latest: deque[float] = deque(maxlen=warmup_frames)
        self._glide = 2 / warmup_frames
        self._locked: float | None = None
        self._gliding = False

    def __call__(self, scale: float) -> float:
        """Return the locked scale for the measured scale of the next frame; both are positive."""
        self._latest.append(scale)
        median = float(np.median(self._latest))
        if self._locked is None or len(self._latest) < (self._latest.maxlen or 1):
            self._locked = median
        else:
            self._follow(self._locked, median)
        return self._locked

    def _follow(self, locked: float, median: float) -> None:
        difference = abs(np.log(median / locked))
        self._gliding = difference > (TOLERANCE / 8 if self._gliding else TOLERANCE)
        if self._gliding:
            self._locked = locked * (median / locked) ** self._glide


def lock_scale(scales: NDArray[np.float64], warmup_frames: int) -> NDArray[np.float64]:
    """Lock the scales of a whole clip without lag: (n,) positive scales in, (n,) out.

    The result is the clip's median, or the smoothed running median over `warmup_frames` if that
    differs from it by more than TOLERANCE.
    """
    window = min(warmup_frames, len(scales)) | 1
    slow = np.log(median_filter(scales, size=window, mode="nearest"))
    level = np.median(np.log(scales))
    if np.abs(slow - level).max() <= TOLERANCE:
        return np.full(len(scales), np.exp(level))
    return np.exp(gaussian_filter1d(slow, warmup_frames / 4, mode="nearest"))
