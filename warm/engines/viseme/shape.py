"""The mouth as seven numbers: columns of a mouth track, and the sampling of mouth curves."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

CURVE_HZ = 100
"""Sampling rate of mouth curves."""
FULL_GAP_IOD = 0.27
"""Gap of the inner lips at OPEN = 1, in inter-ocular distances."""

Curve = NDArray[np.float64]


class Shape(IntEnum):
    """Columns of a `(frames, 7) float32` mouth track.

    OPEN is the gap between the inner lips in units of FULL_GAP_IOD (0 closed … 1 the widest /a/);
    all others are 0 neutral … 1 full, and WIDE may be negative for a mouth narrower than neutral.
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
    middles = (np.arange(frames) + 0.5) * CURVE_HZ / fps
    return np.interp(middles, np.arange(len(curve)), curve)


def cosine_ramp(x: Curve) -> Curve:
    """0 below 0, 1 above 1, half a cosine in between."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0.0, 1.0)))
