"""The mouth as seven numbers: columns of a mouth track, and the sampling of mouth curves."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

CURVE_HZ = 100
"""Sampling rate of mouth curves."""
FULL_GAP_IOD = 0.27
"""Gap of the inner lips at OPEN = 1, in inter-ocular distances."""
MAX_OPENING = 1.2
"""OPEN is limited to this: the splines are not designed for more."""

Curve = NDArray[np.float64]


class Shape(IntEnum):
    """Columns of a `(frames, 7) float32` mouth track.

    OPEN is the gap between the inner lips in units of FULL_GAP_IOD: 0 closed, 1 an ordinary /a/, at
    most MAX_OPENING. All others are 0 neutral … 1 full, and WIDE may be negative for a mouth
    narrower than neutral.
    """

    OPEN = 0
    WIDE = 1  # corners apart, as in /i/
    ROUND = 2  # lips forward and corners together, as in /u/ and /w/
    PRESS = 3  # lips pressed, as in /m b p/: overrides OPEN
    TUCK = 4  # lower lip under the upper teeth, as in /f v/
    TONGUE = 5  # tongue tip up or between the teeth, as in /l θ ð t d n/
    TEETH = 6  # teeth together and visible, as in /s z ʃ/


def points_for(frames: int, fps: int) -> int:
    """Number of curve points that cover `frames` video frames."""
    return -(-frames * CURVE_HZ // fps) + 2


def sample_frames(curve: Curve, frames: int, fps: int) -> Curve:
    """(frames,): a curve sampled at the middle of each video frame."""
    return FrameSpan(0, frames, fps).sample(curve)


@dataclass(frozen=True, slots=True)
class FrameSpan:
    """Consecutive video frames, and the points of a curve that their middles lie between."""

    start: int
    stop: int
    fps: int

    @property
    def first_point(self) -> int:
        """The last point at or before the middle of the first frame; 0 for the first frame."""
        return int(self._middles()[0]) if self.start else 0

    @property
    def points(self) -> int:
        """Number of points from `first_point` on that cover the frames."""
        return points_for(self.stop, self.fps) - self.first_point

    def sample(self, curve: Curve) -> Curve:
        """(stop - start,): a curve from `first_point` on, in the middle of each frame."""
        at = np.arange(self.first_point, self.first_point + len(curve))
        return np.interp(self._middles(), at, curve)

    def mark(self, values: Curve, times_s: Curve) -> None:
        """Set `values`, one per frame, to 1 in the frames that contain one of the times."""
        containing = np.floor(times_s * self.fps).astype(np.intp)
        inside = (self.start <= containing) & (containing < self.stop)
        values[containing[inside] - self.start] = 1.0

    def _middles(self) -> Curve:
        return (np.arange(self.start, self.stop) + 0.5) * CURVE_HZ / self.fps


def cosine_ramp(x: Curve) -> Curve:
    """0 below 0, 1 above 1, half a cosine in between."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0)))
