"""How much to open a mouth so that a picture of it measures as open as it should.

The face mesh reads a small opening as smaller than it is drawn, and every mouth differently. An
avatar's own mouth is drawn at a few openings and measured; at run time the curve is read backwards.
"""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from warm.face.measure import lip_gap
from warm.face.mesh import FaceMesh
from warm.viseme.anatomy import Floats
from warm.viseme.shape import FULL_GAP_IOD, Shape

DRAWN = np.array([0.0, 0.12, 0.24, 0.36, 0.5, 0.65, 0.8, 1.0, 1.2])
"""Openings that are drawn and measured."""
LEVELS = 33
"""Entries of a finished table: OPEN = 0…1 in equal steps."""
FRAMES = 3
"""Pictures of the loop that are measured at each opening."""


MOST_GAIN = 1.8
"""Bright teeth look to the mesh like closed lips: beyond this the cure is worse than the error."""


class Opening(IntEnum):
    """Ways to open the mouth, each with a table of its own."""

    WIDE = 0
    ROUND = 1
    TEETH = 2


SHAPED = {Opening.WIDE: None, Opening.ROUND: Shape.ROUND, Opening.TEETH: Shape.TEETH}
"""What is drawn along with each opening."""


def identity() -> NDArray[np.float32]:
    """(3, LEVELS) tables that change nothing."""
    return np.tile(np.linspace(0, 1, LEVELS, dtype=np.float32), (len(Opening), 1))


Show = Callable[[int, NDArray[np.float32]], NDArray[np.uint8]]
"""A frame's index and seven shapes to the whole picture."""


def calibrate(show: Show, landmarks: NDArray[np.float32], mesh: FaceMesh) -> NDArray[np.float32]:
    """(3, LEVELS) how much to draw at OPEN = 0…1 so that it measures OPEN * FULL_GAP_IOD.

    `show` must draw with the identity's tables.
    """
    frames = np.unique(np.linspace(0, len(landmarks) - 1, FRAMES).astype(int))
    return np.stack(
        [backwards(measure(show, landmarks, mesh, frames, kind)) for kind in Opening]
    ).astype(np.float32)


def measure(
    show: Show,
    landmarks: NDArray[np.float32],
    mesh: FaceMesh,
    frames: NDArray[np.int_],
    kind: Opening,
) -> Floats:
    """(len(DRAWN),) gaps in IOD that the mesh reads off the pictures."""
    gaps = []
    for opening in DRAWN:
        shapes = np.zeros(len(Shape), np.float32)
        shapes[Shape.OPEN] = opening
        if (shaped := SHAPED[kind]) is not None:
            shapes[shaped] = 1.0
        read = [look(mesh, show(int(f), shapes), landmarks[f]) for f in frames]
        gaps.append(float(np.median(lip_gap(np.stack(read)))))
    return np.array(gaps)


def look(
    mesh: FaceMesh, picture: NDArray[np.uint8], near: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(468, 3) landmarks; looks twice, for a dropped chin makes the mesh's crop larger."""
    return mesh.again(picture, mesh.again(picture, near).points).points


def backwards(gaps: Floats) -> Floats:
    """(LEVELS,) openings whose measured gap is 0…FULL_GAP_IOD; closed lips stay closed."""
    rising = np.maximum.accumulate(gaps) + 1e-6 * np.arange(len(gaps))
    rising[0] = 0.0
    wanted = np.linspace(0, FULL_GAP_IOD, LEVELS)
    drawn = np.interp(wanted, rising, DRAWN)
    return np.asarray(np.minimum(drawn, MOST_GAIN * wanted / FULL_GAP_IOD))
