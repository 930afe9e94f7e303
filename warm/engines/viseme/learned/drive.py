"""Conversion of a mouth shape to the measurements of this person's mouth.

If the footage lacks such a mouth, the numbers stay near those of the footage, and the hand-made
fields add the difference.
"""

from dataclasses import dataclass

import numpy as np

from stabilizers.interpolation import smoothstep
from warm.engines.viseme.anatomy import Floats, Floats32
from warm.engines.viseme.displacement_fields import ROUNDER, WIDER, Blendshape
from warm.engines.viseme.learned.data import DriveData
from warm.engines.viseme.learned.numbers import Number
from warm.engines.viseme.learned.regression import Scaling
from warm.engines.viseme.shape import FULL_GAP_IOD

WIDEST_PERCENTILE, WIDEST_OPEN = 95.0, 0.9
"""The gap at this percentile of the footage is drawn at this OPEN."""
FULL_GAP_RANGE_IOD = (0.18, FULL_GAP_IOD)
"""Range of the gap at OPEN = 1: never more than requested; with less, speech would be hard to
lip-read."""
FADE_OPEN = 0.12
"""Up to this opening, the mouth fades from the avatar's closed lips to the learned ones."""
NEAREST = 6
NEAR, FAR = 0.8, 2.4
"""Distances from the nearest trained frames, in standard deviations: up to the first the numbers
stay unchanged, from the second on they are those of the frames."""
WIDTH_OF_WIDE, WIDTH_OF_ROUND = 2 * WIDER, 2 * ROUNDER
"""Change of the mouth's width by the hand-made fields, IOD."""
CURVE_RIDGE = 1e-4
OPENINGS = [Blendshape.OPEN, Blendshape.FUNNEL, Blendshape.PART]
"""Hand-made fields that open the mouth."""


@dataclass(frozen=True, slots=True, eq=False)
class Driven:
    """The numbers to draw, and the contribution of the hand-made fields."""

    numbers: Floats
    """(4,) by `Number`."""
    fade: float
    """0…1 weight of everything that is learned."""
    added: Floats32
    """(blendshapes,) weights of the hand-made fields."""


class Drive:
    """Drives one learned mouth."""

    def __init__(self, data: DriveData, scaling: Scaling) -> None:
        self._data = data
        count = len(Number)
        self._mean, self._scale = scaling.mean[:count], scaling.scale[:count]
        self._trained = (data.numbers - self._mean) * self._scale

    @property
    def full_gap(self) -> float:
        """Gap at an opening of 1, IOD."""
        return float(self._data.full_gap)

    def drive(self, painted: Floats32, trust: float) -> Driven:
        """Return what to draw instead of a painted mouth with (blendshapes,) weights `painted`.

        `trust`: 0…1 how well the footage covers this pose.
        """
        opening = float(painted[OPENINGS].sum())
        fade = trust * float(smoothstep(np.array(opening / FADE_OPEN)))
        widening = WIDTH_OF_WIDE * float(painted[Blendshape.WIDE])
        widening -= WIDTH_OF_ROUND * float(painted[Blendshape.ROUND])
        asked = self.at_gap(opening * self.full_gap, widening)
        drawn = self.near_footage(asked) if fade else asked
        missing_gap = asked[Number.GAP] - fade * drawn[Number.GAP]
        rest = self.at_gap(drawn[Number.GAP], 0.0)[Number.WIDTH]
        missing_width = widening - fade * float(drawn[Number.WIDTH] - rest)
        added = self._added(painted, fade, missing_gap, missing_width)
        return Driven(drawn, fade, added)

    def in_own_scale(self, painted: Floats32) -> Floats32:
        """Return painted weights whose opening is this person's."""
        own = painted.copy()
        own[OPENINGS] *= self.full_gap / FULL_GAP_IOD
        return own

    def at_gap(self, gap: float, widening: float) -> Floats:
        """(4,) this person's usual mouth at a gap, made wider by `widening`, IOD."""
        numbers = np.empty(len(Number))
        numbers[Number.GAP] = gap
        numbers[Number.WIDTH] = np.array([1, gap, gap * gap]) @ self._data.width_curve + widening
        terms = np.array([1, gap, gap * gap, numbers[Number.WIDTH]])
        numbers[Number.UPPER :] = terms @ self._data.thickness_curve
        return numbers

    def near_footage(self, numbers: Floats) -> Floats:
        """Return the numbers (4,), moved towards the nearest trained ones if these are far."""
        scaled = (numbers - self._mean) * self._scale
        square = ((self._trained - scaled) ** 2).sum(axis=1)
        near = np.argpartition(square, NEAREST)[:NEAREST]
        distance = float(np.sqrt(square[near].mean()))
        pull = float(smoothstep(np.array((distance - NEAR) / (FAR - NEAR))))
        return np.asarray(numbers + pull * (self._data.numbers[near].mean(axis=0) - numbers))

    def _added(
        self, painted: Floats32, fade: float, missing_gap: float, missing_width: float
    ) -> Floats32:
        """(blendshapes,) weights of the hand-made fields for everything the numbers lack."""
        added = np.zeros(len(Blendshape), np.float32)
        share = painted[OPENINGS] / max(float(painted[OPENINGS].sum()), 1e-6)
        added[OPENINGS] = share * (missing_gap / FULL_GAP_IOD)
        added[Blendshape.WIDE] = max(missing_width, 0.0) / WIDTH_OF_WIDE
        added[Blendshape.ROUND] = max(-missing_width, 0.0) / WIDTH_OF_ROUND
        added[[Blendshape.PRESS, Blendshape.TUCK]] = painted[[Blendshape.PRESS, Blendshape.TUCK]]
        added[Blendshape.ARC] = (1 - fade) * painted[Blendshape.ARC]
        return added


def learn_drive(numbers: Floats) -> DriveData:
    """Learn from the numbers (m, 4) of the trained frames."""
    gap, width = numbers[:, Number.GAP], numbers[:, Number.WIDTH]
    by_gap = np.column_stack([np.ones_like(gap), gap, gap**2])
    width_curve = ridge(by_gap, width)
    thickness = ridge(np.column_stack([by_gap, width]), numbers[:, Number.UPPER :])
    full = np.percentile(gap, WIDEST_PERCENTILE) / WIDEST_OPEN
    return DriveData(np.array(np.clip(full, *FULL_GAP_RANGE_IOD)), width_curve, thickness, numbers)


def ridge(terms: Floats, values: Floats) -> Floats:
    """Least squares with a small penalty on every coefficient but the first."""
    penalty = CURVE_RIDGE * len(terms) * np.eye(terms.shape[1])
    penalty[0, 0] = 0
    return np.asarray(np.linalg.solve(terms.T @ terms + penalty, terms.T @ values))
