"""The tone of a picture: the colour that each grey level has in a monochrome or toned picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from stabilizers.interpolation import smoothstep
from warm.engines.viseme.anatomy import Floats, Pixels

LUMA_BGR = np.array([0.114, 0.587, 0.299])
"""Weights of the channels in the luma (ITU-R BT.601)."""
SAMPLES = 64
"""Pixels per side to which the face is reduced: the noise of a single pixel averages out."""
LEVELS = 12
"""Grey levels at which the tone is measured, with equal numbers of pixels."""
SPREAD_PERCENTILE = 90.0
TONED_SPREAD, COLOUR_SPREAD = 2.0, 5.0
"""Distance of the face's pixels from the tone, 0…255: up to the first the picture has one colour
per grey level, from the second on it is an ordinary colour picture."""
GREY_CAST = 1.5
"""A weaker tone is a coding error: the picture is grey."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureTone:
    """Colour as a function of luma, and how far the picture is from being such a function."""

    luma: Floats
    """(k,) rising, 0…255."""
    offset: Floats
    """(k, 3) BGR less luma."""
    colourfulness: float
    """0 in a monochrome or toned picture, 1 in a colour picture."""

    @classmethod
    def of(cls, face: Pixels) -> "PictureTone":
        """Measure the tone of a part (h, w, 3) BGR of the picture that shows the face."""
        small = cv2.resize(face, (SAMPLES, SAMPLES), interpolation=cv2.INTER_AREA)
        pixels = small.reshape(-1, 3).astype(np.float64)
        grey = luma(pixels)
        order = np.argsort(grey, kind="stable")
        chroma = pixels - grey[:, None]
        groups = np.array_split(order, LEVELS)
        offset = np.array([np.median(chroma[group], axis=0) for group in groups])
        spread = [np.abs(chroma[group] - at) for group, at in zip(groups, offset, strict=True)]
        far = float(np.percentile(np.concatenate(spread).max(axis=1), SPREAD_PERCENTILE))
        colourfulness = smoothstep(
            np.array((far - TONED_SPREAD) / (COLOUR_SPREAD - TONED_SPREAD))
        ).item()
        if np.abs(offset).max() < GREY_CAST:
            offset = np.zeros_like(offset)
        # Black and white have no colour.
        levels = [0.0, *(float(grey[group].mean()) for group in groups), 255.0]
        return cls(np.array(levels), np.pad(offset, ((1, 1), (0, 0))), colourfulness)

    def apply(self, colour: Floats) -> Floats:
        """(3,) the colour as the picture would show it: toned if the picture is."""
        level = float(luma(colour))
        toned = [np.interp(level, self.luma, column) for column in self.offset.T]
        own = colour - level
        return np.asarray(
            level + self.colourfulness * own + (1 - self.colourfulness) * np.array(toned)
        )


def luma(colours: Floats) -> Floats:
    """(…,) of (…, 3) BGR."""
    return np.asarray(colours @ LUMA_BGR)
