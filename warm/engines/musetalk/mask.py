"""Where a drawn mouth shows: the soft mask of the lower face, by the reference's geometry."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from warm.engines.musetalk.crop import Box

PARSING = 512
"""Side of the picture in which a face parser marks the face, pixels."""
WIDENING = 1.5
"""Side of the parser's square in longer sides of the box."""
UPPER = 0.5
"""The square's rows above this part are never changed."""
SOFTNESS = 0.1
"""Width of the soft edge in sides of the square, as the reference has it in real time …"""
OFFLINE_SOFTNESS = 0.05
"""… and when it makes films."""

Picture = NDArray[np.uint8]


def parsing_square(box: Box) -> Box:
    """The square around a box that is shown to the face parser; it may leave the frame."""
    half = int(max(box.width, box.height) // 2 * WIDENING)
    x, y = (box.left + box.right) // 2, (box.top + box.bottom) // 2
    return Box(x - half, y - half, x + half, y + half)


def soft_mask(parsing: Picture, box: Box, *, softness: float = SOFTNESS) -> Picture:
    """(PARSING, PARSING) 0 or 255 to the mask of the whole `parsing_square` of a box.

    Kept inside the box and below the square's middle, then blurred.
    """
    square = parsing_square(box)
    side = square.width
    sized = np.asarray(Image.fromarray(parsing).resize((side, side)))
    kept = np.zeros_like(sized)
    inside = np.s_[
        box.top - square.top : box.bottom - square.top,
        box.left - square.left : box.right - square.left,
    ]
    kept[inside] = sized[inside]
    kept[: int(side * UPPER)] = 0
    kernel = int(softness * side // 2 * 2) + 1
    return np.asarray(cv2.GaussianBlur(kept, (kernel, kernel), 0), np.uint8)


def inside_box(mask: Picture, box: Box) -> Picture:
    """The part of a `parsing_square`'s mask that lies in its box: nothing else is pasted."""
    square = parsing_square(box)
    return mask[
        box.top - square.top : box.bottom - square.top,
        box.left - square.left : box.right - square.left,
    ]
