"""Temporal smoothing of the restored detail of one face, so that it does not flicker.

The detail is the difference between the restored crop and the crop itself. It is smoothed
recursively along the motion of the source in the crop, found by optical flow. Where the source has
changed, such as at opening lips, only the new detail counts. The source itself is never filtered,
so the smoothing delays no movement.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.enhance.planes import Detail

FLOW_SIDE = 192
"""Side of the crops in which the motion is estimated, pixels."""
KEPT = 0.85
"""Weight of the past where the source has not changed."""
NOISE_LEVELS = 5.0
"""Change of the source, in luma levels, at which that weight has fallen to 37 %."""
SPREAD = 7
"""Side of the window over which that change is averaged, pixels of the flow field."""
GAP_IOD = 0.03
"""Change of the lip gap in one frame, in eye distances, at which the mouth keeps no past detail."""
MOUTH = ((256, 372), (105, 75))
"""Centre and semi-axes of the ellipse around the mouth, in pixels of the 512-pixel template."""


class DetailFilter:
    """Smooths the detail of one face. Not thread-safe."""

    def __init__(self, size: int) -> None:
        """`size`: width and height of the crops."""
        self._size = size
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._mouth = mouth_mask(FLOW_SIDE)
        self.detail: Detail | None = None
        """Smoothed detail of the last frame; None before the first."""
        self.source: NDArray[np.uint8] | None = None
        """(FLOW_SIDE, FLOW_SIDE) luma of the last frame's crop."""
        self.gap = 0.0
        """Gap between the lips in the last frame."""

    def reset(self) -> None:
        """Forget the past."""
        self.detail = self.source = None

    def __call__(self, detail: Detail, crop: NDArray[np.uint8], gap: float) -> Detail:
        """Return the smoothed detail of the next frame; `crop`: its (size, size, 3) BGR crop."""
        side = (FLOW_SIDE, FLOW_SIDE)
        small = cv2.resize(crop, side, interpolation=cv2.INTER_AREA)
        source = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
        if self.detail is not None and self.source is not None:
            detail = self._mixed(detail, self.detail, source, self.source, gap)
        self.detail, self.source, self.gap = detail, source, gap
        return detail

    def _mixed(
        self,
        detail: Detail,
        past: Detail,
        source: NDArray[np.uint8],
        past_source: NDArray[np.uint8],
        gap: float,
    ) -> Detail:
        start = np.zeros((*source.shape, 2), np.float32)
        flow = np.asarray(self._flow.calc(source, past_source, start), np.float32)
        moved_source = moved(past_source.astype(np.float32), flow)
        weight = self._weight(source, moved_source, gap)
        full = (self._size, self._size)
        scale = self._size / FLOW_SIDE
        large = np.asarray(cv2.resize(flow, full) * scale, np.float32)
        kept = cv2.resize(weight, full)[..., None]
        return np.asarray(detail + kept * (moved(past, large) - detail), np.float32)

    def _weight(
        self, source: NDArray[np.uint8], moved_source: NDArray[np.float32], gap: float
    ) -> NDArray[np.float32]:
        """Return the (FLOW_SIDE, FLOW_SIDE) weight of the past."""
        change = cv2.blur(np.abs(source - moved_source), (SPREAD, SPREAD))
        kept = KEPT * np.exp(-((change / NOISE_LEVELS) ** 2))
        still = 1.0 - min(1.0, abs(gap - self.gap) / GAP_IOD)
        return np.asarray(kept * (1 - self._mouth * (1 - still)), np.float32)


def moved(picture: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the picture sampled at each pixel plus the (h, w, 2) flow there."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    border = cv2.BORDER_REPLICATE
    return np.asarray(
        cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=border)
    )


def mouth_mask(side: int) -> NDArray[np.float32]:
    """Return a soft (side, side) mask of the mouth in an aligned crop, 0 to 1."""
    scale = side / 512
    (x, y), (half_width, half_height) = MOUTH
    mask = np.zeros((side, side), np.float32)
    centre, axes = (round(x * scale), round(y * scale)), (half_width * scale, half_height * scale)
    cv2.ellipse(mask, centre, (round(axes[0]), round(axes[1])), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), side / 32), np.float32)
