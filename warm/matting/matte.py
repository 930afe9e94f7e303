"""Mattes: the opacity of the person in each pixel of a picture, and of a sequence of pictures."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.face.segmenter import SIDE, PersonSegmenter

Matte = NDArray[np.float32]
"""(h, w) within 0 and 1; 1 is the person."""
Picture = NDArray[np.uint8]
"""(h, w, 3) BGR."""

SURE = 0.5
"""Confidence from which a place belongs to the shape of the person."""
RADIUS = 1 / 48
"""Radius of the edge filter, in shorter sides of the picture: an edge of the network's map, which
has 256 places a side, is off by less."""
EDGE_VARIANCE = 2e-4
"""Variance of brightness (0 to 1) above which a step in the picture is an edge of the matte."""
FAINT, SOLID = 0.08, 0.92
"""Opacities at and beyond which a pixel is fully transparent, or fully opaque."""
HOLD = 0.85
"""Weight of the last matte where a picture has not changed."""
CHANGE = 6.0
"""Change of a pixel, in levels of 255, beyond which little of the last matte is kept."""
LEAST = 1 / 255
"""Smaller opacities are none."""


class Matting:
    """Mattes of the pictures of one sequence, in order. One thread at a time.

    Where a picture has not changed, most of the last matte is kept, so that edges do not flicker;
    where something moves, the network decides at once.
    """

    def __init__(self, models: Path) -> None:
        """`models`: folder of the face models; raises FaceModelError."""
        self._segmenter = PersonSegmenter(models)
        self._last: Matte | None = None
        self._seen: NDArray[np.float32] | None = None
        """The last picture, small."""

    def matte(self, picture: Picture) -> Matte:
        """Return the matte of the next picture."""
        matte = refined(self._segmenter.confidence(picture), picture)
        small = scaled(picture.astype(np.float32), (SIDE, SIDE))
        if self._last is not None and self._seen is not None:
            change = cv2.blur(np.abs(small - self._seen).mean(axis=2), (5, 5))
            kept = scaled(HOLD * np.exp(-((change / CHANGE) ** 2)), matte.shape[::-1])
            matte = (1 - kept) * matte + kept * self._last
            matte[matte > 1 - LEAST] = 1
            matte[matte < LEAST] = 0
        self._last, self._seen = matte, small
        return matte


def refined(confidence: Matte, picture: Picture) -> Matte:
    """Return the matte of a picture from the (256, 256) confidence of the network."""
    height, width = picture.shape[:2]
    coarse = scaled(main_shape(confidence), (width, height))
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32) / np.float32(255)
    radius = max(2, round(RADIUS * min(height, width)))
    edges = guided_filter(grey, coarse, radius, EDGE_VARIANCE)
    return np.asarray(np.clip((edges - FAINT) / (SOLID - FAINT), 0, 1), np.float32)


def scaled(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return (h, w) or (h, w, n) values scaled to (width, height); smaller ones are means."""
    method = cv2.INTER_AREA if size[0] < values.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, size, interpolation=method), np.float32)


def main_shape(confidence: Matte) -> Matte:
    """Return the confidence of the largest connected shape, without holes; 0 elsewhere.

    The margin around the shape keeps its soft edge.
    """
    _count, labels, stats, _centres = cv2.connectedComponentsWithStats(
        (confidence > SURE).astype(np.uint8), connectivity=8
    )
    if len(stats) < 2:
        return np.zeros_like(confidence)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    shape = (labels == largest).astype(np.uint8)
    outside = holes_filled(shape)
    near = cv2.dilate(outside, np.ones((9, 9), np.uint8))
    inner = cv2.erode(outside, np.ones((9, 9), np.uint8))
    return np.where(inner > 0, 1, np.where(near > 0, confidence, 0)).astype(np.float32)


def holes_filled(shape: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (h, w) of 0 and 1 with everything filled that the shape encloses."""
    contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(shape)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled


def guided_filter(guide: Matte, values: Matte, radius: int, variance: float) -> Matte:
    """Smooth `values` except where `guide` has an edge (He, Sun and Tang, 2010).

    `radius` in pixels; smaller steps of the guide than the root of `variance` are no edges.
    """
    side = (2 * radius + 1, 2 * radius + 1)
    mean_guide, mean_values = cv2.blur(guide, side), cv2.blur(values, side)
    covariance = cv2.blur(guide * values, side) - mean_guide * mean_values
    slope = covariance / (cv2.blur(guide * guide, side) - mean_guide**2 + variance)
    offset = mean_values - slope * mean_guide
    return np.asarray(cv2.blur(slope, side) * guide + cv2.blur(offset, side), np.float32)
