"""Blinks of a portrait: the lids of both eyes at any closure, as a picture or as patches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from warm.prepare.idle.eye_region import EyeRegion
from warm.prepare.idle.eyelids import Eyelid, to_pixels

# Mesh landmarks from the outer to the inner corner (right eye), inner to outer (left eye).
RIGHT_UPPER, RIGHT_LOWER = (33, 246, 161, 160, 159, 158, 157, 173, 133), (
    33, 7, 163, 144, 145, 153, 154, 155, 133)  # fmt: skip
LEFT_UPPER, LEFT_LOWER = (362, 398, 384, 385, 386, 387, 388, 466, 263), (
    362, 382, 381, 380, 374, 373, 390, 249, 263)  # fmt: skip
EYES = ((RIGHT_UPPER, RIGHT_LOWER), (LEFT_UPPER, LEFT_LOWER))
BROWS = ((46, 53, 52, 65, 55), (276, 283, 282, 295, 285))
"""Landmarks of the lower edge of the right and of the left brow."""

MIN_WIDTH_PX, MIN_WIDTH = 6.0, 0.3
"""A narrower eye, in pixels or relative to the other one, is turned away and does not blink."""
MIN_CONTRAST = 0.25
"""An eye with less contrast is closed, or behind a dark lens or hair, and does not blink."""


@dataclass(frozen=True, slots=True, eq=False)
class EyePatch:
    """One eye with its lid drawn, to be pasted at `xyxy` in the photo or, warped, in a frame."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    mask: NDArray[np.float32]
    """(h, w) opacity 0…1, the same for every closure; 0 at the patch's border."""
    xyxy: tuple[int, int, int, int]
    """Pixels of the photo that the patch covers."""


class EyelidPainter:
    """Draws the lids of one portrait."""

    def __init__(self, photo: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> None:
        """photo: (h, w, 3) BGR; landmarks: (468, 3) of its face."""
        self._photo = photo
        regions = {
            side: eye_region(photo, landmarks, side)
            for side in visible_eyes(landmarks, photo.shape)
        }
        eyelids = [
            Eyelid(region, landmarks[list(BROWS[side]), :2])
            for side, region in regions.items()
            if region.contrast > MIN_CONTRAST
        ]
        self._eyelids = [eyelid for eyelid in eyelids if eyelid.mask.any()]

    def paint(self, closure: float) -> NDArray[np.uint8]:
        """Return the portrait with its lids at `closure` (0 as in the photo … 1 closed)."""
        if not closure:
            return self._photo
        photo = self._photo.copy()
        for eyelid in self._eyelids:
            x0, y0, x1, y1 = eyelid.eye.xyxy
            photo[y0:y1, x0:x1] = eyelid.paint(closure)
        return photo

    def patches(self, closure: float) -> list[EyePatch]:
        """Return the eyes with their lids at `closure`; an eye that is hidden or closed has none.

        Pasted over the photo with their masks, they give the picture of `paint`.
        """
        return [patch_of(eyelid, closure) for eyelid in self._eyelids]


def patch_of(eyelid: Eyelid, closure: float) -> EyePatch:
    """Return one eye, cropped to what a blink changes and a transparent border."""
    rows, columns = (np.flatnonzero(eyelid.mask.any(axis=axis)) for axis in (1, 0))
    top, bottom = max(0, rows[0] - 1), rows[-1] + 2
    left, right = max(0, columns[0] - 1), columns[-1] + 2
    drawn = to_pixels(eyelid.draw(closure)[top:bottom, left:right])
    height, width = drawn.shape[:2]
    x0, y0 = eyelid.eye.xyxy[0] + int(left), eyelid.eye.xyxy[1] + int(top)
    mask = eyelid.mask[top:bottom, left:right]
    return EyePatch(drawn, mask, (x0, y0, x0 + width, y0 + height))


def visible_eyes(landmarks: NDArray[np.float32], shape: tuple[int, ...]) -> list[int]:
    """Return the eyes (0 right, 1 left) that are seen well enough to be drawn."""
    size = np.array([shape[1], shape[0]])
    corners, widths = eye_corners(landmarks), eye_widths(landmarks)
    inside = ((corners >= 0) & (corners < size)).all(axis=(1, 2))
    wide = (widths > MIN_WIDTH_PX) & (widths > MIN_WIDTH * widths.max())
    return [int(side) for side in np.flatnonzero(inside & wide)]


def eye_corners(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (eyes, corners, 2) pixels of both eyes, the right one first."""
    return np.array([landmarks[[upper[0], upper[-1]], :2] for upper, _ in EYES])


def eye_widths(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (2,) pixels between the corners of each eye."""
    corners = eye_corners(landmarks).astype(np.float64)
    return np.asarray(np.linalg.norm(corners[:, 1] - corners[:, 0], axis=-1))


def eye_region(photo: NDArray[np.uint8], landmarks: NDArray[np.float32], side: int) -> EyeRegion:
    """Return the surroundings of the right (0) or left (1) eye."""
    upper, lower = EYES[side]
    step = -1 if side else 1
    lines = [landmarks[list(lid), :2][::step] for lid in (upper, lower)]
    width_px = float(eye_widths(landmarks).max())
    return EyeRegion(photo, *lines, width_px=width_px, mirrored=bool(side))
