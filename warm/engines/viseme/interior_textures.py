"""What shows between the lips: the cavity, the tongue and two rows of teeth.

Each is painted once an avatar, at about the avatar's own resolution, as a small picture with
opacity; a frame only moves it, shades it and cuts it out with the opening. Lengths in IOD.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from warm.engines.viseme.anatomy import Floats

OVERSAMPLE = 4
HALF_WIDTH, TOP, BOTTOM = 0.50, -0.20, 0.24
"""The painted rectangle around its own origin."""

UPPER_TEETH = (0.125, 0.095, 0.095, 0.070, 0.045)
LOWER_TEETH = (0.080, 0.085, 0.090, 0.070, 0.050)
"""Widths of one side's teeth as seen from the front, from the middle outwards."""

TEETH_BGR = np.array([0.71, 0.80, 0.91])
CAVITY_BGR = np.array([0.045, 0.05, 0.14])
TONGUE_BGR = np.array([0.31, 0.33, 0.64])
GUM_BGR = np.array([0.34, 0.34, 0.62])
"""Parts of the brightness of the face's lit skin."""


@dataclass(frozen=True, slots=True, eq=False)
class Brush:
    """A canvas for one thing, finer than the frame."""

    x: Floats
    y: Floats
    scale: float
    """Pixels of the finished picture an IOD."""

    @classmethod
    def of(cls, scale: float, sides: tuple[float, float]) -> "Brush":
        """A canvas for a finished picture of `scale` pixels an IOD.

        `sides` are the widths of its left and right half against a face seen from the front.
        """
        fine = scale * OVERSAMPLE
        width = OVERSAMPLE * round(2 * HALF_WIDTH * scale)
        height = OVERSAMPLE * round((BOTTOM - TOP) * scale)
        x = (np.arange(width) + 0.5) / fine - HALF_WIDTH
        y = (np.arange(height) + 0.5) / fine + TOP
        across, down = np.meshgrid(np.where(x < 0, x / sides[0], x / sides[1]), y)
        return cls(across, down, scale)

    def finish(self, colour: Floats, opacity: Floats) -> NDArray[np.float32]:
        """(h, w, 4) float32 at the finished size; the colours go on where nothing is opaque."""
        stack = np.dstack([colour, opacity]).astype(np.float32)
        size = (stack.shape[1] // OVERSAMPLE, stack.shape[0] // OVERSAMPLE)
        return np.asarray(cv2.resize(stack, size, interpolation=cv2.INTER_AREA), np.float32)


def reference_to_paint(scale: float) -> Floats:
    """(2, 3) IOD around the thing's origin to pixels of its picture."""
    return np.array([[scale, 0.0, HALF_WIDTH * scale - 0.5], [0.0, scale, -TOP * scale - 0.5]])


def paint_teeth(
    scale: float, white: float, sides: tuple[float, float], *, upper: bool
) -> NDArray[np.float32]:
    """A row of teeth, its biting edge on the origin's level, crowns away from it."""
    brush = Brush.of(scale, sides)
    widths = UPPER_TEETH if upper else LOWER_TEETH
    side = -1.0 if upper else 1.0
    up = brush.y * side
    ends = np.cumsum((0.0, *widths))
    across = np.abs(brush.x)
    index = np.clip(np.searchsorted(ends, across, side="right") - 1, 0, len(widths) - 1)
    width = np.asarray(widths)[index]
    place = (across - ends[index]) / width * 2 - 1
    edge = edge_of(index, place, across, upper=upper)
    height = up - edge
    opacity = smoothstep(height / 0.012 + 0.3) * smoothstep((ends[-1] - across) / 0.02)
    shade = tooth_shade(place, height, across, upper=upper)
    colour = TEETH_BGR * white * 255 * shade[..., None]
    gum = smoothstep((height - gum_line(place, upper=upper)) / 0.015)[..., None]
    colour = colour * (1 - gum) + GUM_BGR * white * 255 * gum * arch_light(across)[..., None]
    return brush.finish(colour, opacity)


def edge_of(index: NDArray[np.intp], place: Floats, across: Floats, *, upper: bool) -> Floats:
    """Height of the biting edge above the row's level: rounded corners, stepped teeth, an arc."""
    steps = np.array(
        [0.0, 0.014, 0.004, 0.016, 0.022] if upper else [0.0, 0.002, -0.004, 0.01, 0.02]
    )
    rounding = (0.020 if upper else 0.012) * np.abs(place) ** 5
    return np.asarray(steps[index] + rounding + 0.10 * across**2)


def gum_line(place: Floats, *, upper: bool) -> Floats:
    """Height where the gum begins, lower between the teeth."""
    return np.asarray((0.165 if upper else 0.135) - 0.03 * place**2)


def arch_light(across: Floats) -> Floats:
    """The row bends away from the light towards the cheeks."""
    return np.asarray(0.30 + 0.70 * np.cos(np.clip(across / 0.50, 0, 1) * np.pi / 2))


def tooth_shade(place: Floats, height: Floats, across: Floats, *, upper: bool) -> Floats:
    """Brightness of the teeth: each a little cylinder, a thin dark line between two."""
    round_ = 1 - 0.10 * place**2
    gap = 1 - (0.38 if upper else 0.32) * np.clip((np.abs(place) - 0.86) / 0.14, 0, 1) ** 2
    edge = 0.88 + 0.12 * smoothstep(height / 0.04)
    root = 1 - 0.12 * smoothstep((height - 0.06) / 0.10)
    return np.asarray(round_ * gap * edge * root * arch_light(across))


def paint_tongue(scale: float, white: float, sides: tuple[float, float]) -> NDArray[np.float32]:
    """The tongue: its crest on the origin's level, a soft groove along its middle."""
    brush = Brush.of(scale, sides)
    crest = 0.20 * (np.abs(brush.x) / 0.27) ** 2.4 * 0.5 - 0.012 * np.exp(
        -(((np.abs(brush.x) - 0.09) / 0.07) ** 2)
    )
    depth = brush.y - crest
    opacity = smoothstep(depth / 0.03 + 0.5) * smoothstep((0.30 - np.abs(brush.x)) / 0.06)
    rise = smoothstep(depth / 0.10)
    groove = 1 - 0.12 * np.exp(-((brush.x / 0.018) ** 2)) * smoothstep(depth / 0.05)
    shade = (0.62 + 0.38 * rise) * (1 - 0.35 * (brush.x / 0.30) ** 2) * groove
    colour = TONGUE_BGR * white * 255 * shade[..., None]
    gloss = 0.14 * np.exp(-(((depth - 0.07) / 0.025) ** 2) - ((np.abs(brush.x) - 0.08) / 0.06) ** 2)
    return brush.finish(colour + 255 * white * gloss[..., None], opacity)
