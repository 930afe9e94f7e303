"""A drawn pair of eyes with known lids, and its landmarks."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.prepare.idle.blinks import BROWS, EYES

Picture = NDArray[np.uint8]
SKIN = (120, 160, 210)
LASH = (25, 30, 45)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnEyes:
    """A picture of two eyes."""

    picture: Picture
    landmarks: NDArray[np.float32]
    """(468, 3); only those of the eyes and brows are set."""
    width: float
    """Of an eye, pixels."""

    def at(self, side: int, along: float, down: float) -> tuple[int, int]:
        """Return row and column at a place of an eye, in eye widths from its outer corner."""
        upper, _ = EYES[side]
        corners = self.landmarks[[upper[0], upper[-1]], :2][:: -1 if side else 1]
        x, y = corners[0] + along * (corners[1] - corners[0]) + [0, down * self.width]
        return round(float(y)), round(float(x))


def draw_eyes(
    width: float = 44,
    *,
    skin: tuple[int, int, int] = SKIN,
    opening: float = 1.0,
    grain: float = 3.0,
) -> DrawnEyes:
    """Draw open eyes `width` pixels wide; `opening` is relative to that of a wide open eye."""
    size = round(5 * width), round(2.4 * width)
    landmarks = np.zeros((468, 3), np.float32)
    picture = np.full((size[1], size[0], 3), skin, np.uint8)
    for side, ((upper, lower), brow) in enumerate(zip(EYES, BROWS, strict=True)):
        left = np.array([(1 + 2 * side) * width, 1.25 * width])
        along = np.linspace(0, 1, 9)
        arch = np.sin(np.pi * along) * opening
        landmarks[list(upper), :2] = left + np.column_stack([along, -0.25 * arch]) * width
        landmarks[list(lower), :2] = left + np.column_stack([along, 0.14 * arch]) * width
        hair = np.column_stack([np.linspace(0, 1, 5), np.full(5, -0.75)])
        landmarks[list(brow), :2] = left + hair * width
        draw_eye(picture, landmarks, side, width)
    noise = np.random.default_rng(1).normal(0, grain, picture.shape[:2])
    picture = np.clip(picture + noise[..., None], 0, 255).astype(np.uint8)
    return DrawnEyes(picture, landmarks, width)


def draw_eye(picture: Picture, landmarks: NDArray[np.float32], side: int, width: float) -> None:
    """Draw brow, white, iris and lash line of one eye."""
    upper, lower = (landmarks[list(line), :2] for line in EYES[side])
    rim = fixed(np.vstack([upper, lower[::-1]]))
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, [rim], (1,), shift=4)
    eye = np.full_like(picture, 235)
    middle = (upper[4] + lower[4]) / 2
    centre = fixed(middle)
    cv2.circle(
        eye, (int(centre[0]), int(centre[1])), int(0.2 * width * 16), (70, 40, 20), -1, shift=4
    )
    picture[inside > 0] = eye[inside > 0]
    thick = max(1, round(0.05 * width))
    cv2.polylines(picture, [fixed(upper)], False, LASH, thick, cv2.LINE_AA, shift=4)
    brow = landmarks[list(BROWS[side]), :2] - [0, 0.08 * width]
    cv2.polylines(picture, [fixed(brow)], False, (30, 40, 60), round(0.16 * width), shift=4)


def fixed(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Return points in sixteenths of a pixel."""
    return np.rint(points * 16).astype(np.int32)
