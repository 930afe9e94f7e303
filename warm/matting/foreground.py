"""Colours of a person at the edges of a matte, where the picture shows a mixture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.matting.matte import Matte, Picture, scaled

WIDE, NARROW = 1 / 7, 1 / 100
"""Radii of the two passes, in shorter sides of the picture."""
REDUCTION = 4
"""The wide pass is made on a picture that is smaller by this factor."""


def foreground(picture: Picture, matte: Matte) -> NDArray[np.float32]:
    """Return (h, w, 3) the person's own colours, of which the picture shows the share `matte`.

    The means of the person and of the background around each pixel are fitted to the picture, at
    first over a wide area and then over a narrow one ("blur fusion", Forte 2021).
    """
    height, width = matte.shape
    small = max(1, width // REDUCTION), max(1, height // REDUCTION)
    pixels, opacity = picture.astype(np.float32), matte[..., None]
    few, little = scaled(pixels, small), scaled(matte, small)[..., None]
    wide = fitted(few, little, few, few, side_of(WIDE, small))
    person, background = (scaled(each, (width, height)) for each in wide)
    person, _ = fitted(pixels, opacity, person, background, side_of(NARROW, (width, height)))
    return np.asarray(np.clip(person, 0, 255), np.float32)


def side_of(radius: float, size: tuple[int, int]) -> int:
    """Return the side of the squares, pixels."""
    return 2 * max(1, round(radius * min(size))) + 1


def fitted(
    pixels: NDArray[np.float32],
    opacity: NDArray[np.float32],
    person: NDArray[np.float32],
    background: NDArray[np.float32],
    side: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return better estimates of both colours, with means over squares of `side` pixels."""
    size = (side, side)
    weight = cv2.blur(opacity[..., 0], size)[..., None]
    person = cv2.blur(person * opacity, size) / (weight + 1e-5)
    background = cv2.blur(background * (1 - opacity), size) / (1 - weight + 1e-5)
    error = pixels - opacity * person - (1 - opacity) * background
    return person + opacity * error, background
