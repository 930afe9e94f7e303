"""One avatar's mouth: a frame and seven numbers in, the moved lower face out."""

from dataclasses import dataclass

import cv2
import numpy as np

from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.blend_weights import moves_for
from warm.engines.viseme.displacement_fields import Region
from warm.engines.viseme.interior import Interior, Paint, Pose
from warm.engines.viseme.warp import Box, Warp

SOFT = 4
"""Pixels a side for each value of the mask that is worked out."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A drawn lower face and where it lies in its frame."""

    picture: Pixels
    """(h, w, 3) BGR."""
    mask: Pixels
    """(h, w), 255 where only the picture shows."""
    box: Box


@dataclass(frozen=True, slots=True, eq=False)
class MouthData:
    """What preparation made for one avatar, as the avatar's folder keeps it."""

    grid: Floats32
    """(2, moves, GRID, GRID, 2), see `fields.Fields`."""
    seam_moves: Floats32
    """(2, moves, SEAM_POINTS, 2)."""
    region: Floats
    """(4,) left, top, right, bottom in IOD."""
    to_frame: Floats
    """(n, 2, 3) reference to frame pixels."""
    seams: Floats32
    """(n, SEAM_POINTS, 2) frame pixels."""
    mask: Pixels
    """(MASK, MASK) over the region."""
    upper_teeth: Floats32
    lower_teeth: Floats32
    tongue: Floats32
    """(h, w, 4) BGR 0…255 and opacity 0…1, see `inner`."""
    cavity: Floats32
    """(3,) BGR."""
    scale: Floats
    """() pixels an IOD."""
    middle: Floats
    """() where the face's own middle crosses the mouth, IOD."""
    calibration: Floats32
    """(3, LEVELS), see `calibration`."""
    gains: Floats32
    """(n,), see `calibration.frame_gains`."""


class Mouth:
    """Draws the mouth of one avatar. Not thread-safe."""

    def __init__(self, data: MouthData, frames: Pixels) -> None:
        self._data, self._frames = data, frames
        self._region = Region(*(float(side) for side in data.region))
        self._warp = Warp(data.grid, self._region)
        self._inside = Interior(
            tongue=Paint.of(data.tongue),
            lower_teeth=Paint.of(data.lower_teeth),
            upper_teeth=Paint.of(data.upper_teeth),
            cavity=data.cavity,
            scale=float(data.scale),
            middle=float(data.middle),
        )
        self._seam_moves = data.seam_moves.swapaxes(0, 1).reshape(data.seam_moves.shape[1], -1)

    def draw(self, frame: int, condition: Floats32) -> Drawn:
        """The lower face of frame `frame` with the mouth as `condition` (7,) says."""
        to_frame, picture = self._data.to_frame[frame], self._frames[frame]
        box = self._box(to_frame)
        mask = self._mask(to_frame, box)
        amount = moves_for(condition, self._data.calibration, float(self._data.gains[frame]))
        if not amount.any():
            return Drawn(np.asarray(box.cut(picture)), mask, box)
        lips = self._lips(frame, amount)
        source = self._warp.source(to_frame, amount, lips.mean(axis=0), box)
        # Sources lie in the box as well: nothing moves at its border.
        shown = np.asarray(
            cv2.remap(
                picture[box.top :, box.left :],
                source,
                np.empty(0),
                cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )
        pose = Pose.of(condition, amount)
        self._inside.fill(shown, box.corner, to_frame, lips, pose)
        return Drawn(shown, mask, box)

    def show(self, frame: int, condition: Floats32) -> Pixels:
        """The whole picture (h, w, 3) with the drawn mouth in it, without any blending."""
        drawn = self.draw(frame, condition)
        picture = self._frames[frame].copy()
        drawn.box.cut(picture)[:] = drawn.picture
        return np.asarray(picture, np.uint8)

    def _box(self, to_frame: Floats) -> Box:
        """The pixels that may move, inside the frame."""
        corners = self._region.corners @ to_frame[:, :2].T + to_frame[:, 2]
        height, width = self._frames.shape[1:3]
        low = np.clip(np.floor(corners.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 1, low + 1, [width, height]).astype(int)
        return Box(int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1]))

    def _mask(self, to_frame: Floats, box: Box) -> Pixels:
        """(h, w) the region's mask on the box's pixels."""
        to_reference = self._region.grid_to_reference(len(self._data.mask))
        linear = to_frame[:, :2] @ to_reference[:, :2]
        shift = to_frame[:, :2] @ to_reference[:, 2] + to_frame[:, 2] - box.corner
        matrix = np.column_stack([linear, shift])
        # A quarter of the pixels will do: the mask is soft.
        size = (-(-box.width // SOFT), -(-box.height // SOFT))
        matrix = (matrix - [[0, 0, (SOFT - 1) / 2]] * 2) / SOFT
        small = cv2.warpAffine(self._data.mask, matrix, size)
        return np.asarray(cv2.resize(small, (box.width, box.height)), np.uint8)

    def _lips(self, frame: int, amount: Floats32) -> Floats32:
        """(2, k, 2) the upper and the lower lip's inner edge in frame pixels."""
        seam = self._data.seams[frame]
        shift = (amount @ self._seam_moves).reshape(2, *seam.shape)
        linear = self._data.to_frame[frame][:, :2].T.astype(np.float32)
        return np.asarray(seam + shift @ linear)
