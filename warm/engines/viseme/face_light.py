"""Light on the face: the brightness of its skin and eyes, and the side that it comes from."""

from dataclasses import dataclass

import cv2
import numpy as np

from stabilizers.similarity import apply
from warm.engines.viseme.anatomy import CHEEKS, CHIN_PAD, Anatomy, Floats, Pixels
from warm.engines.viseme.picture_tone import luma

SKIN = np.concatenate([CHEEKS, CHIN_PAD])
EYES = np.array([[33, 160, 158, 133, 153, 144], [362, 385, 387, 263, 373, 380]])
"""Landmarks of the skin around the mouth, and around each eye."""
BLUR_IOD = 0.02
"""Blur of the picture from which single landmarks are read."""
LIT_SHARE = 0.5
"""Share of the skin's points that count as lit: the brightest."""
WHITE_PERCENTILE = 85.0
"""Percentile of an eye's pixels that counts as its white."""
STEEPEST = 0.7
"""Limit of the light's slope."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceLight:
    """Light on the face in one picture."""

    skin: Floats
    """(3,) BGR 0…255 of the lit skin around the mouth."""
    eye_white: float
    """Luma of the whites of the brighter eye, 0…255."""
    slope: float
    """Rise of the light's logarithm per IOD towards the right of the picture."""

    @classmethod
    def of(cls, anatomy: Anatomy, frame: Pixels) -> "FaceLight":
        """Measure the avatar's first frame (h, w, 3) BGR."""
        points = apply(anatomy.to_frame[0], anatomy.points)
        skin = skin_colours(frame, points[SKIN], BLUR_IOD * pixels_per_iod(anatomy))
        bright = np.argsort(luma(skin))[-round(LIT_SHARE * len(skin)) :]
        eyes = [luma(pixels_inside(frame, points[eye])) for eye in EYES]
        white = max(float(np.percentile(eye, WHITE_PERCENTILE)) for eye in eyes)
        slope = light_slope(anatomy.points[SKIN, 0], luma(skin))
        return cls(skin[bright].mean(axis=0), white, slope)


def pixels_per_iod(anatomy: Anatomy) -> float:
    """Pixels per IOD in the first frame."""
    return float(np.sqrt(np.linalg.det(anatomy.to_frame[0][:, :2])))


def skin_colours(frame: Pixels, points: Floats, blur_px: float) -> Floats:
    """(k, 3) BGR of the blurred frame at points (k, 2)."""
    soft = cv2.GaussianBlur(frame, (0, 0), blur_px)
    last = [frame.shape[1] - 1, frame.shape[0] - 1]
    x, y = np.clip(np.round(points).astype(int), 0, last).T
    return np.asarray(soft[y, x], np.float64)


def pixels_inside(frame: Pixels, outline: Floats) -> Floats:
    """(k, 3) BGR pixels of a frame inside a polygon, at least one."""
    mask = np.zeros(frame.shape[:2], np.uint8)
    inside = np.clip(np.round(outline), 0, [frame.shape[1] - 1, frame.shape[0] - 1])
    cv2.fillPoly(mask, [inside.astype(np.int32)], (1,))
    return np.asarray(frame[mask > 0], np.float64)


def light_slope(across: Floats, level: Floats) -> float:
    """Rise of the logarithm of `level` (k,) along `across` (k,) IOD, within ±STEEPEST.

    The two sides are compared by their medians: moles, beards and highlights have little effect.
    """
    left, right = across < 0, across > 0
    if not (left.any() and right.any()):
        return 0.0
    brightness = np.log(np.maximum(level, 1.0))
    rise = np.median(brightness[right]) - np.median(brightness[left])
    distance = np.median(across[right]) - np.median(across[left])
    return float(np.clip(rise / distance, -STEEPEST, STEEPEST))
