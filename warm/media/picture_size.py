"""Scaling of pictures to a bounded size with even sides, as H.264 with 4:2:0 colour requires."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.media.sniff import MediaError

MIN_SIDE = 8
"""Smallest side of a picture after scaling, pixels."""


def scaled_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) scaled so that no side exceeds `max_side`; may be odd.

    Raises MediaError if the shorter side is less than MIN_SIDE.
    """
    scale = min(1.0, max_side / max(width, height))
    size = round(width * scale), round(height * scale)
    if min(size) < MIN_SIDE:
        raise MediaError(
            f"The picture has {width}x{height} pixels, scaled to {size[0]}x{size[1]}; each side "
            f"needs at least {MIN_SIDE} pixels. Send a picture of a face."
        )
    return size


def scale_down(picture: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """Scale a (h, w, c) picture down by area if a side exceeds `max_side`."""
    height, width = picture.shape[:2]
    size = scaled_size(width, height, max_side)
    if size == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def crop_to_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a view without the last row or column if their number is odd."""
    height, width = picture.shape[:2]
    return picture[: height & ~1, : width & ~1]
