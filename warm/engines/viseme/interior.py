"""Drawing of the mouth's interior, between the lips of one frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.blend_weights import clipped, jaw_drop
from warm.engines.viseme.displacement_fields import Blendshape
from warm.engines.viseme.shape import Shape
from warm.engines.viseme.texture_canvas import UPPER_TEETH_IOD, reference_to_texture
from warm.engines.viseme.warp import SHIFT_BITS, PixelRect

SUPERSAMPLING = 4
"""Sub-pixels per side for the coverage of an opening."""
EDGE_IOD = 0.008
"""Softness of the lips' inner edge: that of the picture itself."""
EDGE_PX = 3
"""Margin around an opening for its soft edge."""
LIGHT_IOD, SHADOW_IOD = 0.055, 0.022
"""Reach of the light past the lips, and how much further it reaches below the upper lip."""
DARKEST = 0.58
"""Lowest light level, 0…1."""
REFLECTED = 0.6
"""Share of the lost light that lips and tongue reflect, in the colour of the cavity."""
MIN_GAP_PX, OPAQUE_GAP_PX = 0.3, 1.0
"""A narrower opening is not drawn; between the two it is translucent."""


@dataclass(frozen=True, slots=True)
class InteriorPose:
    """Heights of tongue and teeth, IOD below the mouth's middle."""

    tongue: float
    lower_teeth: float
    upper_teeth: float

    @classmethod
    def of(cls, mouth_shape: Floats32, weights: Floats32) -> "InteriorPose":
        """Derive the heights from the mouth shape and blend weights; rounded lips hide teeth."""
        jaw, pucker = jaw_drop(weights), float(weights[Blendshape.ROUND])
        tip = clipped(mouth_shape, Shape.TONGUE)
        return cls(
            tongue=0.70 * jaw - 0.01 - tip * (0.03 + 0.50 * jaw),
            lower_teeth=0.032 + jaw + 0.06 * pucker,
            upper_teeth=UPPER_TEETH_IOD - 0.08 * pucker,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A picture of the tongue or a row of teeth."""

    colour: Floats32
    """(h, w, 3) BGR 0…255."""
    opacity: Floats32
    """(h, w) 0…1."""

    @classmethod
    def of(cls, stack: Floats32) -> "Texture":
        """Split the stored (h, w, 4) array."""
        return cls(np.ascontiguousarray(stack[..., :3]), np.ascontiguousarray(stack[..., 3]))


class Interior:
    """The mouth's interior of one avatar. Not thread-safe."""

    def __init__(
        self,
        *,
        tongue: Texture,
        lower_teeth: Texture,
        upper_teeth: Texture,
        cavity: Floats32,
        scale: float,
        middle: float,
    ) -> None:
        """`cavity` is (3,) BGR 0…255; `scale` the pixels per IOD of frames and textures.

        `middle` is the x of the face's midline at the mouth, IOD (see `anatomy`).
        """
        self._tongue, self._lower, self._upper = tongue, lower_teeth, upper_teeth
        self._cavity, self._scale, self._middle = cavity, scale, middle
        self._to_texture = reference_to_texture(scale)

    def draw(
        self,
        picture: Pixels,
        corner: tuple[int, int],
        to_frame: Floats,
        lips: Floats32,
        pose: InteriorPose,
    ) -> None:
        """Draw into the opening between `lips` (2, k, 2), frame pixels.

        `picture` shows the lower face; its first pixel is at `corner` of the frame.
        """
        outline = np.concatenate([lips[0], lips[1][::-1]])
        rect = opening_rect(outline, corner, picture)
        gap = float((lips[1] - lips[0])[:, 1].max())
        if gap < MIN_GAP_PX or rect.width <= 0 or rect.height <= 0:
            return
        opacity = min((gap - MIN_GAP_PX) / (OPAQUE_GAP_PX - MIN_GAP_PX), 1.0)
        cover = coverage(outline, rect, EDGE_IOD * self._scale) * np.float32(opacity)
        light = illumination(cover, self._scale)
        unlit = self._unlit(to_frame, pose, rect)
        interior = (
            unlit * light[..., None] + self._cavity * (REFLECTED * light * (1 - light))[..., None]
        )
        left, top = rect.left - corner[0], rect.top - corner[1]
        target = PixelRect(left, top, rect.width, rect.height).crop(picture)
        interior = np.asarray(interior + 0.5, np.float32).astype(np.uint8)
        target[:] = cv2.blendLinear(interior, target, cover, 1 - cover)

    def _unlit(self, to_frame: Floats, pose: InteriorPose, rect: PixelRect) -> Floats32:
        """(h, w, 3) cavity, tongue and teeth, unlit."""
        interior = self._empty(rect)
        matrix = self._rect_to_texture(to_frame, rect)
        for texture, height in (
            (self._tongue, pose.tongue),
            (self._lower, pose.lower_teeth),
            (self._upper, pose.upper_teeth),
        ):
            lowered = matrix - [[0, 0, 0], [0, 0, height * self._scale]]
            interior = composite_texture(texture, lowered, rect, interior)
        return interior

    def _empty(self, rect: PixelRect) -> Floats32:
        """(h, w, 3) the cavity alone."""
        interior = np.empty((rect.height, rect.width, 3), np.float32)
        interior[:] = self._cavity
        return interior

    def _rect_to_texture(self, to_frame: Floats, rect: PixelRect) -> Floats:
        """(2, 3) pixels of the rect to those of a texture whose origin is on the lip line."""
        inverse = np.linalg.inv(to_frame[:, :2])
        linear = self._to_texture[:, :2] @ inverse
        start = inverse @ (np.array(rect.corner) - to_frame[:, 2]) - (self._middle, 0.0)
        return np.column_stack([linear, self._to_texture[:, :2] @ start + self._to_texture[:, 2]])


def composite_texture(
    texture: Texture, matrix: Floats, rect: PixelRect, background: Floats32
) -> Floats32:
    """(h, w, 3) a texture, sampled through `matrix`, over the background."""
    size, flags = (rect.width, rect.height), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    colour = cv2.warpAffine(
        texture.colour, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    opacity = np.asarray(cv2.warpAffine(texture.opacity, matrix, size, flags=flags), np.float32)
    return np.asarray(cv2.blendLinear(colour, background, opacity, 1 - opacity), np.float32)


def opening_rect(outline: Floats32, corner: tuple[int, int], picture: Pixels) -> PixelRect:
    """The rectangle of an opening with a margin for its soft edge, inside the picture."""
    x, y, width, height = cv2.boundingRect(outline)
    left, top = max(x - EDGE_PX, corner[0]), max(y - EDGE_PX, corner[1])
    right = min(x + width + EDGE_PX, corner[0] + picture.shape[1])
    bottom = min(y + height + EDGE_PX, corner[1] + picture.shape[0])
    return PixelRect(left, top, right - left, bottom - top)


def coverage(outline: Floats32, rect: PixelRect, blur_px: float) -> Floats32:
    """(h, w) 0…1: share of each pixel that the opening inside `outline` (k, 2) covers."""
    fine = np.zeros((rect.height * SUPERSAMPLING, rect.width * SUPERSAMPLING), np.uint8)
    points = ((outline - rect.corner + 0.5) * SUPERSAMPLING - 0.5) * (1 << SHIFT_BITS)
    cv2.fillPoly(fine, [np.round(points).astype(np.int32)], (255,), shift=SHIFT_BITS)
    small = cv2.resize(fine, (rect.width, rect.height), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), blur_px)
    return np.asarray(soft * np.float32(1 / 255), np.float32)


def illumination(cover: Floats32, scale: float) -> Floats32:
    """(h, w) 0…1 light inside the mouth, which comes from the front and slightly from below.

    Unlit parts fade into the cavity, whose colour is that of light reflected by lips and tongue.
    """
    side = 2 * round(LIGHT_IOD * scale) + 1
    above = min(side - 1, side // 2 + round(SHADOW_IOD * scale))
    anchor = (side // 2, above)
    visible = cv2.blur(cover, (side, side), anchor=anchor, borderType=cv2.BORDER_CONSTANT)
    level = DARKEST + (1 - DARKEST) * np.minimum(1.15 * visible, 1.0)
    return np.asarray(level, np.float32)
