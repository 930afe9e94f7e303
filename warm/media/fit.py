"""The size in which pictures are used: bounded, and even, as H.264 with 4:2:0 colour wants it."""

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_SIDE = 64
"""Shorter sides cannot hold a usable face."""


def fitted_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) scaled so that no side exceeds `max_side`; not yet even."""
    longest = max(width, height)
    if longest <= max_side:
        return width, height
    return (
        max(1, round(width * max_side / longest)),
        max(1, round(height * max_side / longest)),
    )


def shrunk(picture: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """A (h, w, c) picture scaled down by area where it is larger than `max_side`."""
    height, width = picture.shape[:2]
    size = fitted_size(width, height, max_side)
    if size == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def evened(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A view without the last row or column where there is an odd number of them."""
    height, width = picture.shape[:2]
    return picture[: height & ~1, : width & ~1]
