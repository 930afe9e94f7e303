"""How the face moves: displacement fields of two layers, spread by thin-plate splines.

The upper layer carries everything above the line between the lips, the lower layer everything
below it. Each is a sum of `Move`s; each move is known at the landmarks and spread from them over a
grid with a thin-plate spline (Bookstein, 1989). All lengths in IOD, as in `anatomy`.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep, thin_plate_matrix
from warm.engines.viseme.anatomy import (
    CHEEKS,
    CHIN_PAD,
    JAW,
    LOWER_OUTER,
    STILL,
    UPPER_OUTER,
    Anatomy,
    Floats,
)
from warm.engines.viseme.shape import FULL_GAP_IOD

GRID = 129
"""Nodes a side of the grid the fields are kept on: 128 cells."""
SIDE_IOD, ABOVE_IOD, BELOW_CHIN_IOD = 0.88, 0.44, 0.32
"""How far the moving region reaches from the mouth's middle and below the chin."""
STIFFNESS = 1e-4
"""Smoothing of the splines; landmarks disagree by about .004 IOD."""


class Move(IntEnum):
    """What a layer's field is a sum of."""

    OPEN = 0  # jaw down, lips in a wide oval
    FUNNEL = 1  # jaw down, lips in a small round hole
    PART = 2  # lips apart, jaw nearly still
    WIDE = 3  # corners apart
    ROUND = 4  # corners together, lips forward
    PRESS = 5  # lips rolled inwards
    TUCK = 6  # lower lip up and in


UPPER_SHARE = 0.14
"""Of an opening, what the upper lip makes."""
CHIN_SHARE = 0.72
"""Of an opening, how far the chin drops."""
UPPER_PEAK, LOWER_PEAK = -UPPER_SHARE * FULL_GAP_IOD, (1 - UPPER_SHARE) * FULL_GAP_IOD
UPPER_PART, LOWER_PART = -0.35 * FULL_GAP_IOD, 0.65 * FULL_GAP_IOD
"""How far the lips' middles go in a full opening, and when they part over closed teeth."""
CORNER_DROP, FUNNEL_DROP = 0.20 * FULL_GAP_IOD, 0.10 * FULL_GAP_IOD
"""How far the mouth's corners follow the jaw."""
FUNNEL_LIFT = -0.09 * FULL_GAP_IOD
"""A round opening sits higher."""
CORNERS_IN, WIDER, ROUNDER = 0.040, 0.058, 0.105
"""How far each corner goes inwards when the jaw drops, outwards and inwards."""
FUNNEL_REACH = 0.60
"""Part of the mouth's width that a round opening takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The rectangle of the reference that moves: left, top, right, bottom in IOD."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, anatomy: Anatomy) -> "Region":
        """The region of one avatar."""
        return cls(-SIDE_IOD, -ABOVE_IOD, SIDE_IOD, anatomy.chin + BELOW_CHIN_IOD)

    @property
    def corners(self) -> Floats:
        """(4, 2)."""
        xs, ys = (self.left, self.right), (self.top, self.bottom)
        return np.array([(x, y) for y in ys for x in xs])

    def grid_to_reference(self, size: int) -> Floats:
        """(2, 3): node indices (x, y) of a square grid to IOD."""
        step = size - 1
        return np.array(
            [
                [(self.right - self.left) / step, 0.0, self.left],
                [0.0, (self.bottom - self.top) / step, self.top],
            ]
        )

    def nodes(self, size: int) -> Floats:
        """(size * size, 2) positions of the grid's nodes, row by row."""
        x = np.linspace(self.left, self.right, size)
        y = np.linspace(self.top, self.bottom, size)
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    def window(self, points: Floats) -> Floats:
        """(k,) 1 inside, falling smoothly to 0 at the region's border."""
        across = np.minimum(points[:, 0] - self.left, self.right - points[:, 0])
        down = np.minimum(points[:, 1] - self.top, self.bottom - points[:, 1])
        return smoothstep(across / 0.18) * smoothstep(down / 0.10)


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """The moves of both layers, on the grid and along the line between the lips."""

    grid: NDArray[np.float32]
    """(2, moves, GRID, GRID, 2) displacements of the upper and the lower layer, IOD."""
    seam: NDArray[np.float32]
    """(2, moves, SEAM_POINTS, 2) the same where the lips touch."""


def build_fields(anatomy: Anatomy) -> Fields:
    """Spread every move over the grid, for both layers."""
    region = Region.of(anatomy)
    moves = moves_of(anatomy)
    targets = np.concatenate([region.nodes(GRID), anatomy.seam])
    window = region.window(targets)[:, None]
    upper, lower = (spread(points, shifts, targets) * window for points, shifts in moves)
    lower = join(upper, lower, targets, anatomy)
    both = np.stack([upper, lower]).reshape(2, len(targets), len(Move), 2).swapaxes(1, 2)
    grid = both[:, :, : GRID * GRID].reshape(2, len(Move), GRID, GRID, 2)
    return Fields(grid.astype(np.float32), both[:, :, GRID * GRID :].astype(np.float32))


def join(upper: Floats, lower: Floats, points: Floats, anatomy: Anatomy) -> Floats:
    """Make the layers one outside the mouth's corners, so that no cut shows on the cheeks."""
    left, right = anatomy.seam[0, 0], anatomy.seam[-1, 0]
    inside = np.minimum(points[:, 0] - left, right - points[:, 0])
    mouth = smoothstep(inside / 0.06 + 0.5)[:, None]
    return lower * mouth + upper * (1 - mouth)


def spread(points: Floats, shifts: Floats, targets: Floats) -> Floats:
    """Thin-plate spline through `shifts` (k, m) at `points` (k, 2), read at `targets` (t, 2)."""
    return thin_plate_matrix(points, targets, STIFFNESS) @ shifts


def moves_of(anatomy: Anatomy) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Control points and their shifts (k, moves * 2) of the upper and of the lower layer."""
    return layer(anatomy, upper=True), layer(anatomy, upper=False)


def layer(anatomy: Anatomy, *, upper: bool) -> tuple[Floats, Floats]:
    """Control points (k, 2) and shifts (k, moves * 2) of one layer."""
    outer = UPPER_OUTER if upper else LOWER_OUTER
    seam = anatomy.seam[:: (len(anatomy.seam) - 1) // 10]
    rim = anatomy.points[outer[1:-1]]
    skin = anatomy.points[np.concatenate([CHIN_PAD, CHEEKS, JAW])]
    still = np.concatenate([anatomy.points[STILL], border(anatomy)])
    parts = [
        (seam, edge_shifts(anatomy, seam, upper=upper)),
        (rim, rim_shifts(anatomy, rim, upper=upper)),
        (skin, skin_shifts(anatomy, skin)),
        (still, np.zeros((len(still), len(Move), 2))),
    ]
    points = np.concatenate([p for p, _ in parts])
    shifts = np.concatenate([s for _, s in parts])
    return points, shifts.reshape(len(points), -1)


def border(anatomy: Anatomy) -> Floats:
    """(k, 2) points that hold the neck and the region's sides still."""
    region = Region.of(anatomy)
    across = np.linspace(region.left, region.right, 9)
    down = np.linspace(region.top, region.bottom, 7)
    neck = np.column_stack([across, np.full(9, region.bottom - 0.03)])
    sides = [np.column_stack([np.full(7, x), down]) for x in (region.left, region.right)]
    return np.concatenate([neck, *sides])


def edge_shifts(anatomy: Anatomy, points: Floats, *, upper: bool) -> Floats:
    """(k, moves, 2) how points on the inner edge of one lip move."""
    s = np.clip(anatomy.across(points), -1, 1)
    wide = oval(s, 1.0, 0.75 if upper else 0.65)
    out = lip_shifts(s)
    open_lip(out, wide, hole_of(s, FUNNEL_REACH), UPPER_PEAK if upper else LOWER_PEAK)
    out[:, Move.PART, 1] = (UPPER_PART if upper else LOWER_PART) * wide
    out[:, Move.TUCK, 1] = -0.020 * wide
    return out


def rim_shifts(anatomy: Anatomy, points: Floats, *, upper: bool) -> Floats:
    """(k, moves, 2) how points on the outer border of one lip move."""
    s = np.clip(anatomy.across(points), -1, 1)
    middle, body = 1 - s * s, oval(s, 1.0, 0.75)
    hole = 0.35 * middle + 0.65 * hole_of(s, 0.75)
    out = lip_shifts(s)
    # Stretched over an opening the upper lip gets thinner; the lower one turns out a little.
    open_lip(out, oval(s, 1.0, 0.6), hole, 0.8 * UPPER_PEAK if upper else 1.03 * LOWER_PEAK)
    out[:, Move.PART, 1] = 0.9 * (UPPER_PART if upper else LOWER_PART) * body
    outwards = -1.0 if upper else 1.0
    out[:, Move.WIDE, 1] -= outwards * 0.010 * body
    out[:, Move.ROUND, 1] = outwards * (0.014 if upper else 0.022) * middle
    out[:, Move.PRESS, 1] = -outwards * (0.028 if upper else 0.042) * body
    out[:, Move.TUCK, 1] = (-0.012 if upper else -0.050) * body
    return out


def lip_shifts(s: Floats) -> Floats:
    """(k, moves, 2) what the edge and the border of a lip share: all that goes sideways."""
    out = np.zeros((len(s), len(Move), 2))
    out[:, Move.OPEN, 0] = -CORNERS_IN * s
    out[:, Move.WIDE] = np.column_stack([WIDER * s, -0.012 * s * s])
    out[:, Move.ROUND, 0] = -ROUNDER * s
    out[:, Move.PRESS, 0] = -0.008 * s
    return out


def open_lip(out: Floats, wide: Floats, hole: Floats, peak: float) -> None:
    """Write both openings: from the corners' own drop to `peak` in the middle of the lip."""
    out[:, Move.OPEN, 1] = CORNER_DROP + (peak - CORNER_DROP) * wide
    out[:, Move.FUNNEL, 1] = FUNNEL_DROP + (peak + FUNNEL_LIFT - FUNNEL_DROP) * hole


def oval(s: Floats, reach: float, sharpness: float) -> Floats:
    """Height of an opening along the mouth, 1 in the middle and 0 beyond ±reach.

    A `sharpness` of 0.5 is an ellipse, of 1 a parabola.
    """
    return np.asarray((1 - np.clip(s / reach, -1, 1) ** 2) ** sharpness)


def hole_of(s: Floats, reach: float) -> Floats:
    """The same for rounded lips: an ellipse whose ends run out softly into closed lips."""
    around = [oval(s + shift, reach, 0.55) for shift in np.linspace(-0.14, 0.14, 7)]
    return np.asarray(np.mean(around, axis=0))


def skin_shifts(anatomy: Anatomy, points: Floats) -> Floats:
    """(k, moves, 2) how cheeks, chin and jaw move."""
    jaw, pull = jaw_part(anatomy, points), corner_pull(anatomy, points)
    drop = CHIN_SHARE * FULL_GAP_IOD * jaw
    sign = np.sign(anatomy.across(points))
    zero = np.zeros(len(points))
    out = np.zeros((len(points), len(Move), 2))
    corner = CORNER_DROP * pull * (1 - jaw)
    out[:, Move.OPEN] = np.column_stack([-CORNERS_IN * sign * pull, drop + corner])
    out[:, Move.FUNNEL] = np.column_stack([zero, 0.8 * drop + 0.5 * corner])
    out[:, Move.PART] = np.column_stack([zero, 0.15 * drop])
    out[:, Move.WIDE] = np.column_stack([WIDER * sign * pull, -0.014 * pull])
    out[:, Move.ROUND] = np.column_stack([-ROUNDER * sign * pull, zero])
    out[:, Move.PRESS] = np.column_stack([-0.008 * sign * pull, -0.012 * jaw])
    out[:, Move.TUCK] = np.column_stack([zero, -0.022 * jaw])
    return out


def jaw_part(anatomy: Anatomy, points: Floats) -> Floats:
    """(k,) 0…1: how much of the chin's drop a point of the skin shares."""
    side = np.abs(anatomy.points[JAW[[4, -5]], 0] - anatomy.middle)
    x = points[:, 0] - anatomy.middle
    across = np.abs(x) / np.where(x < 0, side[0], side[1])
    lateral = (1 - np.clip(across / 1.1, 0, 1) ** 2) ** 1.5
    return np.asarray(lateral * smoothstep((points[:, 1] + 0.06) / 0.30))


def corner_pull(anatomy: Anatomy, points: Floats) -> Floats:
    """(k,) 0…1: how much of a mouth corner's motion a point of the skin shares."""
    side = anatomy.across(points)
    near = np.where(side[:, None] < 0, anatomy.seam[0], anatomy.seam[-1])
    away = (points - near) / [0.34, 0.28]
    inside = np.clip(np.abs(side), 0, 1)
    return np.asarray(np.exp(-(away**2).sum(axis=1)) * inside)
