"""Warp that closes a mouth: two smooth layers, separated along the line where the lips meet."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import pixel_grid, sample_at, smoothstep, thin_plate_matrix
from stabilizers.similarity import apply, compose, invert, scale_of
from warm.avatars.avatar import CANONICAL_IOD
from warm.prepare.idle.lower_face import (
    AROUND_LOWER,
    AROUND_UPPER,
    CHEEKS,
    CHIN,
    CORNER_SKIN,
    INNER_LOWER,
    INNER_UPPER,
    JAW_SHARE,
    MIDDLE_LOWER,
    MIDDLE_UPPER,
    NOSE_BASE,
    OUTER_LOWER,
    OUTER_UPPER,
    lip_line,
)
from warm.prepare.idle.resting_face import RestingFace

GRID_STEP = 2.5
"""Crop pixels between the nodes of a field."""
SIDE_IOD, BELOW_IOD = 0.55, 0.60
"""Reach of the field beyond the mouth's corners and below the chin."""
FADE_IOD = 0.2
"""Width over which the field fades at the region's border."""
SMOOTHING = 0.02
"""Smoothing of the thin-plate splines, in squared node distances."""
NEAR_MOBILITY, CHEEK_MOBILITY = 0.9, 0.5
"""Shares by which the skin around the mouth and the cheeks return to rest."""
OPENING_IOD = 0.08
"""A gap this much wider than the closed one certainly shows the inside of the mouth."""
INSET_IOD = 0.012
"""An open mouth's inner lip line is moved this far into the lip, away from the bright teeth."""
LIP_LINE_SOFT_PX = 0.6
"""Width over which the two layers blend, frame pixels."""
UPPER_NODES = tuple(dict.fromkeys((*OUTER_UPPER, *INNER_UPPER, *MIDDLE_UPPER, *AROUND_UPPER)))
LOWER_NODES = tuple(dict.fromkeys((*OUTER_LOWER, *INNER_LOWER, *MIDDLE_LOWER, *AROUND_LOWER)))
SHARED_NODES = (*CORNER_SKIN, *CHEEKS, *NOSE_BASE, *JAW_SHARE)
SIDE_REACH, NOSE_REACH, CHIN_REACH = 1.15, 0.55, 0.45
"""Half axes of the area of an open mouth: relative to that of closed lips, and to the distances to
nose and chin."""
RIM_NODES = 7
"""Fixed nodes on each side of the region."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in frame pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameWarp:
    """The warp that closes the mouth of one frame."""

    to_frame: NDArray[np.float64]
    """(2, 3) layout to frame pixels."""
    field: NDArray[np.float32]
    """(gh, gw, 4) frame pixels from closed to filmed position: upper x, y, lower x, y."""


class ClosingWarp:
    """Closes the mouth in the frames of one person. Immutable, hence thread-safe."""

    def __init__(self, face: RestingFace, transforms: NDArray[np.float64]) -> None:
        self._face = face
        self.to_frame = compose(transforms, face.to_crop)
        """(n, 2, 3) layout to frame pixels."""
        layout = face.layout
        low, high = region(layout)
        columns, rows = (np.ceil((high - low) / GRID_STEP).astype(int) + 1).tolist()
        grid = low + GRID_STEP * pixel_grid(0, 0, columns, rows).astype(np.float64)
        self.grid_to_layout = np.array([[GRID_STEP, 0, low[0]], [0, GRID_STEP, low[1]]])
        """(2, 3) node indices (x, y) to layout pixels."""
        self._rim = rim_nodes(low, high)
        self._window = window(grid, low, high)
        self._upper = self._spline((*UPPER_NODES, *SHARED_NODES), grid)
        self._lower = self._spline((*LOWER_NODES, *SHARED_NODES), grid)
        self.guides = np.dstack(
            [below_lip_line(layout, grid), lip_radius(layout, grid), wide_radius(layout, grid)]
        )
        """(gh, gw, 3) distance below the lip line, crop pixels; 1 on the ellipse of closed lips;
        1 on the border of the area that widely open lips leave changed."""

    def frame_warps(self, frames: Sequence[int], opened: NDArray[np.float64]) -> list[FrameWarp]:
        """Return the warps of some frames; opened: 0 for closed lips … 1 for an open mouth."""
        moves = [
            self._displacements(i) + self._inner_offsets(float(open_share))
            for i, open_share in zip(frames, opened, strict=True)
        ]
        return self._warps(frames, np.stack(moves))

    def warp_by(self, i: int, displacements: NDArray[np.float64]) -> FrameWarp:
        """Return the warp of frame `i` by (468, 2) layout pixels from closed to filmed position."""
        return self._warps([i], displacements[None])[0]

    def _warps(self, frames: Sequence[int], displacements: NDArray[np.float64]) -> list[FrameWarp]:
        """Return the warps of k frames by (k, 468, 2) displacements: one product for all."""
        moves = displacements @ np.swapaxes(self.to_frame[list(frames), :, :2], 1, 2)
        layers = [
            spline @ self._values(moves, (*nodes, *SHARED_NODES))
            for spline, nodes in ((self._upper, UPPER_NODES), (self._lower, LOWER_NODES))
        ]
        both = np.stack(layers).reshape(2, *self._window.shape, len(frames), 2)
        fields = np.moveaxis(both, (3, 0), (0, 3)).reshape(len(frames), *self._window.shape, 4)
        fields = np.asarray(fields * self._window[..., None], np.float32)
        return [FrameWarp(self.to_frame[i], field) for i, field in zip(frames, fields, strict=True)]

    def box(self, i: int, shape: tuple[int, ...]) -> Box:
        """Return the box of the pixels of frame `i` that may change."""
        rows, columns = self._window.shape
        ends = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], np.float64)
        corners = apply(compose(self.to_frame[i], self.grid_to_layout), ends)
        low = np.clip(np.floor(corners.min(axis=0)), 0, [shape[1], shape[0]]).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)), 0, [shape[1], shape[0]]).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def resample(self, grid: NDArray[np.float32], i: int, box: Box) -> NDArray[np.float32]:
        """Interpolate (gh, gw, k) values on the grid at the pixels of a box of frame `i`."""
        return self._resample_to(self.to_frame[i], grid, box)

    def warp_picture(
        self, picture: NDArray[np.uint8], warp: FrameWarp, i: int, box: Box
    ) -> NDArray[np.uint8]:
        """Return `picture` with its mouth closed by its `warp`, aligned to a box of frame `i`."""
        return self.warp_to(self.to_frame[i], box, picture, warp)

    def warp_to(
        self,
        to_pixels: NDArray[np.float64],
        box: Box,
        picture: NDArray[np.uint8],
        warp: FrameWarp,
    ) -> NDArray[np.uint8]:
        """Return `picture` with its mouth closed by its `warp`, at a box of pixels.

        to_pixels: (2, 3) layout to those pixels.
        """
        to_picture = compose(warp.to_frame, invert(to_pixels))
        points = np.asarray(apply(to_picture, pixel_grid(*box)), np.float32)
        field = self._resample_to(to_pixels, warp.field, box)
        below = self._resample_to(to_pixels, self.guides[..., :1], box)
        soft = LIP_LINE_SOFT_PX / scale_of(warp.to_frame)
        weight = np.clip(0.5 + below / (2 * soft), 0, 1)[..., None]
        first, last = rows_of_both(weight)
        upper = sample_at(picture, points[:last] + field[:last, :, :2], cv2.INTER_CUBIC)
        lower = sample_at(picture, points[first:] + field[first:, :, 2:], cv2.INTER_CUBIC)
        closed = np.concatenate([upper, lower[last - first :]])
        above, below = upper[first:], lower[: last - first].astype(np.float32)
        closed[first:last] = above + weight[first:last] * (below - above) + 0.5
        return closed

    def _resample_to(
        self, to_pixels: NDArray[np.float64], grid: NDArray[np.float32], box: Box
    ) -> NDArray[np.float32]:
        x0, y0, x1, y1 = box
        to_box = compose(to_pixels, self.grid_to_layout) - [[0, 0, x0], [0, 0, y0]]
        return np.asarray(
            cv2.warpAffine(grid, to_box, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE)
        )

    def _spline(self, nodes: tuple[int, ...], grid: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the matrix from values at the nodes and the rim to values on the grid."""
        known = np.vstack([self._face.layout[list(nodes)], self._rim])
        spacing = np.sqrt(np.prod(np.ptp(known, axis=0)) / len(known))
        flat = grid.reshape(-1, 2)
        return thin_plate_matrix(known / spacing, flat / spacing, SMOOTHING).astype(np.float32)

    def _values(
        self, displacements: NDArray[np.float64], nodes: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Return (nodes + rim, 2 k) values of (k, 468, 2) displacements; the rim does not move."""
        moved = np.moveaxis(displacements[:, list(nodes)], 0, 1).reshape(len(nodes), -1)
        still = np.zeros((len(self._rim), moved.shape[1]))
        return np.vstack([moved, still]).astype(np.float32)

    def _displacements(self, i: int) -> NDArray[np.float64]:
        """Return (468, 2) offsets from closed to filmed landmark positions, layout pixels."""
        face, to_layout = self._face, invert(self._face.to_crop[i])
        measured = apply(to_layout, face.measured[i])
        offset = measured - apply(to_layout, face.expected[i])
        moved = np.zeros_like(offset)
        for nodes, share in (
            ((*AROUND_UPPER, *AROUND_LOWER, *CORNER_SKIN), NEAR_MOBILITY),
            (CHEEKS, CHEEK_MOBILITY),
        ):
            moved[list(nodes)] = share * offset[list(nodes)]
        moved[list(JAW_SHARE)] = np.outer(list(JAW_SHARE.values()), offset[list(CHIN)].mean(axis=0))
        lips = [*UPPER_NODES, *LOWER_NODES]
        lips = [k for k in lips if k not in (*AROUND_UPPER, *AROUND_LOWER)]
        moved[lips] = measured[lips] - face.layout[lips]
        return moved

    def _inner_offsets(self, opened: float) -> NDArray[np.float64]:
        """Return (468, 2) offsets of the inner lips: the mesh's bias, or the inset of open lips."""
        return (1 - opened) * self._face.inner_bias + opened * inner_lip_inset()


def region(layout: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and greatest (x, y) of the part of the layout that may move."""
    mouth, chin = layout[[61, 291]], layout[152]
    low = np.array([mouth[0, 0] - SIDE_IOD * CANONICAL_IOD, layout[[2, 98, 327], 1].min() - 12])
    high = np.array([mouth[1, 0] + SIDE_IOD * CANONICAL_IOD, chin[1] + BELOW_IOD * CANONICAL_IOD])
    return low, high


def rows_of_both(weight: NDArray[np.floating]) -> tuple[int, int]:
    """Return the first row of the lower layer and the end of the rows of the upper one.

    weight: (h, w, 1) of the lower layer. Each layer gets one row at least.
    """
    lower = np.flatnonzero((weight > 0).any(axis=(1, 2)))
    upper = np.flatnonzero((weight < 1).any(axis=(1, 2)))
    last = int(upper[-1]) + 1 if len(upper) else 1
    return min(int(lower[0]) if len(lower) else last, last, len(weight) - 1), last


def inner_lip_inset() -> NDArray[np.float64]:
    """Return (468, 2) offsets from the inner lip line into the lips, layout pixels."""
    inset = np.zeros((468, 2))
    inset[list(INNER_UPPER[1:-1]), 1] = -INSET_IOD * CANONICAL_IOD
    inset[list(INNER_LOWER[1:-1]), 1] = INSET_IOD * CANONICAL_IOD
    return inset


def rim_nodes(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (4 (RIM_NODES - 1), 2) fixed points around the region."""
    t = np.linspace(0, 1, RIM_NODES)[:-1]
    zero, one = np.zeros_like(t), np.ones_like(t)
    around = [(t, zero), (one, t), (1 - t, one), (zero, 1 - t)]
    return low + np.concatenate([np.column_stack(side) for side in around]) * (high - low)


def window(
    points: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return weights of 1 inside the region that fall to 0 at its border."""
    distance = np.minimum(points - low, high - points).min(axis=-1)
    return smoothstep(distance / (FADE_IOD * CANONICAL_IOD)).astype(np.float32)


def below_lip_line(layout: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the distance below the lip line in crop pixels; the line is extended horizontally."""
    line = lip_line(layout)
    return np.asarray(points[..., 1] - np.interp(points[..., 0], *line.T), np.float32)


def wide_radius(layout: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the same radius for the area that an open mouth occupies: wider, and down the chin."""
    lips = layout[[*OUTER_UPPER, *OUTER_LOWER]]
    low, high = lips.min(axis=0), lips.max(axis=0)
    middle, half = (low + high) / 2, (high - low) / 2
    chin = layout[list(CHIN), 1].max() - middle[1]
    offset = points - middle
    nose = middle[1] - layout[2, 1]
    down, up = max(half[1], CHIN_REACH * chin), max(half[1], NOSE_REACH * nose)
    vertical = np.where(offset[..., 1] > 0, down, up)
    scaled = np.stack([offset[..., 0] / (half[0] * SIDE_REACH), offset[..., 1] / vertical], axis=-1)
    return np.asarray(np.linalg.norm(scaled, axis=-1), np.float32)


def lip_radius(layout: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the radius, 1 on the ellipse through the corners and outer edges of closed lips."""
    lips = layout[[*OUTER_UPPER, *OUTER_LOWER]]
    low, high = lips.min(axis=0), lips.max(axis=0)
    return np.asarray(
        np.linalg.norm((points - (low + high) / 2) / ((high - low) / 2), axis=-1), np.float32
    )
