"""Where each pixel of a moved face comes from: two fields summed, turned round, laid on a frame."""

from dataclasses import dataclass

import cv2
import numpy as np

from warm.engines.viseme.anatomy import Floats, Floats32, Pixels
from warm.engines.viseme.displacement_fields import Move, Region

STRIDE = 2
"""Of the stored grid's nodes, the ones used at run time: the fields are smooth."""
NODE_IOD = 0.046
"""Distance of the frame's nodes on which the fields are turned round."""
PATH = (0.5, 1.0, 1.0, 1.0)
"""Parts of the field for which each Newton step solves: half of it leads to where all converges."""
LEAST_SLOPE = 0.3
"""Newton's method takes the map's vertical slope for no flatter than this."""
FAR_IOD = 4.0
"""Further than any box reaches from the mouth."""
SHIFT_BITS = 4


@dataclass(frozen=True, slots=True)
class Box:
    """Whole pixels of a frame."""

    left: int
    top: int
    width: int
    height: int

    @property
    def corner(self) -> tuple[int, int]:
        """The first pixel (x, y)."""
        return self.left, self.top

    def cut(self, picture: Pixels) -> Pixels:
        """The box's part of a picture, not a copy."""
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


class Warp:
    """The moves of one avatar as backward maps. Not thread-safe."""

    def __init__(self, grid: Floats32, region: Region) -> None:
        coarse = grid[:, :, ::STRIDE, ::STRIDE]
        self._size = coarse.shape[2]
        to_reference = region.grid_to_reference(self._size)
        self._step = to_reference[[0, 1], [0, 1]]
        self._origin = to_reference[:, 2] / self._step
        # In grid steps, so that what is read can be added to where it is read.
        field = coarse / self._step.astype(np.float32)
        slope = np.gradient(field[..., 1], axis=2)[..., None]
        self._layers = [
            np.ascontiguousarray(layer.reshape(len(Move), -1))
            for layer in np.concatenate([field, slope], axis=-1)
        ]
        self._pixels = np.zeros((0, 0, 2), np.float32)

    def source(self, to_frame: Floats, amount: Floats32, line: Floats32, box: Box) -> Floats32:
        """(h, w, 2) frame pixels that the pixels of `box` show.

        `line` (k, 2) parts the layers: the middle of the opening, frame pixels.
        """
        node = max(1, round(NODE_IOD * float(np.hypot(*to_frame[:, 0]))))
        nodes = self._nodes(to_frame, box, node)
        below = below_line(line, to_frame, box)
        low, high = mixed_rows(line, to_frame, box)
        first, last = max(0, low // node - 1), min(len(nodes), high // node + 2)
        # The lower layer goes into `shift`, the upper one over it wherever it shows.
        shift = np.empty((len(nodes) * node, nodes.shape[1] * node, 2), np.float32)
        self._shift(1, nodes[first:], to_frame, amount, shift[first * node :])
        upper = np.empty((last * node, *shift.shape[1:]), np.float32)
        self._shift(0, nodes[:last], to_frame, amount, upper)
        shift[: first * node] = upper[: first * node]
        band = slice(first * node, min(last * node, box.height))
        cv2.copyTo(upper[band, : box.width], ~below[band], shift[band, : box.width])
        shift = shift[: box.height, : box.width]
        return np.add(shift, self._grid_of(box), out=shift)

    def _nodes(self, to_frame: Floats, box: Box, node: int) -> Floats32:
        """(rows, columns, 2) grid coordinates of the middles of the box's `node`-wide squares."""
        first = np.array(box.corner) + (node - 1) / 2 - to_frame[:, 2]
        inverse = np.linalg.inv(to_frame[:, :2]) / self._step[:, None]
        steps = (inverse * node).astype(np.float32)
        start = (inverse @ first - self._origin).astype(np.float32)
        columns = np.arange(-(-box.width // node), dtype=np.float32)
        rows = np.arange(-(-box.height // node), dtype=np.float32)
        across = columns[:, None] * steps[:, 0] + start
        return np.asarray(across[None] + (rows[:, None] * steps[:, 1])[:, None], np.float32)

    def _shift(
        self, layer: int, nodes: Floats32, to_frame: Floats, amount: Floats32, out: Floats32
    ) -> None:
        """Write into `out` (h, w, 2) how far off each pixel's source in a layer lies, pixels."""
        field = (amount @ self._layers[layer]).reshape(self._size, self._size, 3)
        linear = (to_frame[:, :2] * self._step).T.astype(np.float32)
        coarse = backwards(field, nodes) @ linear
        cv2.resize(coarse, out.shape[1::-1], dst=out, interpolation=cv2.INTER_LINEAR)

    def _grid_of(self, box: Box) -> Floats32:
        """(h, w, 2) the box's own pixels (x, y)."""
        rows, columns = self._pixels.shape[:2]
        if rows < box.height or columns < box.width:
            y, x = np.mgrid[: max(rows, box.height), : max(columns, box.width)]
            self._pixels = np.stack([x, y], axis=-1).astype(np.float32)
        return self._pixels[: box.height, : box.width]


def backwards(field: Floats32, nodes: Floats32) -> Floats32:
    """(…, 2) n - x with n + D(n) = x at each node x, all in grid steps.

    `field` is (size, size, 3): D and the vertical slope of its vertical part. A Newton step that
    knows only that slope is enough, for openings are all but vertical; outside the grid D is 0.
    """
    at = nodes.copy()
    for part in PATH:
        read = cv2.remap(field, at, np.empty(0), cv2.INTER_LINEAR, borderValue=0)
        value = np.asarray(read, np.float32) * np.float32(part)
        error = at - nodes
        error += value[..., :2]
        error[..., 1] /= np.maximum(1 + value[..., 2], LEAST_SLOPE)
        at -= error
    return at - nodes


def below_line(line: Floats32, to_frame: Floats, box: Box) -> Pixels:
    """(h, w) 255 below the line, which goes on level beyond its ends."""
    across, down = (to_frame[:, :2] * FAR_IOD).T
    ends = [line[-1] + across, line[-1] + across + down, line[0] - across + down, line[0] - across]
    ring = (np.concatenate([line, ends]) - box.corner) * (1 << SHIFT_BITS)
    mask = np.zeros((box.height, box.width), np.uint8)
    cv2.fillPoly(mask, [np.round(ring).astype(np.int32)], (255,), shift=SHIFT_BITS)
    return mask


def mixed_rows(line: Floats32, to_frame: Floats, box: Box) -> tuple[int, int]:
    """The box's rows in which both layers show, first and one past the last."""
    tilt = to_frame[1, 0] / to_frame[0, 0]
    left = line[0, 1] + (box.left - line[0, 0]) * tilt
    right = line[-1, 1] + (box.left + box.width - line[-1, 0]) * tilt
    low = min(left, right, float(line[:, 1].min())) - box.top
    high = max(left, right, float(line[:, 1].max())) - box.top
    return max(0, min(int(low) - 1, box.height)), max(0, min(int(high) + 2, box.height))
