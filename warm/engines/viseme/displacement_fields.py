"""Displacement fields of the face: two layers, interpolated by thin-plate splines.

The upper layer carries everything above the lip line, the lower layer everything below it. Each is
a weighted sum of `Blendshape`s. A blendshape is defined at the landmarks and interpolated over a
grid by a thin-plate spline (Bookstein, 1989). All lengths are in IOD, as in `anatomy`.
"""

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from stabilizers.interpolation import smoothstep, thin_plate_matrix
from warm.engines.viseme.anatomy import (
    CHEEKS,
    CHIN_PAD,
    FIXED_POINTS,
    JAW,
    LOWER_OUTER,
    OVAL,
    UPPER_OUTER,
    Anatomy,
    Floats,
)
from warm.engines.viseme.shape import FULL_GAP_IOD

GRID = 129
"""Nodes per side of the grid that stores the fields: 128 cells."""
SIDE_IOD, ABOVE_IOD, BELOW_CHIN_IOD = 0.88, 0.44, 0.32
"""Reach of the moving region from the mouth's middle, and below the chin."""
BELOW_JAW_IOD, FADE_IOD = 0.1, 0.1
"""Reach of the region below parts of the jaw that hardly drop; width of the fade inside it."""
STIFFNESS = 1e-4
"""Smoothing of the splines; landmarks have errors of about 0.004 IOD."""


class Blendshape(IntEnum):
    """Components of a layer's field."""

    OPEN = 0  # jaw down, lips in a wide oval
    FUNNEL = 1  # jaw down, lips in a small round hole
    PART = 2  # lips apart, jaw nearly still
    WIDE = 3  # corners apart
    ROUND = 4  # corners together, lips forward
    PRESS = 5  # lips rolled inwards
    TUCK = 6  # lower lip up and in
    ARC = 7  # the lower lip's edge in a smooth arc, without the imprint of the upper lip


UPPER_SHARE = 0.14
"""Share of an opening that the upper lip contributes."""
CHIN_SHARE = 0.72
"""Drop of the chin as a share of the opening."""
UPPER_PEAK, LOWER_PEAK = -UPPER_SHARE * FULL_GAP_IOD, (1 - UPPER_SHARE) * FULL_GAP_IOD
UPPER_PART, LOWER_PART = -0.35 * FULL_GAP_IOD, 0.65 * FULL_GAP_IOD
"""Displacement of the lips' middles in a full opening, and when they part over closed teeth."""
CORNER_DROP, FUNNEL_DROP = 0.20 * FULL_GAP_IOD, 0.10 * FULL_GAP_IOD
"""Displacement of the mouth's corners that follow the jaw."""
FUNNEL_LIFT = -0.09 * FULL_GAP_IOD
"""A round opening sits higher."""
CORNERS_IN, WIDER, ROUNDER = 0.040, 0.058, 0.105
"""Displacement of each corner: inwards with the jaw, outwards in WIDE, inwards in ROUND."""
RELAXED_HALF_WIDTH, RELAXED_LIFT, LARGEST_SMILE = 0.40, 0.01, 0.10
"""Half width and height of the corners beyond which a mouth smiles; limit of a smile."""
SMILE_LOST = 0.8
"""Share of a smile that rounding takes away: lips are pushed forward from where they rest."""
ARC_TOUCHES = 0.75
"""Share of the mouth's half width in which the arc of the lower lip stays below the lip line."""
MIN_EDGE = 1.1
"""The face's edge is at least this many half widths of the mouth from the middle."""
FUNNEL_REACH = 0.57
"""Width of a round opening as a share of the mouth's."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The moving rectangle of the reference: left, top, right, bottom in IOD."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, anatomy: Anatomy) -> "Region":
        """Return the region of one avatar."""
        return cls(-SIDE_IOD, -ABOVE_IOD, SIDE_IOD, anatomy.chin + BELOW_CHIN_IOD)

    @property
    def corners(self) -> Floats:
        """(4, 2) IOD."""
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
        """(size * size, 2) positions of the grid's nodes, row by row, IOD."""
        x = np.linspace(self.left, self.right, size)
        y = np.linspace(self.top, self.bottom, size)
        return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)

    def window(self, points: Floats) -> Floats:
        """(k,) 1 inside, with a smooth fall to 0 at the region's border."""
        across = np.minimum(points[:, 0] - self.left, self.right - points[:, 0])
        down = np.minimum(points[:, 1] - self.top, self.bottom - points[:, 1])
        return smoothstep(across / 0.18) * smoothstep(down / 0.10)


@dataclass(frozen=True, slots=True)
class Smile:
    """The smile of the resting layout; both numbers are 0 on a relaxed mouth."""

    width: float
    """Distance of each corner beyond a relaxed mouth's, IOD."""
    lift: float
    """Height of the corners above the line of the lips, IOD."""

    @classmethod
    def of(cls, anatomy: Anatomy) -> "Smile":
        """Measure the layout's lip line."""
        s, height = anatomy.across(anatomy.lip_line), anatomy.lip_line[:, 1]
        lift = height[np.abs(s) < 0.6].mean() - height[[0, -1]].mean()
        excess = np.array([anatomy.half_width - RELAXED_HALF_WIDTH, lift - RELAXED_LIFT])
        width, lift = np.clip(excess, 0.0, LARGEST_SMILE)
        return cls(float(width), float(lift))

    @property
    def inwards(self) -> float:
        """Shift of each corner in ROUND that relaxes the smile, added to the rounding, IOD."""
        return SMILE_LOST * self.width

    @property
    def down(self) -> float:
        """The same downwards."""
        return SMILE_LOST * self.lift


@dataclass(frozen=True, slots=True, eq=False)
class DisplacementFields:
    """Blendshapes of both layers, on the grid and along the lip line."""

    grid: NDArray[np.float32]
    """(2, blendshapes, GRID, GRID, 2) displacements of the upper and the lower layer, IOD."""
    lip_line: NDArray[np.float32]
    """(2, blendshapes, LIP_LINE_POINTS, 2) the same along the lip line."""


def build_displacement_fields(anatomy: Anatomy) -> DisplacementFields:
    """Interpolate every blendshape over the grid, for both layers."""
    region = Region.of(anatomy)
    targets = np.concatenate([region.nodes(GRID), anatomy.lip_line])
    window = (region.window(targets) * face_window(anatomy, targets))[:, None]
    upper, lower = (
        thin_plate_spline(*control_points(anatomy, upper=is_upper), targets) * window
        for is_upper in (True, False)
    )
    lower = merge_outside_mouth(upper, lower, targets, anatomy)
    both = np.stack([upper, lower]).reshape(2, len(targets), len(Blendshape), 2).swapaxes(1, 2)
    grid = both[:, :, : GRID * GRID].reshape(2, len(Blendshape), GRID, GRID, 2)
    return DisplacementFields(grid.astype(np.float32), both[:, :, GRID * GRID :].astype(np.float32))


def merge_outside_mouth(upper: Floats, lower: Floats, points: Floats, anatomy: Anatomy) -> Floats:
    """Return the lower layer, made equal to the upper one outside the mouth.

    This avoids a visible seam between the layers on the cheeks.
    """
    left, right = anatomy.lip_line[0, 0], anatomy.lip_line[-1, 0]
    depth = np.minimum(points[:, 0] - left, right - points[:, 0])
    mouth = smoothstep(depth / 0.06 + 0.5)[:, None]
    return lower * mouth + upper * (1 - mouth)


def thin_plate_spline(points: Floats, shifts: Floats, targets: Floats) -> Floats:
    """(t, m): the spline through `shifts` (k, m) at `points` (k, 2), at `targets` (t, 2)."""
    return thin_plate_matrix(points, targets, STIFFNESS) @ shifts


def control_points(anatomy: Anatomy, *, upper: bool) -> tuple[Floats, Floats]:
    """Control points (k, 2) and their shifts (k, blendshapes * 2) of one layer."""
    outer = UPPER_OUTER if upper else LOWER_OUTER
    edge = anatomy.lip_line[:: (len(anatomy.lip_line) - 1) // 10]
    border = anatomy.points[outer[1:-1]]
    skin = anatomy.points[np.concatenate([CHIN_PAD, CHEEKS, JAW])]
    fixed = np.concatenate(
        [anatomy.points[FIXED_POINTS], border_points(anatomy), below_jaw(anatomy, JAW)]
    )
    groups = [
        (edge, lip_edge_shifts(anatomy, edge, upper=upper)),
        (border, lip_border_shifts(anatomy, border, upper=upper)),
        (skin, skin_shifts(anatomy, skin)),
        (fixed, np.zeros((len(fixed), len(Blendshape), 2))),
    ]
    points = np.concatenate([points for points, _ in groups])
    shifts = np.concatenate([shifts for _, shifts in groups])
    shifts[..., 0] *= anatomy.foreshortening(points)[:, None]
    return points, shifts.reshape(len(points), -1)


def border_points(anatomy: Anatomy) -> Floats:
    """(k, 2) points that keep the neck and the region's sides fixed."""
    region = Region.of(anatomy)
    across = np.linspace(region.left, region.right, 9)
    down = np.linspace(region.top, region.bottom, 7)
    neck = np.column_stack([across, np.full(9, region.bottom - 0.03)])
    sides = [np.column_stack([np.full(7, x), down]) for x in (region.left, region.right)]
    return np.concatenate([neck, *sides])


def face_window(anatomy: Anatomy, points: Floats) -> Floats:
    """(k,) 1 on the face and where its jaw can drop, with a smooth fall to 0 outside."""
    border = below_jaw(anatomy, OVAL).astype(np.float32)
    inside = [cv2.pointPolygonTest(border, (x, y), True) for x, y in points.tolist()]
    return smoothstep(1 + np.array(inside) / FADE_IOD)


def below_jaw(anatomy: Anatomy, landmarks: NDArray[np.int_]) -> Floats:
    """(k, 2) points at and below landmarks around the face, beyond which the jaw has no effect."""
    points = anatomy.points[landmarks].copy()
    on_jaw = np.isin(landmarks, JAW)
    points[on_jaw, 1] += BELOW_JAW_IOD + BELOW_CHIN_IOD * jaw_share(anatomy, points[on_jaw])
    return points


def lip_edge_shifts(anatomy: Anatomy, points: Floats, *, upper: bool) -> Floats:
    """(k, blendshapes, 2) shifts of points on the inner edge of one lip."""
    s = np.clip(anatomy.across(points), -1, 1)
    wide = opening_profile(s, 1.0, 0.75 if upper else 0.65)
    out = lip_shifts(s, Smile.of(anatomy))
    open_lip(out, wide, rounded_profile(s, FUNNEL_REACH), UPPER_PEAK if upper else LOWER_PEAK)
    out[:, Blendshape.PART, 1] = (UPPER_PART if upper else LOWER_PART) * wide
    out[:, Blendshape.TUCK, 1] = -0.020 * wide
    if not upper:
        out[:, Blendshape.ARC, 1] = arc_shift(anatomy, points)
    return out


def arc_shift(anatomy: Anatomy, points: Floats) -> Floats:
    """(k,) vertical shift of points on the lip line that makes it the edge of a lower lip alone.

    Closed lips share one line, which bends around the middle of the upper lip. The lower lip's own
    edge is an arc: the best of the form (1 - s²)(a + b s) between the corners, lowered until it
    touches the line from below, so that it never crosses the upper lip.
    """
    s, height = anatomy.across(anatomy.lip_line), anatomy.lip_line[:, 1]
    ends = height[0] + (height[-1] - height[0]) * (s - s[0]) / (s[-1] - s[0])
    shape = (1 - s * s)[:, None] * np.column_stack([np.ones_like(s), s])
    arc = ends + shape @ np.linalg.lstsq(shape, height - ends, rcond=None)[0]
    below = arc - height
    below += max(0.0, float(-below[np.abs(s) < ARC_TOUCHES].min()))
    at = np.clip(anatomy.across(points), -1, 1)
    return np.asarray(np.maximum(np.interp(at, s, below), 0.0) * opening_profile(at, 1.0, 0.5))


def lip_border_shifts(anatomy: Anatomy, points: Floats, *, upper: bool) -> Floats:
    """(k, blendshapes, 2) shifts of points on the outer border of one lip."""
    s = np.clip(anatomy.across(points), -1, 1)
    middle, body = 1 - s * s, opening_profile(s, 1.0, 0.75)
    # The lower lip hangs in an arc below a round hole; the upper one rises only above the hole.
    hole = 0.35 * middle + 0.65 * rounded_profile(s, 0.75) if upper else opening_profile(s, 1, 0.7)
    out = lip_shifts(s, Smile.of(anatomy))
    # Over an opening the upper lip stretches and gets thinner; the lower one turns out a little.
    open_lip(
        out, opening_profile(s, 1.0, 0.6), hole, 0.8 * UPPER_PEAK if upper else 1.03 * LOWER_PEAK
    )
    out[:, Blendshape.PART, 1] = 0.9 * (UPPER_PART if upper else LOWER_PART) * body
    outwards = -1.0 if upper else 1.0
    out[:, Blendshape.WIDE, 1] -= outwards * 0.010 * body
    out[:, Blendshape.ROUND, 1] += outwards * (0.014 if upper else 0.022) * middle
    out[:, Blendshape.PRESS, 1] = -outwards * (0.028 if upper else 0.042) * body
    out[:, Blendshape.TUCK, 1] = (-0.012 if upper else -0.050) * body
    return out


def lip_shifts(s: Floats, smile: Smile) -> Floats:
    """(k, blendshapes, 2) shifts that the edge and the border of a lip share: all lateral ones."""
    out = np.zeros((len(s), len(Blendshape), 2))
    out[:, Blendshape.OPEN, 0] = -CORNERS_IN * s
    out[:, Blendshape.WIDE] = np.column_stack([WIDER * s, -0.012 * s * s])
    out[:, Blendshape.ROUND] = np.column_stack([-(ROUNDER + smile.inwards) * s, smile.down * s * s])
    out[:, Blendshape.PRESS, 0] = -0.008 * s
    return out


def open_lip(out: Floats, wide: Floats, hole: Floats, peak: float) -> None:
    """Write OPEN and FUNNEL into `out`: from the corners' drop to `peak` in the lip's middle."""
    out[:, Blendshape.OPEN, 1] = CORNER_DROP + (peak - CORNER_DROP) * wide
    out[:, Blendshape.FUNNEL, 1] = FUNNEL_DROP + (peak + FUNNEL_LIFT - FUNNEL_DROP) * hole


def opening_profile(s: Floats, reach: float, sharpness: float) -> Floats:
    """(k,) height of an opening along the mouth: 1 in the middle, 0 beyond ±reach.

    A `sharpness` of 0.5 is an ellipse, of 1 a parabola.
    """
    return np.asarray((1 - np.clip(s / reach, -1, 1) ** 2) ** sharpness)


def rounded_profile(s: Floats, reach: float) -> Floats:
    """(k,) the same for rounded lips: an ellipse whose ends fade softly into closed lips."""
    profiles = [opening_profile(s + shift, reach, 0.55) for shift in np.linspace(-0.14, 0.14, 7)]
    return np.asarray(np.mean(profiles, axis=0))


def skin_shifts(anatomy: Anatomy, points: Floats) -> Floats:
    """(k, blendshapes, 2) shifts of points on cheeks, chin and jaw."""
    jaw, pull = jaw_share(anatomy, points), corner_share(anatomy, points)
    drop = CHIN_SHARE * FULL_GAP_IOD * jaw
    sign = np.sign(anatomy.across(points))
    zero = np.zeros(len(points))
    out = np.zeros((len(points), len(Blendshape), 2))
    corner = CORNER_DROP * pull * (1 - jaw)
    out[:, Blendshape.OPEN] = np.column_stack([-CORNERS_IN * sign * pull, drop + corner])
    out[:, Blendshape.FUNNEL] = np.column_stack([zero, 0.8 * drop + 0.5 * corner])
    out[:, Blendshape.PART] = np.column_stack([zero, 0.15 * drop])
    out[:, Blendshape.WIDE] = np.column_stack([WIDER * sign * pull, -0.014 * pull])
    smile = Smile.of(anatomy)
    rounder = ROUNDER + smile.inwards
    out[:, Blendshape.ROUND] = np.column_stack([-rounder * sign * pull, smile.down * pull])
    out[:, Blendshape.PRESS] = np.column_stack([-0.008 * sign * pull, -0.012 * jaw])
    out[:, Blendshape.TUCK] = np.column_stack([zero, -0.022 * jaw])
    return out


def jaw_share(anatomy: Anatomy, points: Floats) -> Floats:
    """(k,) 0…1: share of the chin's drop at points of the skin."""
    side = np.abs(anatomy.points[JAW[[4, -5]], 0] - anatomy.middle)
    x = points[:, 0] - anatomy.middle
    across = np.abs(x) / np.where(x < 0, side[0], side[1])
    lateral = (1 - np.clip(across / 1.1, 0, 1) ** 2) ** 1.5
    return np.asarray(lateral * smoothstep((points[:, 1] + 0.06) / 0.30))


def corner_share(anatomy: Anatomy, points: Floats) -> Floats:
    """(k,) 0…1: share of a mouth corner's motion at points of the skin; 0 at the face's edges."""
    side = anatomy.across(points)
    near = np.where(side[:, None] < 0, anatomy.lip_line[0], anatomy.lip_line[-1])
    away = (points - near) / [0.34, 0.28]
    away[:, 0] /= anatomy.foreshortening(near)
    laterality = np.clip(np.abs(side), 0, 1)
    edges = np.abs(anatomy.across(anatomy.points[JAW[[1, -2]]]))
    edge = np.maximum(np.where(side < 0, *edges), MIN_EDGE)
    room = smoothstep((edge - np.abs(side)) / (edge - 1))
    return np.asarray(np.exp(-(away**2).sum(axis=1)) * laterality * room)
