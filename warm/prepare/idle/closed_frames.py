"""Which frames of a clip show the mouth closed.

The landmarks alone call a mouth closed that shows the edges of its teeth; along closed lips,
though, the picture is even, and along teeth and dark gaps it is not.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import sample_at
from warm.prepare.idle.lower_face import INNER_LOWER, INNER_UPPER

CLOSED_SHARE = 0.14
"""This share of the frames counts as showing the resting mouth."""
MIN_CLOSED_FRAMES, MAX_CLOSED_FRAMES = 5, 200
TRIED = 2
"""So many times as many frames, those with the smallest gaps, are looked at."""
LINES = np.linspace(-0.25, 1.25, 7)
"""The lines looked along: 0 is the upper inner lip, 1 the lower one."""
SAMPLES, SHADING_DEGREE = 41, 4


def find_closed_frames(
    frames: NDArray[np.uint8], landmarks: NDArray[np.float32], gaps: NDArray[np.float64]
) -> NDArray[np.intp]:
    """The frames that show the mouth most nearly closed, the best first.

    frames (n, h, w, 3), landmarks (n, 468, 3), gaps (n,) in IOD.
    """
    wanted = int(np.clip(round(CLOSED_SHARE * len(gaps)), MIN_CLOSED_FRAMES, MAX_CLOSED_FRAMES))
    tried = np.argsort(gaps, kind="stable")[: TRIED * wanted]
    flaws = [gaps[i] + unevenness(frames[i], landmarks[i]) for i in tried]
    return tried[np.argsort(flaws, kind="stable")[:wanted]]


def unevenness(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> float:
    """How much the light changes along the lips' meeting line, as a share of its mean, 0….

    Slow changes, such as a round mouth's shading, do not count.
    """
    upper, lower = landmarks[list(INNER_UPPER), :2], landmarks[list(INNER_LOWER), :2]
    along = np.linspace(1, len(upper) - 2, SAMPLES)
    places = np.stack([between(upper + (lower - upper) * t, along) for t in LINES])
    light = sample_at(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), places).astype(np.float64)
    axis = np.linspace(-1, 1, SAMPLES)
    shading = np.polynomial.polynomial.polyfit(axis, light.T, SHADING_DEGREE)
    rough = light - np.polynomial.polynomial.polyval(axis, shading)
    return float((rough.std(axis=1) / np.maximum(light.mean(axis=1), 1)).mean())


def between(line: NDArray[np.floating], at: NDArray[np.floating]) -> NDArray[np.float32]:
    """(len(at), 2) places on a polyline (k, 2), `at` counted in its points."""
    steps = np.arange(len(line))
    return np.column_stack([np.interp(at, steps, line[:, k]) for k in (0, 1)]).astype(np.float32)
