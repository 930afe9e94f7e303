"""Backgrounds: a colour or a picture behind a person."""

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatars.recipe import COLOUR
from warm.matting.foreground import foreground
from warm.matting.matte import Matte, Picture
from warm.media.isolated_pictures import read_photo_isolated

MAX_SIDE = 4096
"""Longest side of a picture, pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A colour, or a picture that fills the frame."""

    picture: Picture
    """(h, w, 3) BGR; a single pixel for a colour."""

    def sized(self, width: int, height: int) -> "Background":
        """Return it with this size: a picture is scaled until it fills it, and its middle shown."""
        have_height, have_width = self.picture.shape[:2]
        scale = max(width / have_width, height / have_height)
        size = max(width, round(scale * have_width)), max(height, round(scale * have_height))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        scaled = cv2.resize(self.picture, size, interpolation=method)
        left, top = (size[0] - width) // 2, (size[1] - height) // 2
        return Background(np.ascontiguousarray(scaled[top : top + height, left : left + width]))

    def behind(self, picture: Picture, matte: Matte) -> Picture:
        """Return the person of a picture before this background, which has its size."""
        opacity = matte[..., None]
        mixed = opacity * foreground(picture, matte) + (1 - opacity) * self.picture
        result = np.rint(mixed).astype(np.uint8)
        result[matte >= 1] = picture[matte >= 1]
        return result


def colour_of(text: str) -> tuple[int, int, int]:
    """Return the BGR colour of `#rgb` or `#rrggbb`."""
    digits = text.removeprefix("#")
    pairs = [digit * 2 for digit in digits] if len(digits) == 3 else re.findall("..", digits)
    red, green, blue = (int(pair, 16) for pair in pairs)
    return blue, green, red


def read_background(chosen: str) -> Background:
    """Return the background of a colour or of the path of a picture; raises MediaError."""
    if COLOUR.fullmatch(chosen):
        return Background(np.array(colour_of(chosen), np.uint8).reshape(1, 1, 3))
    return Background(read_photo_isolated(Path(chosen), max_side=MAX_SIDE).picture)


def opaque_and_colours(picture: Picture, matte: Matte) -> NDArray[np.uint8]:
    """Return (h, w, 4) BGR and opacity of the person of a picture."""
    colours = np.rint(foreground(picture, matte)).astype(np.uint8)
    colours[matte >= 1] = picture[matte >= 1]
    opacity = np.rint(255 * matte).astype(np.uint8)
    return np.dstack([colours, opacity])
