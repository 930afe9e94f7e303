"""The learned mouth of one avatar: the same interface as the painted one."""

from dataclasses import dataclass

import cv2
import numpy as np

from stabilizers.similarity import apply, compose, invert
from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.blend_weights import compute_blend_weights
from warm.engines.viseme.displacement_fields import Blendshape
from warm.engines.viseme.interior import (
    EDGE_IOD,
    MIN_GAP_PX,
    OPAQUE_GAP_PX,
    InteriorPose,
    coverage,
    opening_rect,
)
from warm.engines.viseme.learned.alignment import Alignment
from warm.engines.viseme.learned.atlas import Atlas
from warm.engines.viseme.learned.data import LearnedData
from warm.engines.viseme.learned.drive import Drive, Driven
from warm.engines.viseme.learned.regression import Scaling
from warm.engines.viseme.learned.shape_model import ShapeModel
from warm.engines.viseme.learned.texture import Texture
from warm.engines.viseme.mouth import DrawnMouth, Mouth, MouthData, remap
from warm.engines.viseme.warp import STRIDE, BackwardWarp, PixelRect

SEAM_PX, SEAM_GAP_PX = 0.7, 3.0
"""Width by which the inside covers the lips, and the gap from which it has this width."""
REACH_IOD = 0.34
"""A lip moves at most this far from its closed position."""


class LearnedMouth(Mouth):
    """Draws the mouth of one avatar as its footage shows it. Not thread-safe."""

    def __init__(self, data: MouthData, learned: LearnedData, frames: Pixels) -> None:
        """`frames`: (n, h, w, 3) BGR, with closed mouths."""
        super().__init__(data, frames)
        self._learned = learned
        grid = np.concatenate([data.grid[:, :, ::STRIDE, ::STRIDE], learned.shape.grid], axis=1)
        self._warp = BackwardWarp(grid, self._region, stride=1)
        shifts = np.concatenate([data.lip_line_shifts, learned.shape.lip_line], axis=1)
        self._lip_line_shifts = shifts.swapaxes(0, 1).reshape(shifts.shape[1], -1)
        self._scaling = Scaling(learned.input_mean, learned.input_scale)
        self._shape = ShapeModel.of(learned.shape)
        self._drive = Drive(learned.drive, self._scaling)
        self._lips_texture = Texture.of(learned.lips)
        self._inside_texture = Texture.of(learned.inside)
        self._alignment = Alignment(learned.inside_shift)

    def draw(self, frame: int, mouth_shape: Floats32) -> DrawnMouth:
        """Draw the lower face of a frame with the mouth in `mouth_shape` (7,)."""
        gain, trust = float(self._data.gains[frame]), float(self._learned.trust[frame])
        painted = compute_blend_weights(mouth_shape, self._data.calibration, gain)
        driven = self._drive.drive(painted, trust)
        pose = None
        if trust < 1:
            pose = InteriorPose.of(mouth_shape, self._drive.in_own_scale(painted))
        return self._draw_driven(frame, driven, trust, pose)

    def drawn_lips(self, frame: int, mouth_shape: Floats32) -> Floats32:
        """(2, k, 2) the inner edges of the upper and the lower lip in `mouth_shape`, pixels."""
        gain, trust = float(self._data.gains[frame]), float(self._learned.trust[frame])
        painted = compute_blend_weights(mouth_shape, self._data.calibration, gain)
        driven = self._drive.drive(painted, trust)
        return self._lips(frame, self._weights(driven, self._inputs(frame, driven)))

    def draw_numbers(self, frame: int, numbers: Floats) -> DrawnMouth:
        """Draw the mouth that measures `numbers` (4,), see `numbers.Number`."""
        driven = Driven(numbers, 1.0, np.zeros(len(Blendshape), np.float32))
        return self._draw_driven(frame, driven, 1.0, None)

    def _draw_driven(
        self, frame: int, driven: Driven, trust: float, pose: InteriorPose | None
    ) -> DrawnMouth:
        """Draw what the drive returned; with a `pose`, the painted inside shows through."""
        to_frame, picture = self._data.to_frame[frame], self._frames[frame]
        rect = self._moving_rect(to_frame)
        mask = self._mask(frame, rect)
        inputs = self._inputs(frame, driven)
        weights = self._weights(driven, inputs)
        if not weights.any():
            return DrawnMouth(np.asarray(rect.crop(picture)), mask, rect)
        lips = self._lips(frame, weights)
        curvature = self._curvature(frame)
        source = self._warp.source(to_frame, weights, lips.mean(axis=0), rect, curvature)
        drawn = remap(picture[rect.top :, rect.left :], source)
        place = Place(rect, to_frame, self._learned.light[frame])
        if driven.fade:
            residual = self._lips_texture.picture(inputs) * (place.light * driven.fade)
            add_residual(drawn, residual, source, place, self._lips_texture.atlas)
        if pose is not None:
            self._interior.draw(drawn, rect.corner, to_frame, lips, pose)
        if driven.fade:
            self._draw_inside(drawn, inputs, place, lips, trust)
        return DrawnMouth(drawn, mask, rect)

    def _inputs(self, frame: int, driven: Driven) -> Floats32:
        """(6,) scaled numbers and turn of the head."""
        return self._scaling.apply(np.append(driven.numbers, self._learned.turns_deg[frame]))

    def _weights(self, driven: Driven, inputs: Floats32) -> Floats32:
        """(fields,) weights of the hand-made fields, of the mean opening and of its modes."""
        if not driven.fade:
            modes = np.zeros(self._learned.shape.grid.shape[1], np.float32)
        else:
            modes = self._shape.weights(inputs, driven.numbers) * driven.fade
        return np.concatenate([driven.added, modes]).astype(np.float32)

    def _draw_inside(
        self, picture: Pixels, inputs: Floats32, place: "Place", lips: Floats32, opacity: float
    ) -> None:
        """Draw the inside between `lips` (2, k, 2), frame pixels."""
        lips = over_the_seam(lips, place.to_frame)
        outline = np.concatenate([lips[0], lips[1][::-1]])
        opening = opening_rect(outline, place.rect.corner, picture)
        gap = float((lips[1] - lips[0])[:, 1].max())
        if gap < MIN_GAP_PX or opening.width <= 0 or opening.height <= 0:
            return
        opacity *= min((gap - MIN_GAP_PX) / (OPAQUE_GAP_PX - MIN_GAP_PX), 1.0)
        blur = EDGE_IOD * float(self._data.scale)
        cover = coverage(outline, opening, blur) * np.float32(opacity)
        texture = self._inside_texture
        matrix = compose(place.to_frame, texture.atlas.to_reference)
        matrix[:, 2] -= opening.corner + matrix[:, :2] @ self._alignment.shift(inputs)
        size = opening.width, opening.height
        inside = texture.picture(inputs) * place.light + np.float32(0.5)
        cubic, repeat = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
        moved = cv2.warpAffine(inside, matrix, size, flags=cubic, borderMode=repeat)
        shown = np.clip(moved, 0, 255).astype(np.uint8)
        left, top = opening.left - place.rect.left, opening.top - place.rect.top
        target = PixelRect(left, top, opening.width, opening.height).crop(picture)
        target[:] = cv2.blendLinear(shown, target, cover, 1 - cover)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Position and light of the drawn mouth."""

    rect: PixelRect
    to_frame: Floats
    """(2, 3) reference to frame pixels."""
    light: Floats32
    """(3,) relative."""


def over_the_seam(lips: Floats32, to_frame: Floats) -> Floats32:
    """(2, k, 2) the edges of an opening, moved outwards by SEAM_PX.

    The pixels next to an edge come from the line where the closed lips meet, and from beyond it.
    """
    down = (to_frame[:, 1] / np.hypot(*to_frame[:, 1])).astype(np.float32)
    gap = (lips[1] - lips[0]) @ down
    outwards = (SEAM_PX * np.clip(gap / SEAM_GAP_PX, 0, 1))[:, None] * down
    return np.stack([lips[0] - outwards, lips[1] + outwards])


def add_residual(
    picture: Pixels, residual: Floats32, source: Floats32, place: Place, atlas: Atlas
) -> None:
    """Add the lips' `residual`, which moves with the warp, to the pixels of the place.

    `source`: (h, w, 2) each pixel's source, counted from the first pixel of the rect.
    """
    to_frame = compose(place.to_frame, atlas.to_reference)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * np.array(atlas.size, np.float64)
    at = apply(to_frame, corners) - place.rect.corner
    reach = REACH_IOD * np.hypot(*place.to_frame[:, 0])
    low = np.maximum(np.floor(at.min(axis=0) - 1), 0).astype(int)
    high = np.ceil(at.max(axis=0) + np.array([1, reach])).astype(int)
    part = np.s_[low[1] : max(high[1], 0), low[0] : max(high[0], 0)]
    if not picture[part].size:
        return
    to_atlas = invert(to_frame)
    to_atlas[:, 2] += to_atlas[:, :2] @ place.rect.corner
    points = cv2.transform(source[part], to_atlas.astype(np.float32))
    moved = cv2.remap(residual, points, np.empty(0), cv2.INTER_LINEAR, borderValue=0)
    picture[part] = cv2.add(picture[part], moved, dtype=cv2.CV_8U)
