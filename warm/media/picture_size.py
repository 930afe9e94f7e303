"""Scaling of pictures to a bounded size with even sides, as H.264 with 4:2:0 colour requires."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from warm.media.sniff import MediaError

MIN_SIDE = 8
"""Smallest side of a picture after scaling, pixels."""
STRIP_PIXELS = 1 << 22
"""Larger photos are converted and scaled in strips of about this many pixels, to save memory."""


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
    return _resized(picture, scaled_size(picture.shape[1], picture.shape[0], max_side))


def scaled_strips(
    image: Image.Image,
    convert: Callable[[Image.Image], NDArray[np.uint8]],
    size: tuple[int, int],
) -> NDArray[np.uint8]:
    """Convert an image to (h, w, 3) and scale it down by area to (width, height) `size`.

    Scaling by area is separable: each strip is scaled to the width, all together to the height.
    """
    rows = max(1, STRIP_PIXELS // image.width)
    strips = []
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        strips.append(_resized(convert(strip), (size[0], strip.height)))
    return _resized(np.concatenate(strips), size)


def _resized(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if size == (picture.shape[1], picture.shape[0]):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def crop_to_even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a view without the last row or column if their number is odd."""
    height, width = picture.shape[:2]
    return picture[: height & ~1, : width & ~1]
