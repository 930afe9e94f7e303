"""The mouth as measured in footage: four numbers for each frame."""

from enum import IntEnum

import numpy as np

from stabilizers.similarity import apply, invert
from warm.engines.viseme.anatomy import Floats, Floats32

INNER = np.array([[82, 87], [13, 14], [312, 317]])
UPPER_OUTER, LOWER_OUTER = np.array([37, 0, 267]), np.array([84, 17, 314])
CORNERS = np.array([61, 291])


class Number(IntEnum):
    """Columns of the numbers, IOD of the reference."""

    GAP = 0  # between the inner lips
    WIDTH = 1  # between the corners
    UPPER = 2  # thickness of the upper lip
    LOWER = 3  # thickness of the lower lip


def measure_numbers(landmarks: Floats32, to_frame: Floats) -> Floats:
    """(n, 4) of (n, 468, 3) landmarks; `to_frame` (n, 2, 3) maps the reference to the frames."""
    return numbers_of(apply(invert(to_frame), landmarks[..., :2].astype(np.float64)))


def numbers_of(points: Floats) -> Floats:
    """(n, 4) of (n, 468, 2) landmarks in the reference."""
    upper, lower = points[:, INNER[:, 0]], points[:, INNER[:, 1]]
    numbers = np.empty((len(points), len(Number)))
    numbers[:, Number.GAP] = np.maximum((lower - upper)[..., 1].mean(axis=1), 0)
    numbers[:, Number.WIDTH] = points[:, CORNERS[1], 0] - points[:, CORNERS[0], 0]
    numbers[:, Number.UPPER] = (upper - points[:, UPPER_OUTER])[..., 1].mean(axis=1)
    numbers[:, Number.LOWER] = (points[:, LOWER_OUTER] - lower)[..., 1].mean(axis=1)
    return numbers
