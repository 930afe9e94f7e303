"""The box of the face, the crop that the network reads, and the masked network input."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CROP = 256
"""Side of the picture that the network reads and draws, pixels."""
NOSE_MIDDLE = 29
"""Landmark of the 68 at the vertical middle of the box."""
CHIN_MARGIN_PX = 10
"""Margin below the chin, pixels of the frame."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A rectangle in pixels of a frame; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.bottom - self.top


def face_box(points: NDArray[np.floating], *, shift: int) -> FaceBox:
    """Box around (68, 2) landmarks, by the reference's rule.

    Its top is as far above the middle of the nose, moved down by `shift`, as the lowest landmark
    is below it.
    """
    whole = points[:, :2].astype(np.int32)
    low, high = whole.min(axis=0), whole.max(axis=0)
    top = 2 * (whole[NOSE_MIDDLE, 1] + shift) - high[1]
    return FaceBox(int(low[0]), int(top), int(high[0]), int(high[1]) + CHIN_MARGIN_PX)


def clip_box(box: FaceBox, size: tuple[int, int]) -> FaceBox:
    """Part of a box that lies in a frame of (width, height)."""
    return FaceBox(
        max(0, box.left), max(0, box.top), min(box.right, size[0]), min(box.bottom, size[1])
    )


def crop_face(frame: Picture, box: FaceBox) -> Picture:
    """(CROP, CROP, 3) content of a box of a (h, w, 3) frame, resized by Lanczos."""
    inside = frame[box.top : box.bottom, box.left : box.right]
    return np.asarray(cv2.resize(inside, (CROP, CROP), interpolation=cv2.INTER_LANCZOS4), np.uint8)


def network_inputs(crop: Picture) -> NDArray[np.float32]:
    """(CROP, CROP, 3) BGR to (2, 3, CROP, CROP) RGB in -1…1: lower half black, then unmasked."""
    rgb = crop[..., ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    masked = rgb.copy()
    masked[:, CROP // 2 :] = 0
    return (np.stack([masked, rgb]) - np.float32(0.5)) / np.float32(0.5)
