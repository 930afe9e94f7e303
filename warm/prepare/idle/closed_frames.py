"""Detection of the frames of a clip that show the mouth closed.

By the landmarks alone, a mouth that shows the edges of its teeth counts as closed. But brightness
is even along closed lips, and uneven along teeth and dark gaps.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import sample_at
from warm.face.landmarks import inter_ocular
from warm.prepare.idle.lower_face import INNER_LOWER, INNER_UPPER

CLOSED_SHARE = 0.14
"""Share of the frames that count as showing the resting mouth."""
MIN_CLOSED_FRAMES, MAX_CLOSED_FRAMES = 5, 200
CANDIDATES = 2
"""Candidates per closed frame: the frames with the smallest gaps."""
LINES = np.linspace(-0.25, 1.25, 7)
"""Sampled lines: 0 is the upper inner lip, 1 the lower one."""
SAMPLES, SHADING_DEGREE = 41, 4
BLUR_IOD = 0.02


def find_closed_frames(
    frames: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    gaps: NDArray[np.float64],
    covered: NDArray[np.bool_] | None = None,
) -> NDArray[np.intp]:
    """Return the frames that show the mouth most nearly closed, best first.

    frames (n, h, w, 3), landmarks (n, 468, 3), gaps (n,) in IOD. Frames that are `covered` (n,) do
    not show it, unless all are.
    """
    shown = np.arange(len(gaps))
    if covered is not None and not covered.all():
        shown = shown[~covered]
    count = int(np.clip(round(CLOSED_SHARE * len(shown)), MIN_CLOSED_FRAMES, MAX_CLOSED_FRAMES))
    candidates = shown[np.argsort(gaps[shown], kind="stable")[: CANDIDATES * count]]
    scores = [gaps[i] + unevenness(frames[i], landmarks[i]) for i in candidates]
    return candidates[np.argsort(scores, kind="stable")[:count]]


def unevenness(picture: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> float:
    """Return the variation of brightness along the closed lips' line, relative to its mean.

    Slow changes, such as the shading of a round mouth, do not count. Nor does sharpness: all
    pictures are blurred a little, because otherwise blurred ones would seem the best closed.
    """
    inner = landmarks[[*INNER_UPPER, *INNER_LOWER], :2]
    sigma = BLUR_IOD * float(inter_ocular(landmarks))
    low = np.maximum(inner.min(axis=0) - 4 * sigma, 0).astype(int)
    high = np.maximum(inner.max(axis=0) + 4 * sigma, low + 1).astype(int)
    mouth = np.ascontiguousarray(picture[low[1] : high[1] + 1, low[0] : high[0] + 1])
    if mouth.size == 0:
        return 0.0
    grey = cv2.GaussianBlur(cv2.cvtColor(mouth, cv2.COLOR_BGR2GRAY), (0, 0), sigma)
    upper, lower = np.split(inner - low, 2)
    along = np.linspace(1, len(upper) - 2, SAMPLES)
    points = np.stack([points_on(upper + (lower - upper) * t, along) for t in LINES])
    light = sample_at(grey, points).astype(np.float64)
    axis = np.linspace(-1, 1, SAMPLES)
    shading = np.polynomial.polynomial.polyfit(axis, light.T, SHADING_DEGREE)
    residual = light - np.polynomial.polynomial.polyval(axis, shading)
    return float((residual.std(axis=1) / np.maximum(light.mean(axis=1), 1)).mean())


def points_on(line: NDArray[np.floating], at: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (len(at), 2) points on a polyline (k, 2); `at` counts in its vertices."""
    steps = np.arange(len(line))
    return np.column_stack([np.interp(at, steps, line[:, k]) for k in (0, 1)]).astype(np.float32)
