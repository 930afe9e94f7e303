"""Paints what shows between the lips of one frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.blend_weights import jaw_drop, share
from warm.engines.viseme.displacement_fields import Move
from warm.engines.viseme.interior_textures import reference_to_paint
from warm.engines.viseme.shape import Shape
from warm.engines.viseme.warp import SHIFT_BITS, Box

FINE = 4
"""Sub-pixels a side that an opening's coverage is counted on."""
EDGE_IOD = 0.008
"""Softness of the lips' inner edge: that of the picture itself."""
EDGE_PX = 3
"""Room for it around an opening."""
LIGHT_IOD, SHADOW_IOD = 0.055, 0.022
"""How far light reaches in beside a lip, and how much further below the upper one."""
DARKEST = 0.44
LEAST_GAP_PX, SURE_GAP_PX = 0.3, 1.0
"""A narrower opening is not painted, one in between only thinly."""


@dataclass(frozen=True, slots=True)
class Pose:
    """How high the things in the mouth stand, IOD below its middle."""

    tongue: float
    lower_teeth: float
    upper_teeth: float

    @classmethod
    def of(cls, condition: Floats32, amount: Floats32) -> "Pose":
        """From a frame's shapes and moves; rounded lips hide the teeth."""
        jaw, pucker = jaw_drop(amount), float(amount[Move.ROUND])
        tip = share(condition, Shape.TONGUE)
        return cls(
            tongue=0.82 * jaw - 0.01 - tip * (0.03 + 0.60 * jaw),
            lower_teeth=0.02 + jaw + 0.06 * pucker,
            upper_teeth=0.042 - 0.08 * pucker,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Paint:
    """One painted thing."""

    colour: Floats32
    """(h, w, 3) BGR 0…255."""
    opacity: Floats32
    """(h, w) 0…1."""

    @classmethod
    def of(cls, stack: Floats32) -> "Paint":
        """From the (h, w, 4) array that the avatar keeps."""
        return cls(np.ascontiguousarray(stack[..., :3]), np.ascontiguousarray(stack[..., 3]))


class Interior:
    """The inner mouth of one avatar. Not thread-safe."""

    def __init__(
        self,
        *,
        tongue: Paint,
        lower_teeth: Paint,
        upper_teeth: Paint,
        cavity: Floats32,
        scale: float,
        middle: float,
    ) -> None:
        """`cavity` is (3,) BGR 0…255; `scale` the frames' and the paints' pixels an IOD.

        `middle` is where the face's own middle crosses the mouth, IOD (see `anatomy`).
        """
        self._tongue, self._lower, self._upper = tongue, lower_teeth, upper_teeth
        self._cavity, self._scale, self._middle = cavity, scale, middle
        self._to_paint = reference_to_paint(scale)

    def fill(
        self, shown: Pixels, corner: tuple[int, int], to_frame: Floats, lips: Floats32, pose: Pose
    ) -> None:
        """Paint into the opening between `lips` (2, k, 2), frame pixels.

        `shown` is the picture of the lower face, its first pixel at `corner` of the frame.
        """
        ring = np.concatenate([lips[0], lips[1][::-1]])
        box = around(ring, corner, shown)
        gap = float((lips[1] - lips[0])[:, 1].max())
        if gap < LEAST_GAP_PX or box.width <= 0 or box.height <= 0:
            return
        sure = min((gap - LEAST_GAP_PX) / (SURE_GAP_PX - LEAST_GAP_PX), 1.0)
        cover = coverage(ring, box, EDGE_IOD * self._scale) * np.float32(sure)
        inner = self._things(to_frame, pose, box)
        inner *= light(cover, self._scale)
        inner += 0.5
        part = Box(box.left - corner[0], box.top - corner[1], box.width, box.height).cut(shown)
        part[:] = cv2.blendLinear(inner.astype(np.uint8), part, cover, 1 - cover)

    def _things(self, to_frame: Floats, pose: Pose, box: Box) -> Floats32:
        """(h, w, 3) cavity, tongue and teeth, unlit."""
        inner = np.empty((box.height, box.width, 3), np.float32)
        inner[:] = self._cavity
        matrix = self._placing(to_frame, box)
        for paint, level in (
            (self._tongue, pose.tongue),
            (self._lower, pose.lower_teeth),
            (self._upper, pose.upper_teeth),
        ):
            inner = laid(paint, matrix - [[0, 0, 0], [0, 0, level * self._scale]], box, inner)
        return inner

    def _placing(self, to_frame: Floats, box: Box) -> Floats:
        """(2, 3) the box's pixels to those of a paint whose origin lies on the lips' line."""
        inverse = np.linalg.inv(to_frame[:, :2])
        linear = self._to_paint[:, :2] @ inverse
        start = inverse @ (np.array(box.corner) - to_frame[:, 2]) - (self._middle, 0.0)
        return np.column_stack([linear, self._to_paint[:, :2] @ start + self._to_paint[:, 2]])


def laid(paint: Paint, matrix: Floats, box: Box, behind: Floats32) -> Floats32:
    """(h, w, 3) a paint, read through `matrix`, over what is behind it."""
    size, flags = (box.width, box.height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    colour = cv2.warpAffine(
        paint.colour, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    opacity = np.asarray(cv2.warpAffine(paint.opacity, matrix, size, flags=flags), np.float32)
    return np.asarray(cv2.blendLinear(colour, behind, opacity, 1 - opacity), np.float32)


def around(ring: Floats32, corner: tuple[int, int], shown: Pixels) -> Box:
    """The box of an opening with room for its soft edge, inside the picture."""
    x, y, width, height = cv2.boundingRect(ring)
    left, top = max(x - EDGE_PX, corner[0]), max(y - EDGE_PX, corner[1])
    right = min(x + width + EDGE_PX, corner[0] + shown.shape[1])
    bottom = min(y + height + EDGE_PX, corner[1] + shown.shape[0])
    return Box(left, top, right - left, bottom - top)


def coverage(ring: Floats32, box: Box, blur_px: float) -> Floats32:
    """(h, w) 0…1: how much of each pixel the opening inside `ring` (k, 2) covers."""
    fine = np.zeros((box.height * FINE, box.width * FINE), np.uint8)
    points = ((ring - box.corner + 0.5) * FINE - 0.5) * (1 << SHIFT_BITS)
    cv2.fillPoly(fine, [np.round(points).astype(np.int32)], (255,), shift=SHIFT_BITS)
    small = cv2.resize(fine, (box.width, box.height), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), blur_px)
    return np.asarray(soft * np.float32(1 / 255), np.float32)


def light(cover: Floats32, scale: float) -> Floats32:
    """(h, w, 3) 0…1 how brightly the inside is lit: from the front and a little from below.

    Light that reaches far in has met lips and tongue on its way: it reddens as it fades.
    """
    side = 2 * round(LIGHT_IOD * scale) + 1
    above = min(side - 1, side // 2 + round(SHADOW_IOD * scale))
    anchor = (side // 2, above)
    seen = cv2.blur(cover, (side, side), anchor=anchor, borderType=cv2.BORDER_CONSTANT)
    level = DARKEST + (1 - DARKEST) * np.minimum(1.15 * seen, 1.0)
    root = np.sqrt(level)
    return np.asarray(
        cv2.merge([level * np.sqrt(root), level * np.sqrt(np.sqrt(root)), level]), np.float32
    )
