"""The mouth of one avatar: a frame and a mouth shape in, the drawn lower face out."""

from dataclasses import dataclass

import cv2
import numpy as np

from stabilizers.similarity import apply, invert
from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.blend_weights import compute_blend_weights
from warm.engines.viseme.curvature import Curvature, bend, unbend
from warm.engines.viseme.displacement_fields import Region
from warm.engines.viseme.interior import Interior, InteriorPose, Texture
from warm.engines.viseme.warp import BackwardWarp, PixelRect

MASK_DOWNSCALE = 4
"""Pixels per side for each computed value of the mask, which is soft."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMouth:
    """A drawn lower face and its place in the frame."""

    picture: Pixels
    """(h, w, 3) BGR."""
    mask: Pixels
    """(h, w), 255 where the picture is opaque."""
    rect: PixelRect


@dataclass(frozen=True, slots=True, eq=False)
class MouthData:
    """The arrays that preparation stores for one avatar."""

    grid: Floats32
    """(2, blendshapes, GRID, GRID, 2), see `displacement_fields.DisplacementFields`."""
    lip_line_shifts: Floats32
    """(2, blendshapes, LIP_LINE_POINTS, 2)."""
    region: Floats
    """(4,) left, top, right, bottom in IOD."""
    to_frame: Floats
    """(n, 2, 3) reference to frame pixels."""
    lip_lines: Floats32
    """(n, LIP_LINE_POINTS, 2) frame pixels."""
    curvatures: Floats
    """(n, 4), see `curvature.Curvature`."""
    masks: Pixels
    """(n, MASK_SIZE, MASK_SIZE) over the region, see `silhouette`."""
    upper_teeth: Floats32
    lower_teeth: Floats32
    tongue: Floats32
    """(h, w, 4) BGR 0…255 and opacity 0…1, see `interior_textures`."""
    cavity: Floats32
    """(3,) BGR."""
    scale: Floats
    """() pixels per IOD."""
    middle: Floats
    """() x of the face's midline at the mouth, IOD."""
    calibration: Floats32
    """(3, LEVELS), see `calibration`."""
    gains: Floats32
    """(n,), see `calibration.frame_gains`."""


class Mouth:
    """Draws the mouth of one avatar. Not thread-safe."""

    def __init__(self, data: MouthData, frames: Pixels) -> None:
        """`frames`: (n, h, w, 3) BGR, with closed mouths."""
        self._data, self._frames = data, frames
        self._region = Region(*(float(side) for side in data.region))
        self._warp = BackwardWarp(data.grid, self._region)
        self._interior = Interior(
            tongue=Texture.of(data.tongue),
            lower_teeth=Texture.of(data.lower_teeth),
            upper_teeth=Texture.of(data.upper_teeth),
            cavity=data.cavity,
            scale=float(data.scale),
            middle=float(data.middle),
        )
        shifts = data.lip_line_shifts
        self._masks: dict[int, Pixels] = {}
        self._lip_line_shifts = shifts.swapaxes(0, 1).reshape(shifts.shape[1], -1)

    def draw(self, frame: int, mouth_shape: Floats32) -> DrawnMouth:
        """Draw the lower face of a frame with the mouth in `mouth_shape` (7,)."""
        to_frame, picture = self._data.to_frame[frame], self._frames[frame]
        rect = self._moving_rect(to_frame)
        mask = self._mask(frame, rect)
        gain = float(self._data.gains[frame])
        weights = compute_blend_weights(mouth_shape, self._data.calibration, gain)
        if not weights.any():
            return DrawnMouth(np.asarray(rect.crop(picture)), mask, rect)
        lips = self._lips(frame, weights)
        source = self._warp.source(
            to_frame, weights, lips.mean(axis=0), rect, self._curvature(frame)
        )
        drawn = remap(picture[rect.top :, rect.left :], source)
        pose = InteriorPose.of(mouth_shape, weights)
        self._interior.draw(drawn, rect.corner, to_frame, lips, pose)
        return DrawnMouth(drawn, mask, rect)

    def draw_in_frame(self, frame: int, mouth_shape: Floats32) -> Pixels:
        """Return the whole frame (h, w, 3) with the drawn mouth in it, without blending."""
        drawn = self.draw(frame, mouth_shape)
        picture = self._frames[frame].copy()
        drawn.rect.crop(picture)[:] = drawn.picture
        return np.asarray(picture, np.uint8)

    def drawn_lips(self, frame: int, mouth_shape: Floats32) -> Floats32:
        """(2, k, 2) the inner edges of the upper and the lower lip in `mouth_shape`, pixels."""
        gain = float(self._data.gains[frame])
        return self._lips(frame, compute_blend_weights(mouth_shape, self._data.calibration, gain))

    def _moving_rect(self, to_frame: Floats) -> PixelRect:
        """The pixels that may move, inside the frame."""
        corners = self._region.corners @ to_frame[:, :2].T + to_frame[:, 2]
        height, width = self._frames.shape[1:3]
        low = np.clip(np.floor(corners.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 1, low + 1, [width, height]).astype(int)
        return PixelRect(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))

    def _curvature(self, frame: int) -> Curvature:
        return Curvature(*self._data.curvatures[frame].tolist())

    def _mask(self, frame: int, rect: PixelRect) -> Pixels:
        """The (h, w) mask of the frame on the pixels of its rectangle; read-only."""
        mask = self._masks.get(frame)
        if mask is None:
            mask = self._masks[frame] = self._drawn_mask(frame, rect)
            mask.setflags(write=False)
        return mask

    def _drawn_mask(self, frame: int, rect: PixelRect) -> Pixels:
        to_frame, mask = self._data.to_frame[frame], self._data.masks[frame]
        to_reference = self._region.grid_to_reference(len(mask))
        linear = to_frame[:, :2] @ to_reference[:, :2]
        shift = to_frame[:, :2] @ to_reference[:, 2] + to_frame[:, 2] - rect.corner
        matrix = np.column_stack([linear, shift])
        size = (-(-rect.width // MASK_DOWNSCALE), -(-rect.height // MASK_DOWNSCALE))
        matrix = (matrix - [[0, 0, (MASK_DOWNSCALE - 1) / 2]] * 2) / MASK_DOWNSCALE
        small = cv2.warpAffine(mask, matrix, size)
        return np.asarray(cv2.resize(small, (rect.width, rect.height)), np.uint8)

    def _lips(self, frame: int, weights: Floats32) -> Floats32:
        """(2, k, 2) the inner edges of the upper and the lower lip, frame pixels."""
        lip_line = self._data.lip_lines[frame]
        shift = (weights @ self._lip_line_shifts).reshape(2, *lip_line.shape)
        to_frame, curvature = self._data.to_frame[frame], self._curvature(frame)
        if curvature.bends:
            line = unbend(apply(invert(to_frame), lip_line), curvature)
            shift = np.asarray(bend(line + shift, curvature) - bend(line, curvature), np.float32)
        return np.asarray(lip_line + shift @ to_frame[:, :2].T.astype(np.float32))


def remap(picture: Pixels, source: Floats32) -> Pixels:
    """(h, w, 3) the picture sampled at `source` (h, w, 2).

    Sources stay inside the rectangle they are read for: nothing moves at its border.
    """
    border = cv2.BORDER_REPLICATE
    read = cv2.remap(picture, source, np.empty(0), cv2.INTER_CUBIC, borderMode=border)
    return np.asarray(read, np.uint8)
