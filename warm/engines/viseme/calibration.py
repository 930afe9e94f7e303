"""How much to open a mouth so that a picture of it measures as open as it should.

The face mesh reads a small opening as smaller than it is drawn, and every mouth differently. An
avatar's own mouth is drawn at a few openings and measured; at run time the curve is read backwards.
"""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Loop
from warm.engines.viseme.anatomy import Floats, smooth
from warm.engines.viseme.shape import FULL_GAP_IOD, Shape
from warm.face.landmarks import lip_gap
from warm.face.mesh import FaceMesh

DRAWN = np.array([0.0, 0.12, 0.24, 0.36, 0.5, 0.65, 0.8, 1.0, 1.2])
"""Openings that are drawn and measured."""
LEVELS = 33
"""Entries of a finished table: OPEN = 0…1 in equal steps."""
FRAMES = 3
"""Pictures of the loop that are measured at each opening."""


USUAL_REST_IOD = 0.02
"""Gap that the mesh reads off closed lips."""
MOST_GAIN = 1.8
"""Bright teeth look to the mesh like closed lips: beyond this the cure is worse than the error."""


GAIN_STEP, GAIN_SMOOTH_FRAMES = 4, 3.0
"""Frames between two measured for their gain, and the low-pass on what was measured."""
GAIN_RANGE = (0.8, 1.25)


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


def frame_gains(
    show: Show, landmarks: NDArray[np.float32], mesh: FaceMesh, loop: Loop
) -> NDArray[np.float32]:
    """(n,) by what to multiply an opening on each frame, for a nod hides a part of the gap.

    Measured on every few frames at half an opening, `show` drawing with the avatar's own tables.
    """
    frames = np.unique(np.append(np.arange(0, len(landmarks), GAIN_STEP), len(landmarks) - 1))
    shapes = np.zeros(len(Shape), np.float32)
    shapes[Shape.OPEN] = 0.5
    read = np.stack([mesh.track(show(int(f), shapes), landmarks[f]).points for f in frames])
    gaps = np.interp(np.arange(len(landmarks)), frames, lip_gap(read))
    steady = smooth(gaps, loop, GAIN_SMOOTH_FRAMES)
    least, most = GAIN_RANGE
    return np.clip(np.median(steady) / np.maximum(steady, 1e-6), least, most).astype(np.float32)


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
        read = [mesh.track(show(int(f), shapes), landmarks[f]).points for f in frames]
        gaps.append(float(np.median(lip_gap(np.stack(read)))))
    return np.array(gaps)


def backwards(gaps: Floats) -> Floats:
    """(LEVELS,) openings whose measured gap is 0…FULL_GAP_IOD; closed lips stay closed.

    Where closed lips measure more than most do, the scale begins there.
    """
    rising = np.maximum.accumulate(gaps) + 1e-6 * np.arange(len(gaps))
    rising[0] = start = max(0.0, gaps[0] - USUAL_REST_IOD)
    wanted = np.linspace(start, FULL_GAP_IOD, LEVELS)
    drawn = np.interp(wanted, rising, DRAWN)
    return np.asarray(np.minimum(drawn, MOST_GAIN * np.linspace(0, 1, LEVELS)))
