"""The soft mask of the lower face, by the reference's geometry."""

import cv2
import numpy as np
from PIL import Image

from warm.engines.musetalk.crop import FaceBox, Picture

PARSING_PX = 512
"""Side of the picture in which the face is parsed, pixels."""
SQUARE_SCALE = 1.5
"""Side of the parsing square, relative to the longer side of the box."""
UNMASKED_FRACTION = 0.5
"""Upper part of the square that is never changed."""
SOFTNESS = 0.1
"""Width of the soft edge, relative to the square's side, as in the reference's real-time mode."""
OFFLINE_SOFTNESS = 0.05
"""The same as in the reference's offline mode."""


def parsing_square(box: FaceBox) -> FaceBox:
    """Square around a box in which the face is parsed; it may exceed the frame."""
    half = int(max(box.width, box.height) // 2 * SQUARE_SCALE)
    x, y = (box.left + box.right) // 2, (box.top + box.bottom) // 2
    return FaceBox(x - half, y - half, x + half, y + half)


def soft_mask(parsing: Picture, box: FaceBox, *, softness: float = SOFTNESS) -> Picture:
    """(PARSING_PX, PARSING_PX) 0 or 255 to the mask of the whole `parsing_square` of a box.

    The mask is cut to the box and to the lower half of the square, then blurred.
    """
    square = parsing_square(box)
    side = square.width
    resized = np.asarray(Image.fromarray(parsing).resize((side, side)))
    mask = np.zeros_like(resized)
    inside = np.s_[
        box.top - square.top : box.bottom - square.top,
        box.left - square.left : box.right - square.left,
    ]
    mask[inside] = resized[inside]
    mask[: int(side * UNMASKED_FRACTION)] = 0
    kernel = int(softness * side // 2 * 2) + 1
    return np.asarray(cv2.GaussianBlur(mask, (kernel, kernel), 0), np.uint8)


def crop_mask(mask: Picture, box: FaceBox) -> Picture:
    """Part of a `parsing_square`'s mask that lies in its box: nothing else is pasted."""
    square = parsing_square(box)
    return mask[
        box.top - square.top : box.bottom - square.top,
        box.left - square.left : box.right - square.left,
    ]
