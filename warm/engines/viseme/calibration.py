"""Calibration of the mouth's opening against the face mesh that measures it.

The mesh measures small openings as smaller than drawn, and differently for every mouth. Preparation
therefore draws the avatar's own mouth at several openings and measures it; the inverted curve is
applied at run time.
"""

from collections.abc import Callable
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from warm.avatars.avatar import Loop
from warm.engines.viseme.anatomy import Floats, smooth_along_loop
from warm.engines.viseme.shape import FULL_GAP_IOD, Shape
from warm.face.landmarks import lip_gap
from warm.face.mesh import FaceMesh

DRAWN_OPENINGS = np.array([0.0, 0.12, 0.24, 0.36, 0.5, 0.65, 0.8, 1.0, 1.2])
"""Openings that are drawn and measured."""
LEVELS = 33
"""Entries of a finished table: OPEN = 0…1 in equal steps."""
SAMPLED_FRAMES = 3
"""Frames of the loop that are measured at each opening."""
RESTING_GAP_IOD = 0.02
"""Gap that the mesh usually measures between closed lips."""
MAX_GAIN = 1.8
"""Bright teeth look like closed lips to the mesh; a larger correction does more harm than good."""
GAIN_STEP, GAIN_SMOOTH_FRAMES = 4, 3.0
"""Spacing of the frames whose gain is measured, and the low-pass on the measured gains."""
GAIN_RANGE = (0.8, 1.25)


class OpeningKind(IntEnum):
    """Ways to open the mouth, each with its own table."""

    WIDE = 0
    ROUND = 1
    TEETH = 2


COMPANION_SHAPES = {
    OpeningKind.WIDE: None,
    OpeningKind.ROUND: Shape.ROUND,
    OpeningKind.TEETH: Shape.TEETH,
}
"""Shape that is drawn at 1 along with each kind of opening."""

DrawFrame = Callable[[int, NDArray[np.float32]], NDArray[np.uint8]]
"""A frame's index and (7,) mouth shape to the whole picture."""


def identity_tables() -> NDArray[np.float32]:
    """(3, LEVELS) tables that change nothing."""
    return np.tile(np.linspace(0, 1, LEVELS, dtype=np.float32), (len(OpeningKind), 1))


def calibrate(
    draw: DrawFrame, landmarks: NDArray[np.float32], mesh: FaceMesh
) -> NDArray[np.float32]:
    """(3, LEVELS) opening to draw at OPEN = 0…1 so that it measures OPEN * FULL_GAP_IOD.

    `draw` must use the identity tables.
    """
    frames = np.unique(np.linspace(0, len(landmarks) - 1, SAMPLED_FRAMES).astype(int))
    curves = [measure_gaps(draw, landmarks, mesh, frames, kind) for kind in OpeningKind]
    return np.stack([invert_gap_curve(gaps) for gaps in curves]).astype(np.float32)


def frame_gains(
    draw: DrawFrame, landmarks: NDArray[np.float32], mesh: FaceMesh, loop: Loop
) -> NDArray[np.float32]:
    """(n,) factor of an opening on each frame: a nod hides a part of the gap.

    Measured at half an opening on every GAIN_STEP-th frame; `draw` must use the avatar's tables.
    """
    frames = np.unique(np.append(np.arange(0, len(landmarks), GAIN_STEP), len(landmarks) - 1))
    mouth_shape = np.zeros(len(Shape), np.float32)
    mouth_shape[Shape.OPEN] = 0.5
    read = np.stack([mesh.track(draw(int(f), mouth_shape), landmarks[f]).points for f in frames])
    gaps = np.interp(np.arange(len(landmarks)), frames, lip_gap(read))
    steady = smooth_along_loop(gaps, loop, GAIN_SMOOTH_FRAMES)
    least, most = GAIN_RANGE
    return np.clip(np.median(steady) / np.maximum(steady, 1e-6), least, most).astype(np.float32)


def measure_gaps(
    draw: DrawFrame,
    landmarks: NDArray[np.float32],
    mesh: FaceMesh,
    frames: NDArray[np.int_],
    kind: OpeningKind,
) -> Floats:
    """(len(DRAWN_OPENINGS),) gaps in IOD that the mesh measures in the drawn frames."""
    gaps = []
    for opening in DRAWN_OPENINGS:
        mouth_shape = np.zeros(len(Shape), np.float32)
        mouth_shape[Shape.OPEN] = opening
        if (companion := COMPANION_SHAPES[kind]) is not None:
            mouth_shape[companion] = 1.0
        read = [mesh.track(draw(int(f), mouth_shape), landmarks[f]).points for f in frames]
        gaps.append(float(np.median(lip_gap(np.stack(read)))))
    return np.array(gaps)


def invert_gap_curve(gaps: Floats) -> Floats:
    """(LEVELS,) openings whose measured gap is 0…FULL_GAP_IOD; closed lips stay closed.

    If closed lips measure more than RESTING_GAP_IOD, the scale begins at the excess.
    """
    rising = np.maximum.accumulate(gaps) + 1e-6 * np.arange(len(gaps))
    rising[0] = start = max(0.0, gaps[0] - RESTING_GAP_IOD)
    targets = np.linspace(start, FULL_GAP_IOD, LEVELS)
    drawn = np.interp(targets, rising, DRAWN_OPENINGS)
    return np.asarray(np.minimum(drawn, MAX_GAIN * np.linspace(0, 1, LEVELS)))
