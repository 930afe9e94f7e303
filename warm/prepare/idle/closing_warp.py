"""The warp that closes a mouth: two smooth layers, cut along the line on which the lips meet."""

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
    BESIDE,
    CHEEKS,
    CHIN,
    INNER_LOWER,
    INNER_UPPER,
    JAW_SHARE,
    MIDDLE_LOWER,
    MIDDLE_UPPER,
    NOSE_BASE,
    OUTER_LOWER,
    OUTER_UPPER,
    seam_of,
)
from warm.prepare.idle.pose import RestingFace

GRID_STEP = 2.5
"""Crop pixels between the nodes of a field."""
SIDE_IOD, BELOW_IOD = 0.55, 0.60
"""How far beyond the mouth's corners and below the chin the field reaches."""
FADE_IOD = 0.2
"""Over this width the field fades at the region's border."""
SOFTNESS = 0.02
NEAR_MOBILITY, CHEEK_MOBILITY = 0.9, 0.5
"""How far the skin around the mouth and the cheeks are brought back to rest."""
OPENING_IOD = 0.08
"""A gap this much wider than the closed one surely shows the inside of the mouth."""
PULL_IOD = 0.012
"""The open mouth's inner lip line is taken this far inside the lip: beside it shine teeth."""
SEAM_SOFT_PX = 0.6
UPPER_NODES = tuple(dict.fromkeys((*OUTER_UPPER, *INNER_UPPER, *MIDDLE_UPPER, *AROUND_UPPER)))
LOWER_NODES = tuple(dict.fromkeys((*OUTER_LOWER, *INNER_LOWER, *MIDDLE_LOWER, *AROUND_LOWER)))
SHARED_NODES = (*BESIDE, *CHEEKS, *NOSE_BASE, *JAW_SHARE)
RIM_NODES = 7
"""Fixed nodes on each side of the region."""


@dataclass(frozen=True, slots=True, eq=False)
class FrameWarp:
    """How one frame's mouth closes."""

    to_frame: NDArray[np.float64]
    """(2, 3) layout to frame pixels."""
    field: NDArray[np.float32]
    """(gh, gw, 4) frame pixels from the closed place to the filmed one: upper x, y, lower x, y."""


class ClosingWarp:
    """Closes the mouth of one person's frames. Immutable once made: any thread may use it."""

    def __init__(self, face: RestingFace, transforms: NDArray[np.float64]) -> None:
        self._face = face
        self.to_frame = compose(transforms, face.to_crop)
        """(n, 2, 3) layout to frame pixels."""
        layout = face.layout
        low, high = region(layout)
        columns, rows = (np.ceil((high - low) / GRID_STEP).astype(int) + 1).tolist()
        places = low + GRID_STEP * pixel_grid(0, 0, columns, rows).astype(np.float64)
        self._index_to_layout = np.array([[GRID_STEP, 0, low[0]], [0, GRID_STEP, low[1]]])
        self._rim = rim_nodes(low, high)
        self._window = window(places, low, high)
        self._upper = self._matrix((*UPPER_NODES, *SHARED_NODES), places)
        self._lower = self._matrix((*LOWER_NODES, *SHARED_NODES), places)
        self.guides = np.dstack([seam_distance(layout, places), lip_radius(layout, places)])
        """(gh, gw, 2): how far below the seam, crop pixels; 1 on the ellipse around the lips."""

    def warp(self, i: int, opened: float) -> FrameWarp:
        """The closing of frame `i`; `opened` 0 keeps its own lip line … 1 takes it for open."""
        return self.warp_by(i, self._moves(i) + self._inner(opened))

    def warp_by(self, i: int, moves: NDArray[np.float64]) -> FrameWarp:
        """A given closing of frame `i`: (468, 2) layout pixels, from closed places to filmed."""
        upper = self._upper @ self._values(moves, (*UPPER_NODES, *SHARED_NODES))
        lower = self._lower @ self._values(moves, (*LOWER_NODES, *SHARED_NODES))
        linear = self.to_frame[i, :, :2].T
        both = np.hstack([upper @ linear, lower @ linear]).reshape(*self._window.shape, 4)
        return FrameWarp(self.to_frame[i], np.asarray(both * self._window[..., None], np.float32))

    def box(self, i: int, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of the pixels of frame `i` that may change."""
        rows, columns = self._window.shape
        ends = np.array([[0, 0], [columns, 0], [0, rows], [columns, rows]], np.float64)
        corners = apply(compose(self.to_frame[i], self._index_to_layout), ends)
        low = np.clip(np.floor(corners.min(axis=0)), 0, [shape[1], shape[0]]).astype(int)
        high = np.clip(np.ceil(corners.max(axis=0)), 0, [shape[1], shape[0]]).astype(int)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def in_box(
        self, grid: NDArray[np.float32], i: int, box: tuple[int, int, int, int]
    ) -> NDArray[np.float32]:
        """(gh, gw, k) values on the layout's grid, at the pixels of a box of frame `i`."""
        x0, y0, x1, y1 = box
        to_box = compose(self.to_frame[i], self._index_to_layout) - [[0, 0, x0], [0, 0, y0]]
        return np.asarray(
            cv2.warpAffine(grid, to_box, (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE)
        )

    def closed(
        self, picture: NDArray[np.uint8], warp: FrameWarp, i: int, box: tuple[int, int, int, int]
    ) -> NDArray[np.uint8]:
        """What `warp` makes of its picture, laid on frame `i`: (y1 - y0, x1 - x0, 3) of its box."""
        here = compose(warp.to_frame, invert(self.to_frame[i]))
        places = np.asarray(apply(here, pixel_grid(*box)), np.float32)
        field = self.in_box(warp.field, i, box)
        below = self.in_box(self.guides[..., :1], i, box)
        soft = SEAM_SOFT_PX / scale_of(self.to_frame[i])
        share = np.clip(0.5 + below / (2 * soft), 0, 1)[..., None]
        upper = sample_at(picture, places + field[..., :2], cv2.INTER_CUBIC)
        lower = sample_at(picture, places + field[..., 2:], cv2.INTER_CUBIC)
        return np.asarray(upper + share * (lower.astype(np.float32) - upper) + 0.5, np.uint8)

    def _matrix(self, nodes: tuple[int, ...], places: NDArray[np.float64]) -> NDArray[np.float32]:
        known = np.vstack([self._face.layout[list(nodes)], self._rim])
        spacing = np.sqrt(np.prod(np.ptp(known, axis=0)) / len(known))
        flat = places.reshape(-1, 2)
        return thin_plate_matrix(known / spacing, flat / spacing, SOFTNESS).astype(np.float32)

    def _values(self, moves: NDArray[np.float64], nodes: tuple[int, ...]) -> NDArray[np.float32]:
        return np.vstack([moves[list(nodes)], np.zeros_like(self._rim)]).astype(np.float32)

    def _moves(self, i: int) -> NDArray[np.float64]:
        """(468, 2) from each landmark's closed place to the filmed one, layout pixels."""
        face, back = self._face, invert(self._face.to_crop[i])
        measured = apply(back, face.measured[i])
        off = measured - apply(back, face.expected[i])
        moves = np.zeros_like(off)
        for nodes, share in (
            ((*AROUND_UPPER, *AROUND_LOWER, *BESIDE), NEAR_MOBILITY),
            (CHEEKS, CHEEK_MOBILITY),
        ):
            moves[list(nodes)] = share * off[list(nodes)]
        moves[list(JAW_SHARE)] = np.outer(list(JAW_SHARE.values()), off[list(CHIN)].mean(axis=0))
        lips = [*UPPER_NODES, *LOWER_NODES]
        lips = [k for k in lips if k not in (*AROUND_UPPER, *AROUND_LOWER)]
        moves[lips] = measured[lips] - face.layout[lips]
        return moves

    def _inner(self, opened: float) -> NDArray[np.float64]:
        """(468, 2) what to add at the inner lips: the mesh's bias, or for teeth a pull inwards."""
        return (1 - opened) * self._face.inner_bias + opened * pull_inwards()


def region(layout: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least and greatest (x, y) of the part of the layout that may move."""
    mouth, chin = layout[[61, 291]], layout[152]
    low = np.array([mouth[0, 0] - SIDE_IOD * CANONICAL_IOD, layout[[2, 98, 327], 1].min() - 12])
    high = np.array([mouth[1, 0] + SIDE_IOD * CANONICAL_IOD, chin[1] + BELOW_IOD * CANONICAL_IOD])
    return low, high


def pull_inwards() -> NDArray[np.float64]:
    """(468, 2) from the inner lip line into the lips, layout pixels."""
    pull = np.zeros((468, 2))
    pull[list(INNER_UPPER[1:-1]), 1] = -PULL_IOD * CANONICAL_IOD
    pull[list(INNER_LOWER[1:-1]), 1] = PULL_IOD * CANONICAL_IOD
    return pull


def rim_nodes(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4 (RIM_NODES - 1), 2) places around the region that stay where they are."""
    t = np.linspace(0, 1, RIM_NODES)[:-1]
    zero, one = np.zeros_like(t), np.ones_like(t)
    around = [(t, zero), (one, t), (1 - t, one), (zero, 1 - t)]
    return low + np.concatenate([np.column_stack(side) for side in around]) * (high - low)


def window(
    places: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> NDArray[np.float32]:
    """1 inside the region, fading to 0 on its border."""
    inside = np.minimum(places - low, high - places).min(axis=-1) / (FADE_IOD * CANONICAL_IOD)
    return smoothstep(inside).astype(np.float32)


def seam_distance(layout: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """How far below the line on which the lips meet, crop pixels; beyond it goes on straight."""
    seam = seam_of(layout)
    return np.asarray(places[..., 1] - np.interp(places[..., 0], *seam.T), np.float32)


def lip_radius(layout: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """1 on the ellipse through the corners and the outer edges of the closed lips."""
    lips = layout[[*OUTER_UPPER, *OUTER_LOWER]]
    low, high = lips.min(axis=0), lips.max(axis=0)
    return np.asarray(
        np.linalg.norm((places - (low + high) / 2) / ((high - low) / 2), axis=-1), np.float32
    )
