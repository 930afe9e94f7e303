"""One avatar's mouth: seven numbers and a frame in, the moved lower face out."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.viseme.anatomy import Floats
from warm.viseme.fields import CHIN_SHARE, FULL, Move, Region
from warm.viseme.inner import HALF_WIDTH, reference_to_paint
from warm.viseme.shape import Shape

Floats32 = NDArray[np.float32]
Pixels = NDArray[np.uint8]
INVERSE_STEPS = 4
FINE = 4
"""Sub-pixels a side that an opening's coverage is counted on."""


def moves_for(condition: Floats32) -> Floats32:
    """(7,) shapes to the amounts of each move."""
    press = float(np.clip(condition[Shape.PRESS], 0, 1))
    opening = float(np.clip(condition[Shape.OPEN], 0, 1.2)) * (1 - press)
    pucker = float(np.clip(condition[Shape.ROUND], 0, 1))
    teeth = 0.75 * float(np.clip(condition[Shape.TEETH], 0, 1))
    amount = np.zeros(len(Move), np.float32)
    amount[Move.OPEN] = opening * (1 - pucker) * (1 - teeth)
    amount[Move.FUNNEL] = opening * pucker
    amount[Move.PART] = opening * (1 - pucker) * teeth
    amount[Move.WIDE] = condition[Shape.WIDE]
    amount[Move.ROUND] = pucker
    amount[Move.PRESS] = press
    amount[Move.TUCK] = condition[Shape.TUCK] * (1 - press)
    return amount


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A drawn lower face and the pixel of the frame its top left corner lies on."""

    picture: Pixels
    mask: Pixels
    left: int
    top: int


class Mouth:
    """Draws the mouth of one avatar. Not thread-safe."""

    def __init__(self, extras: dict[str, NDArray[np.generic]], frames: Pixels) -> None:
        self._frames = frames
        grid = np.asarray(extras["viseme_grid"], np.float32)[:, :, ::2, ::2]
        self._size = grid.shape[2]
        slope = np.gradient(grid[..., 1], axis=2)
        self._region = Region(*np.asarray(extras["viseme_region"], np.float64))
        self._to_reference = self._region.grid_to_reference(self._size)
        step = self._to_reference[[0, 1], [0, 1]].astype(np.float32)
        # Everything on the grid is counted in grid steps, so that remap's coordinates need no scaling.
        field = np.concatenate([grid / step, (slope / step[1])[..., None]], axis=-1)
        self._bases = [np.ascontiguousarray(layer.reshape(len(Move), -1)) for layer in field]
        self._step = step
        nodes = np.arange(self._size, dtype=np.float32)
        self._nodes = np.stack(np.meshgrid(nodes, nodes), axis=-1)
        self._seam_bases = np.asarray(extras["viseme_seam_moves"], np.float32)
        self._to_frame = np.asarray(extras["viseme_to_frame"], np.float64)
        self._seams = np.asarray(extras["viseme_seams"], np.float32)
        self._mask = np.asarray(extras["viseme_mask"], np.uint8)
        self._upper = np.asarray(extras["viseme_upper_teeth"], np.float32)
        self._lower = np.asarray(extras["viseme_lower_teeth"], np.float32)
        self._tongue = np.asarray(extras["viseme_tongue"], np.float32)
        self._cavity = np.asarray(extras["viseme_cavity"], np.float32)
        self._scale = float(extras["viseme_scale"])

    def draw(self, frame: int, condition: Floats32) -> Drawn:
        """The lower face of frame `frame` with the mouth as `condition` (7,) says."""
        to_frame = self._to_frame[frame]
        left, top, width, height = self._box(to_frame)
        amount = moves_for(condition)
        picture = self._frames[frame]
        mask = self._warp(self._mask, to_frame, (left, top, width, height))
        if not amount.any():
            return Drawn(picture[top : top + height, left : left + width], mask, left, top)
        lips = self._lips(frame, amount)
        source = self._source(to_frame, amount, lips, (left, top, width, height))
        shown = cv2.remap(picture, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        self._fill(shown, to_frame, condition, amount, lips - np.float32([left, top]), (left, top))
        return Drawn(shown, mask, left, top)

    def _box(self, to_frame: Floats) -> tuple[int, int, int, int]:
        corners = self._region.corners @ to_frame[:, :2].T + to_frame[:, 2]
        height, width = self._frames.shape[1:3]
        low = np.clip(np.floor(corners.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)) + 1, low + 1, [width, height]).astype(int)
        return int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])

    def _warp(self, picture: NDArray[np.generic], to_frame: Floats, box: tuple[int, int, int, int]):
        """Read something of the grid on the frame's pixels in `box`."""
        left, top, width, height = box
        linear = to_frame[:, :2] @ self._to_reference[:, :2]
        shift = to_frame[:, :2] @ self._to_reference[:, 2] + to_frame[:, 2] - (left, top)
        return cv2.warpAffine(
            picture, np.column_stack([linear, shift]), (width, height), flags=cv2.INTER_LINEAR
        )

    def _lips(self, frame: int, amount: Floats32) -> Floats32:
        """(2, k, 2) the upper and the lower lip's inner edge in frame pixels."""
        shift = np.einsum("m,lmkc->lkc", amount, self._seam_bases)
        linear = self._to_frame[frame][:, :2].astype(np.float32)
        return self._seams[frame] + shift @ linear.T

    def _source(self, to_frame, amount, lips, box) -> Floats32:
        """(h, w, 2) where each pixel of the box comes from, frame pixels."""
        left, top, width, height = box
        linear = (to_frame[:, :2] * self._step).T.astype(np.float32)
        upper, lower = (self._inverse(base, amount) @ linear for base in self._bases)
        above = self._warp(upper, to_frame, box)
        below = self._warp(lower, to_frame, box)
        split = self._below(lips, to_frame, box)
        cv2.copyTo(below, split, above)
        y, x = np.mgrid[top : top + height, left : left + width].astype(np.float32)
        above[..., 0] += x
        above[..., 1] += y
        return above

    def _inverse(self, base: Floats32, amount: Floats32) -> Floats32:
        """(size, size, 2) backward displacement: n - x with n + D(n) = x, grid steps."""
        field = (amount @ base).reshape(self._size, self._size, 3)
        at = self._nodes - field[..., :2]
        for _ in range(INVERSE_STEPS):
            value = cv2.remap(field, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            error = at + value[..., :2] - self._nodes
            error[..., 1] /= np.maximum(1 + value[..., 2], 0.25)
            at -= error
        return at - self._nodes

    def _below(self, lips: Floats32, to_frame: Floats, box: tuple[int, int, int, int]) -> Pixels:
        """(h, w) 255 where the lower layer shows: below the middle of the opening."""
        left, top, width, height = box
        line = lips.mean(axis=0) - np.float32([left, top])
        across = to_frame[:, 0].astype(np.float32) * 4
        down = to_frame[:, 1].astype(np.float32) * 4
        ring = np.concatenate(
            [
                line,
                [
                    line[-1] + across,
                    line[-1] + across + down,
                    line[0] - across + down,
                    line[0] - across,
                ],
            ]
        )
        split = np.zeros((height, width), np.uint8)
        cv2.fillPoly(split, [np.round(ring * 16).astype(np.int32)], 255, shift=4)
        return split

    def _fill(self, shown, to_frame, condition, amount, lips, corner) -> None:
        """Paint the inner mouth into the opening of `shown`."""
        low = np.floor(lips.min(axis=(0, 1))).astype(int) - 3
        high = np.ceil(lips.max(axis=(0, 1))).astype(int) + 4
        low = np.maximum(low, 0)
        high = np.minimum(high, [shown.shape[1], shown.shape[0]])
        if (high <= low).any() or (lips[1] - lips[0])[:, 1].max() < 0.3:
            return
        size = high - low
        cover = self._coverage(lips - low.astype(np.float32), size)
        part = shown[low[1] : high[1], low[0] : high[0]]
        inner = self._inner(to_frame, condition, amount, np.asarray(corner) + low, size, cover)
        mixed = part + (inner - part) * cover[..., None]
        np.clip(mixed + 0.5, 0, 255, out=mixed)
        part[:] = mixed

    def _coverage(self, lips: Floats32, size: NDArray[np.int_]) -> Floats32:
        """(h, w) 0…1: how much of each pixel the opening covers."""
        ring = np.concatenate([lips[0], lips[1][::-1]])
        fine = np.zeros((size[1] * FINE, size[0] * FINE), np.uint8)
        points = np.round(((ring + 0.5) * FINE - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(fine, [points], 255, shift=4)
        small = cv2.resize(fine, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
        return cv2.GaussianBlur(small, (0, 0), 0.008 * self._scale).astype(np.float32) / 255

    def _inner(self, to_frame, condition, amount, corner, size, cover) -> Floats32:
        """(h, w, 3) cavity, tongue and teeth as the opening would show them."""
        jaw = (
            CHIN_SHARE
            * FULL
            * float(amount[Move.OPEN] + 0.8 * amount[Move.FUNNEL] + 0.15 * amount[Move.PART])
        )
        light = cv2.GaussianBlur(cover, (0, 0), 0.05 * self._scale)
        tip = float(condition[Shape.TONGUE])
        inner = np.broadcast_to(self._cavity, (*cover.shape, 3)) * (0.4 + 0.6 * light[..., None])
        tongue = (0.0, (0.10 + 0.95 * jaw) * (1 - tip) + tip * (0.03 + 0.25 * jaw))
        lit = (0.45 + 0.55 * light)[..., None]
        inner = self._over(inner, self._tongue, to_frame, tongue, corner, size, lit)
        inner = self._over(inner, self._lower, to_frame, (0.0, 0.01 + jaw), corner, size, lit)
        return self._over(inner, self._upper, to_frame, (0.0, 0.028), corner, size, lit)

    def _over(self, behind, paint, to_frame, origin, corner, size, lit) -> Floats32:
        """Lay a painted thing over `behind`, its origin at `origin` of the reference."""
        to_paint = reference_to_paint(self._scale)
        to_paint[:, 2] -= to_paint[:, :2] @ origin
        inverse = np.linalg.inv(to_frame[:, :2])
        linear = to_paint[:, :2] @ inverse
        shift = to_paint[:, :2] @ (inverse @ (corner - to_frame[:, 2])) + to_paint[:, 2]
        moved = cv2.warpAffine(
            paint,
            np.column_stack([linear, shift]),
            (int(size[0]), int(size[1])),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        )
        return behind * (1 - moved[..., 3:]) + moved[..., :3] * lit
