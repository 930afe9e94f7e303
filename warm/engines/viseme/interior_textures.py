"""Textures of the mouth's interior: the tongue and two rows of teeth.

Each is drawn once per avatar, at about the avatar's own resolution, as a small picture with
opacity. A frame only moves it, shades it and clips it to the opening. Lengths are in IOD.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep
from warm.engines.viseme.anatomy import Floats
from warm.engines.viseme.mouth_colours import MouthColours

OVERSAMPLE = 4
"""Drawn pixels per side for each pixel of the finished texture."""
HALF_WIDTH, TOP, BOTTOM = 0.50, -0.20, 0.24
"""Rectangle of a texture around its own origin."""

UPPER_TEETH = (0.125, 0.095, 0.095, 0.070, 0.045)
LOWER_TEETH = (0.080, 0.085, 0.090, 0.070, 0.050)
"""Widths of the teeth of one side, seen from the front, from the middle outwards."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """Coordinates of one texture's pixels, finer than the frame's."""

    x: Floats
    y: Floats
    """(h, w) IOD around the texture's origin."""
    scale: float
    """Pixels of the finished texture per IOD."""

    @classmethod
    def of(cls, scale: float, sides: tuple[float, float]) -> "Canvas":
        """Create the canvas of a finished texture of `scale` pixels per IOD.

        `sides`: widths of its left and right half, relative to a face seen from the front.
        """
        fine = scale * OVERSAMPLE
        width = OVERSAMPLE * round(2 * HALF_WIDTH * scale)
        height = OVERSAMPLE * round((BOTTOM - TOP) * scale)
        x = (np.arange(width) + 0.5) / fine - HALF_WIDTH
        y = (np.arange(height) + 0.5) / fine + TOP
        across, down = np.meshgrid(np.where(x < 0, x / sides[0], x / sides[1]), y)
        return cls(across, down, scale)

    def finish(self, colour: Floats, opacity: Floats) -> NDArray[np.float32]:
        """(h, w, 4) float32 at the finished size; colours continue into the transparent parts."""
        stack = np.dstack([colour, opacity]).astype(np.float32)
        size = (stack.shape[1] // OVERSAMPLE, stack.shape[0] // OVERSAMPLE)
        return np.asarray(cv2.resize(stack, size, interpolation=cv2.INTER_AREA), np.float32)


def reference_to_texture(scale: float) -> Floats:
    """(2, 3) IOD around a texture's origin to its pixels."""
    return np.array([[scale, 0.0, HALF_WIDTH * scale - 0.5], [0.0, scale, -TOP * scale - 0.5]])


def teeth_texture(
    scale: float, colours: MouthColours, sides: tuple[float, float], *, upper: bool
) -> NDArray[np.float32]:
    """(h, w, 4) a row of teeth, with its biting edge at the height of the origin.

    `sides` as in `Canvas.of`.
    """
    canvas = Canvas.of(scale, sides)
    widths = UPPER_TEETH if upper else LOWER_TEETH
    up = canvas.y * (-1.0 if upper else 1.0)
    ends = np.cumsum((0.0, *widths))
    across = np.abs(canvas.x)
    index = np.clip(np.searchsorted(ends, across, side="right") - 1, 0, len(widths) - 1)
    width = np.asarray(widths)[index]
    place = (across - ends[index]) / width * 2 - 1
    edge = biting_edge(index, place, across, upper=upper)
    height = up - edge
    opacity = smoothstep(height / 0.012 + 0.3) * smoothstep((ends[-1] - across) / 0.02)
    shade = tooth_shade(place, height, across, upper=upper)
    colour = colours.teeth * shade[..., None]
    gum = smoothstep((height - gum_line(place, upper=upper)) / 0.015)[..., None]
    colour = colour * (1 - gum) + colours.gums * gum * arch_light(across)[..., None]
    return canvas.finish(colour, opacity)


def biting_edge(index: NDArray[np.intp], place: Floats, across: Floats, *, upper: bool) -> Floats:
    """Height of the biting edge above the row: rounded corners, stepped teeth, an arc."""
    steps = np.array(
        [0.0, 0.014, 0.004, 0.016, 0.022] if upper else [0.0, 0.002, -0.004, 0.01, 0.02]
    )
    rounding = (0.020 if upper else 0.012) * np.abs(place) ** 5
    return np.asarray(steps[index] + rounding + 0.10 * across**2)


def gum_line(place: Floats, *, upper: bool) -> Floats:
    """Height at which the gum begins, lower between the teeth."""
    return np.asarray((0.165 if upper else 0.135) - 0.03 * place**2)


def arch_light(across: Floats) -> Floats:
    """Light on the row of teeth, 0…1; the row curves away from the light towards the cheeks."""
    return np.asarray(0.30 + 0.70 * np.cos(np.clip(across / 0.50, 0, 1) * np.pi / 2))


def tooth_shade(place: Floats, height: Floats, across: Floats, *, upper: bool) -> Floats:
    """Brightness of the teeth: each a small cylinder, with a thin dark line between neighbours."""
    round_ = 1 - 0.10 * place**2
    gap = 1 - (0.38 if upper else 0.32) * np.clip((np.abs(place) - 0.86) / 0.14, 0, 1) ** 2
    edge = 0.88 + 0.12 * smoothstep(height / 0.04)
    root = 1 - 0.12 * smoothstep((height - 0.06) / 0.10)
    return np.asarray(round_ * gap * edge * root * arch_light(across))


def tongue_texture(
    scale: float, colours: MouthColours, sides: tuple[float, float]
) -> NDArray[np.float32]:
    """(h, w, 4) the tongue: its crest at the height of the origin, a soft groove in its middle."""
    canvas = Canvas.of(scale, sides)
    crest = 0.20 * (np.abs(canvas.x) / 0.27) ** 2.4 * 0.5 - 0.012 * np.exp(
        -(((np.abs(canvas.x) - 0.09) / 0.07) ** 2)
    )
    depth = canvas.y - crest
    opacity = smoothstep(depth / 0.03 + 0.5) * smoothstep((0.30 - np.abs(canvas.x)) / 0.06)
    rise = smoothstep(depth / 0.10)
    groove = 1 - 0.12 * np.exp(-((canvas.x / 0.018) ** 2)) * smoothstep(depth / 0.05)
    shade = (0.62 + 0.38 * rise) * (1 - 0.35 * (canvas.x / 0.30) ** 2) * groove
    colour = colours.tongue * shade[..., None]
    gloss = 0.14 * np.exp(
        -(((depth - 0.07) / 0.025) ** 2) - ((np.abs(canvas.x) - 0.08) / 0.06) ** 2
    )
    return canvas.finish(colour + colours.gloss * gloss[..., None], opacity)
