"""The face's box, the crop the network sees, and what of it is hidden."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

CROP = 256
"""Side of the picture that the network reads and draws, pixels."""
NOSE_MIDDLE = 29
"""Of the 68 points: the middle of the box."""
CHIN_MARGIN_PX = 10
"""Room below the chin, pixels of the frame."""

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a frame's pixels; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Pixels down."""
        return self.bottom - self.top


def face_box(points: NDArray[np.floating], *, shift: int) -> Box:
    """The box around (68, 2) landmarks, as the reference cuts it.

    It is as high above the nose's middle, moved down by `shift`, as the lowest point is below.
    """
    whole = points[:, :2].astype(np.int32)
    low, high = whole.min(axis=0), whole.max(axis=0)
    top = 2 * (whole[NOSE_MIDDLE, 1] + shift) - high[1]
    return Box(int(low[0]), int(top), int(high[0]), int(high[1]) + CHIN_MARGIN_PX)


def within(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that lies in a frame of (width, height)."""
    return Box(max(0, box.left), max(0, box.top), min(box.right, size[0]), min(box.bottom, size[1]))


def cut(frame: Picture, box: Box) -> Picture:
    """(CROP, CROP, 3) of what a box shows of a (h, w, 3) frame."""
    inside = frame[box.top : box.bottom, box.left : box.right]
    return np.asarray(cv2.resize(inside, (CROP, CROP), interpolation=cv2.INTER_LANCZOS4), np.uint8)


def network_inputs(crop: Picture) -> NDArray[np.float32]:
    """(CROP, CROP, 3) BGR to (2, 3, CROP, CROP) RGB in -1…1: lower half black, then all of it."""
    bright = crop[..., ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    masked = bright.copy()
    masked[:, CROP // 2 :] = 0
    return (np.stack([masked, bright]) - np.float32(0.5)) / np.float32(0.5)
