"""Lips of the footage, as the attention mesh sees them.

The plain mesh, with which preparation tracks the face, mistakes teeth for closed lips.
"""

from dataclasses import dataclass

import numpy as np

from stabilizers.similarity import apply, invert
from warm.avatars.filmed_mouth import FilmedMouth
from warm.engines.viseme.anatomy import (
    LOWER_INNER,
    LOWER_OUTER,
    UPPER_INNER,
    UPPER_OUTER,
    Anatomy,
    Floats,
    Floats32,
    Pixels,
)
from warm.engines.viseme.calibration import FaceRuler

LIPS = np.unique(np.concatenate([UPPER_OUTER, UPPER_INNER, LOWER_INNER, LOWER_OUTER]))
CLOSED_STEP = 5
"""Spacing of the closed frames that are measured."""


@dataclass(frozen=True, slots=True, eq=False)
class LipTracks:
    """Landmarks of the lips, in the reference."""

    filmed: Floats
    """(n, 468, 2) in the filmed frames; only those of the lips are refined."""
    closed: Floats
    """(468, 2) in the avatar's closed frames, median."""


def track_lips(
    anatomy: Anatomy, closed: Pixels, filmed: FilmedMouth, ruler: FaceRuler
) -> LipTracks:
    """Measure the lips in all filmed frames, and in some of the closed ones."""
    landmarks = refined(filmed.frames, filmed.landmarks, ruler)
    some = np.arange(0, len(closed), CLOSED_STEP)
    at_rest = refined(closed[some], filmed.landmarks[some], ruler)
    return LipTracks(
        in_reference(landmarks, anatomy.to_frame),
        np.median(in_reference(at_rest, anatomy.to_frame[some]), axis=0),
    )


def refined(frames: Pixels, landmarks: Floats32, ruler: FaceRuler) -> Floats32:
    """Return the landmarks (n, 468, 3) with the lips as the ruler sees them."""
    better = landmarks.copy()
    for points, picture in zip(better, frames, strict=True):
        points[LIPS] = ruler.track(np.asarray(picture), points).points[LIPS]
    return better


def in_reference(landmarks: Floats32, to_frame: Floats) -> Floats:
    """(n, 468, 2) of (n, 468, 3) landmarks in frame pixels."""
    return apply(invert(to_frame), landmarks[..., :2].astype(np.float64))
