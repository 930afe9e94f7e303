"""Blend weights: from the seven numbers of a video frame to the weight of each blendshape."""

import numpy as np

from stabilizers.interpolation import smoothstep
from warm.engines.viseme.anatomy import Floats32
from warm.engines.viseme.calibration import OpeningKind
from warm.engines.viseme.displacement_fields import CHIN_SHARE, Blendshape
from warm.engines.viseme.shape import FULL_GAP_IOD, MAX_OPENING, Shape

ROUND_LOST_TO_PRESS = 0.5
"""Share of the rounding that pressed lips take away: they cannot be rolled in and pushed out."""

ARC_OPENING = 0.35
"""Opening at which the edge of the lower lip is an arc."""


def compute_blend_weights(mouth_shape: Floats32, tables: Floats32, gain: float) -> Floats32:
    """(7,) mouth shape to (blendshapes,) weights, by the avatar's and the frame's calibration."""
    press, teeth = clipped(mouth_shape, Shape.PRESS), clipped(mouth_shape, Shape.TEETH)
    pucker = clipped(mouth_shape, Shape.ROUND) * (1 - ROUND_LOST_TO_PRESS * press)
    opening = gain * interpolate_tables(tables, float(mouth_shape[Shape.OPEN]))
    weights = np.zeros(len(Blendshape), np.float32)
    weights[Blendshape.OPEN] = opening[OpeningKind.WIDE] * (1 - pucker) * (1 - teeth)
    weights[Blendshape.FUNNEL] = opening[OpeningKind.ROUND] * pucker
    weights[Blendshape.PART] = opening[OpeningKind.TEETH] * (1 - pucker) * teeth
    weights[Blendshape.WIDE] = np.clip(mouth_shape[Shape.WIDE], -1, 1)
    weights[Blendshape.ROUND] = pucker
    weights[Blendshape.PRESS] = press
    weights[Blendshape.ARC] = arc_weight(weights)
    weights[Blendshape.TUCK] = clipped(mouth_shape, Shape.TUCK)
    return weights


def arc_weight(weights: Floats32) -> float:
    """0…1: weight of the lower lip's own edge, which appears as the lips part."""
    opening = weights[Blendshape.OPEN] + weights[Blendshape.FUNNEL] + weights[Blendshape.PART]
    return float(smoothstep(opening / ARC_OPENING))


def clipped(mouth_shape: Floats32, column: Shape) -> float:
    """One number of the mouth shape, limited to 0…1."""
    return min(max(float(mouth_shape[column]), 0.0), 1.0)


def interpolate_tables(tables: Floats32, opening: float) -> Floats32:
    """(3,) values of the tables at OPEN = `opening`, extrapolated linearly beyond 1."""
    steps = tables.shape[1] - 1
    at = min(max(opening, 0.0), MAX_OPENING) * steps
    low = min(int(at), steps - 1)
    return np.asarray(tables[:, low] + (at - low) * (tables[:, low + 1] - tables[:, low]))


def jaw_drop(weights: Floats32) -> float:
    """Distance by which the lower teeth drop with the jaw, IOD."""
    opening = (
        weights[Blendshape.OPEN]
        + 0.8 * weights[Blendshape.FUNNEL]
        + 0.15 * weights[Blendshape.PART]
    )
    return CHIN_SHARE * FULL_GAP_IOD * float(opening)
