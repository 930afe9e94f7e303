"""Regions of the face that an engine may change: a box, and a soft mask below the nose."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import CANONICAL_SIZE
from warm.face.landmarks import to_68

JAW, NOSE_MIDDLE, NOSE_BASE = slice(1, 16), 29, 33
"""Indices of the 68-point convention."""
FEATHER_PX = 6.0
"""Sigma of the mask's soft edge in the canonical crop."""


def face_boxes(landmarks: NDArray[np.float32], bbox_shift: int) -> NDArray[np.float32]:
    """Return (n, 4) xyxy boxes around the 68 points of (n, 468, 3) landmarks, as MuseTalk crops.

    The centre of a box is the middle of the nose moved by `bbox_shift` pixels (positive is down);
    its lower edge is the lowest point. A shift therefore moves the upper edge by twice as much.
    """
    points = to_68(landmarks)[..., :2]
    low, high = points.min(axis=1), points.max(axis=1)
    middle = points[:, NOSE_MIDDLE, 1] + bbox_shift
    top = np.maximum(2 * middle - high[:, 1], 0)
    return np.column_stack([low[:, 0], top, high[:, 0], high[:, 1]]).astype(np.float32)


def mouth_mask(
    landmarks: NDArray[np.float32], transforms: NDArray[np.float64], bbox_shift: int
) -> NDArray[np.uint8]:
    """Return a (256, 256) soft mask of the lower face in the canonical crop: 255 inside, 0 outside.

    The outline is the clip's median jaw, closed by a line under the nose; `bbox_shift` (frame
    pixels) moves the line.
    """
    points = np.median(to_canonical(to_68(landmarks), transforms), axis=0)
    scale = float(np.median(np.hypot(transforms[:, 0, 0], transforms[:, 1, 0])))
    jaw = points[JAW]
    top = points[NOSE_BASE, 1] + bbox_shift / scale
    outline = np.vstack([jaw[jaw[:, 1] > top], [jaw[-1, 0], top], [jaw[0, 0], top]])
    mask = np.zeros((CANONICAL_SIZE, CANONICAL_SIZE), np.uint8)
    cv2.fillPoly(mask, [outline.round().astype(np.int32)], 255)
    kernel = round(3 * FEATHER_PX) | 1
    eroded = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (kernel, kernel)))
    return np.asarray(cv2.GaussianBlur(eroded, (0, 0), FEATHER_PX), np.uint8)


def to_canonical(
    points: NDArray[np.float32], transforms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map (n, k, 2 or more) frame points into the canonical crop of each frame: (n, k, 2)."""
    centred = points[..., :2] - transforms[:, None, :, 2]
    return np.asarray(np.linalg.solve(transforms[:, None, :, :2], centred[..., None])[..., 0])
