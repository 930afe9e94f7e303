"""Backward warp of the lower face: each pixel's source, from two displacement fields."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.curvature import FLAT, Curvature, bent_offset, unbend
from warm.engines.viseme.displacement_fields import Region

STRIDE = 2
"""Step between the stored grid's nodes that are used at run time: the fields are smooth."""
NODE_IOD = 0.046
"""Distance between the frame's nodes at which the fields are inverted."""
NEWTON_FRACTIONS: Sequence[float] = (0.5, 1.0, 1.0, 1.0)
"""Fraction of the field that each Newton step solves for; the first half step makes it converge."""
STEEP_NEWTON_FRACTIONS = (0.5, *(1.0,) * 7)
"""The same for a field that would fold: it converges more slowly where the face is compressed."""
MIN_SLOPE = 0.3
"""Lower limit of the map's vertical slope in Newton's method."""
FOLD_SLOPE = -0.6
"""Least slope of a field's vertical part; below -1 the face would fold over itself, and from about
-0.7 on Newton's method leaves a pattern of scales."""
FAR_IOD = 4.0
"""Beyond the reach of any rectangle around the mouth."""
MOST_PLACED = 1024
"""Largest number of frames whose nodes are cached, 10 kB each."""
SHIFT_BITS = 4
"""Fractional bits of polygon points for OpenCV."""


@dataclass(frozen=True, slots=True)
class PixelRect:
    """A rectangle of whole pixels in a frame."""

    left: int
    top: int
    width: int
    height: int

    @property
    def corner(self) -> tuple[int, int]:
        """The first pixel (x, y)."""
        return self.left, self.top

    def crop(self, picture: Pixels) -> Pixels:
        """Return this part of a picture as a view."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


class BackwardWarp:
    """The blendshapes of one avatar as backward maps. Not thread-safe."""

    def __init__(self, grid: Floats32, region: Region, *, stride: int = STRIDE) -> None:
        """`grid` (2, fields, size, size, 2): see `DisplacementFields`."""
        coarse = grid[:, :, ::stride, ::stride]
        self._size = coarse.shape[2]
        to_reference = region.grid_to_reference(self._size)
        self._step = to_reference[[0, 1], [0, 1]]
        self._origin = to_reference[:, 2] / self._step
        # In grid steps, so that a displacement can be added to the position where it is read.
        field = coarse / self._step.astype(np.float32)
        slope = np.gradient(field[..., 1], axis=2)[..., None]
        self._layers = [
            np.ascontiguousarray(layer.reshape(len(layer), -1))
            for layer in np.concatenate([field, slope], axis=-1)
        ]
        self._pixels = np.zeros((0, 0, 2), np.float32)
        self._placed: dict[tuple[bytes, PixelRect, Curvature], Floats32] = {}

    def source(
        self,
        to_frame: Floats,
        weights: Floats32,
        line: Floats32,
        rect: PixelRect,
        curvature: Curvature = FLAT,
    ) -> Floats32:
        """(h, w, 2) source of each pixel of `rect`, in frame pixels.

        `line` (k, 2) separates the layers: the middle of the opening, frame pixels.
        """
        node = max(1, round(NODE_IOD * float(np.hypot(*to_frame[:, 0]))))
        nodes = self._kept_nodes(to_frame, rect, node, curvature)
        place = to_frame, curvature
        below = below_line(line, to_frame, rect)
        low, high = rows_with_both_layers(line, to_frame, rect)
        first, last = max(0, low // node - 1), min(len(nodes), high // node + 2)
        # `shift` takes the lower layer; the upper one is copied over it above the line.
        shift = np.empty((len(nodes) * node, nodes.shape[1] * node, 2), np.float32)
        self._write_shift(1, nodes[first:], place, weights, shift[first * node :])
        upper = np.empty((last * node, *shift.shape[1:]), np.float32)
        self._write_shift(0, nodes[:last], place, weights, upper)
        shift[: first * node] = upper[: first * node]
        band = slice(first * node, min(last * node, rect.height))
        cv2.copyTo(upper[band, : rect.width], ~below[band], shift[band, : rect.width])
        shift = shift[: rect.height, : rect.width]
        return np.add(shift, self._pixel_grid(rect), out=shift)

    def _kept_nodes(
        self, to_frame: Floats, rect: PixelRect, node: int, curvature: Curvature
    ) -> Floats32:
        """The cached nodes of a frame, which is drawn repeatedly; must not be modified."""
        place = to_frame.tobytes(), rect, curvature
        nodes = self._placed.get(place)
        if nodes is None:
            if len(self._placed) >= MOST_PLACED:
                self._placed.clear()
            nodes = self._placed[place] = self._nodes(to_frame, rect, node, curvature)
        return nodes

    def _nodes(
        self, to_frame: Floats, rect: PixelRect, node: int, curvature: Curvature
    ) -> Floats32:
        """(rows, columns, 2) grid coordinates of the middles of the rect's `node`-wide squares."""
        first = np.array(rect.corner) + (node - 1) / 2 - to_frame[:, 2]
        inverse = np.linalg.inv(to_frame[:, :2]) / self._step[:, None]
        steps = (inverse * node).astype(np.float32)
        start = (inverse @ first - self._origin).astype(np.float32)
        columns = np.arange(-(-rect.width // node), dtype=np.float32)
        rows = np.arange(-(-rect.height // node), dtype=np.float32)
        across = columns[:, None] * steps[:, 0] + start
        nodes = across[None] + (rows[:, None] * steps[:, 1])[:, None]
        if curvature.bends:
            nodes = unbend((nodes + self._origin) * self._step, curvature) / self._step
            nodes -= self._origin
        return np.asarray(nodes, np.float32)

    def _write_shift(
        self,
        layer: int,
        nodes: Floats32,
        place: tuple[Floats, Curvature],
        weights: Floats32,
        out: Floats32,
    ) -> None:
        """Write the offset of each pixel's source in a layer to `out` (h, w, 2), pixels."""
        field = (weights @ self._layers[layer]).reshape(self._size, self._size, 3)
        fractions = NEWTON_FRACTIONS
        if field[..., 2].min() < FOLD_SLOPE:
            field, fractions = unfolded(field), STEEP_NEWTON_FRACTIONS
        to_frame, curvature = place
        linear = (to_frame[:, :2] * self._step).T.astype(np.float32)
        offset = invert_displacement(field, nodes, fractions)
        if curvature.bends:
            step = self._step.astype(np.float32)
            across = (nodes[..., 0] + self._origin[0]) * self._step[0] - curvature.centre
            offset = bent_offset(across.astype(np.float32), offset * step, curvature) / step
        coarse = (offset.reshape(-1, 2) @ linear).reshape(offset.shape)
        cv2.resize(coarse, out.shape[1::-1], dst=out, interpolation=cv2.INTER_LINEAR)

    def _pixel_grid(self, rect: PixelRect) -> Floats32:
        """(h, w, 2) pixel positions (x, y) inside the rectangle, from a buffer that grows."""
        rows, columns = self._pixels.shape[:2]
        if rows < rect.height or columns < rect.width:
            y, x = np.mgrid[: max(rows, rect.height), : max(columns, rect.width)]
            self._pixels = np.stack([x, y], axis=-1).astype(np.float32)
        return self._pixels[: rect.height, : rect.width]


def unfolded(field: Floats32) -> Floats32:
    """Return a field (size, size, 3) without folds: no row comes to lie above the row before it."""
    rows = np.arange(len(field), dtype=np.float32)[:, None]
    least = (1 + FOLD_SLOPE) * rows
    moved = np.maximum.accumulate(rows + field[..., 1] - least, axis=0) + least
    vertical = moved - rows
    slope = np.gradient(vertical, axis=0)
    return np.stack([field[..., 0], vertical, slope], axis=-1).astype(np.float32)


def invert_displacement(
    field: Floats32, nodes: Floats32, fractions: Sequence[float] = NEWTON_FRACTIONS
) -> Floats32:
    """(…, 2) n - x with n + D(n) = x at each node x, all in grid steps.

    `field` is (size, size, 3): D and the vertical slope of its vertical part. A Newton step with
    that slope alone is enough, because openings are almost vertical. Outside the grid D is 0.
    """
    at = nodes.copy()
    for fraction in fractions:
        read = cv2.remap(field, at, np.empty(0), cv2.INTER_LINEAR, borderValue=0)
        value = np.asarray(read, np.float32)
        value *= np.float32(fraction)
        error = at - nodes
        error += value[..., :2]
        error[..., 1] /= np.maximum(1 + value[..., 2], MIN_SLOPE)
        at -= error
    return at - nodes


def below_line(line: Floats32, to_frame: Floats, rect: PixelRect) -> Pixels:
    """(h, w) 255 below the line, which continues level with the face beyond its ends."""
    across, down = (to_frame[:, :2] * FAR_IOD).T
    ends = [line[-1] + across, line[-1] + across + down, line[0] - across + down, line[0] - across]
    polygon = (np.concatenate([line, ends]) - rect.corner) * (1 << SHIFT_BITS)
    mask = np.zeros((rect.height, rect.width), np.uint8)
    cv2.fillPoly(mask, [np.round(polygon).astype(np.int32)], (255,), shift=SHIFT_BITS)
    return mask


def rows_with_both_layers(line: Floats32, to_frame: Floats, rect: PixelRect) -> tuple[int, int]:
    """Return the rect's rows that show both layers: the first, and one past the last."""
    tilt = to_frame[1, 0] / to_frame[0, 0]
    left = line[0, 1] + (rect.left - line[0, 0]) * tilt
    right = line[-1, 1] + (rect.left + rect.width - line[-1, 0]) * tilt
    low = min(left, right, float(line[:, 1].min())) - rect.top
    high = max(left, right, float(line[:, 1].max())) - rect.top
    return max(0, min(int(low) - 1, rect.height)), max(0, min(int(high) + 2, rect.height))
