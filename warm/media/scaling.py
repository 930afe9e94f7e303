"""The size in which pictures are used: bounded, and even, as H.264 with 4:2:0 colour wants it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.media.sniff import MediaError

MIN_SIDE = 8
"""Of a picture as it is used, pixels."""


def scaled_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) scaled so that no side exceeds `max_side`; not yet even.

    Raises MediaError where the shorter side would be nothing.
    """
    scale = min(1.0, max_side / max(width, height))
    size = round(width * scale), round(height * scale)
    if min(size) < MIN_SIDE:
        raise MediaError(
            f"The picture has {width}x{height} pixels, used at {size[0]}x{size[1]}; "
            f"at least {MIN_SIDE} a side are needed. Send a picture of a face."
        )
    return size


def scale_down(picture: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """A (h, w, c) picture scaled down by area where it is larger than `max_side`."""
    height, width = picture.shape[:2]
    size = scaled_size(width, height, max_side)
    if size == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def crop_to_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A view without the last row or column where there is an odd number of them."""
    height, width = picture.shape[:2]
    return picture[: height & ~1, : width & ~1]
