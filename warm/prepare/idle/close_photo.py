"""The mouth of a portrait at rest: parted lips are closed before it is animated, or keep its teeth.

A single picture has no closed mouth to copy from, so its own lips are moved together and the line
between them is painted. This works for a smile or parted lips; a wide open mouth is refused (see
`docs/idle.md`). Landmarks must be those of the attention mesh: the plain mesh mistakes teeth
for closed lips.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply
from warm.avatars.avatar import CANONICAL_IOD
from warm.avatars.recipe import Teeth
from warm.face.landmarks import lip_gap
from warm.prepare.idle.close_video import closed_weight
from warm.prepare.idle.closed_lips import move_lips_together
from warm.prepare.idle.lower_face import (
    AROUND_LOWER,
    AROUND_UPPER,
    INNER_LOWER,
    INNER_UPPER,
    JAW_SHARE,
    LIPS,
    LOWER_LIP,
    OUTER_LOWER,
    UPPER_LIP,
)
from warm.prepare.idle.resting_face import RestingFace, to_crop_pixels

PARTED_IOD = 0.02
"""A wider gap is closed; the attention mesh measures closed lips up to 0.01 apart."""
UPPER_SHARE = 0.14
"""Share of a gap that the upper lip closes; the lower lip closes the rest."""
MAX_FLATTENING, FLAT_GAP_IOD = 0.6, 0.3
"""Maximum share of its arch that the upper lip loses, and the gap from which it loses that much."""
SMILE_GAP_IOD = 0.12
"""Lips part this far over closed teeth; a wider gap means that the jaw opened."""
JAW_PART = 0.72
"""Drop of the chin per further opening of the lips."""


@dataclass(frozen=True, slots=True, eq=False)
class RestingPhoto:
    """A portrait with the mouth that it has at rest."""

    picture: NDArray[np.uint8]
    """(h, w, 3) BGR."""
    landmarks: NDArray[np.float32]
    """(468, 3); the inner lips meet."""
    teeth_kept: bool = False
    """The upper teeth are in view, down to the line where the inner lips meet."""


def rest_photo(
    photo: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    to_photo: NDArray[np.float64],
    teeth: Teeth,
) -> RestingPhoto:
    """Return a portrait at rest, with its lips moved together or with its teeth kept.

    photo (h, w, 3) BGR, landmarks (468, 3), to_photo (2, 3) canonical crop to photo.
    """
    if teeth == "keep" and lip_gap(landmarks) >= PARTED_IOD:
        points = landmarks.copy()
        points[list(INNER_UPPER)] = points[list(INNER_LOWER)]
        return RestingPhoto(photo, points, teeth_kept=True)
    return RestingPhoto(*close_photo(photo, landmarks, to_photo))


def close_photo(
    photo: NDArray[np.uint8], landmarks: NDArray[np.float32], to_photo: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return the portrait and its landmarks with the mouth closed; unchanged if it is closed.

    photo (h, w, 3) BGR, landmarks (468, 3), to_photo (2, 3) canonical crop to photo.
    """
    gap = float(lip_gap(landmarks))
    if gap < PARTED_IOD:
        return photo, landmarks
    transforms = to_photo[None]
    face = closed_face(to_crop_pixels(landmarks[None], transforms)[0], gap)
    points = landmarks.copy()
    points[:, :2] = apply(to_photo, closed_landmarks(face))
    return move_lips_together(photo, face, transforms), points


def closed_face(crop: NDArray[np.float64], gap: float) -> RestingFace:
    """Return the closed face of (468, 3) landmarks in the crop; `gap` in IOD."""
    flat = crop[:, :2]
    layout = closed_layout(flat, gap)
    return RestingFace(
        layout,
        np.zeros_like(layout),
        flat[None],
        layout[None],
        np.eye(2, 3)[None],
        np.zeros((1, 2)),
        np.array([0]),
    )


def closed_layout(flat: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Return (468, 2) landmarks with the lips moved together and the jaw raised."""
    layout = flat.copy()
    line = flat[list(INNER_UPPER)]
    parting = np.maximum(flat[list(INNER_LOWER), 1] - line[:, 1], 0)
    drop = upper_lip_drop(line, parting, gap)
    falls, rises = (np.interp(flat[:, 0], line[:, 0], y) for y in (drop, parting - drop))
    below = [*LOWER_LIP, *AROUND_LOWER, *JAW_SHARE]
    layout[below, 1] -= lower_face_rise(flat, rises, gap)[below]
    layout[list(UPPER_LIP), 1] += falls[list(UPPER_LIP)]
    layout[list(AROUND_UPPER), 1] += falls[list(AROUND_UPPER)] / 2
    layout[list(INNER_UPPER)] = layout[list(INNER_LOWER)] = line + np.outer(drop, [0, 1])
    return layout


def lower_face_rise(
    flat: NDArray[np.float64], lip_rise: NDArray[np.float64], gap: float
) -> NDArray[np.float64]:
    """Return the (468,) rise of each landmark: the lip's at the lip, the jaw's towards the chin."""
    lip_edge = np.interp(flat[:, 0], *flat[list(OUTER_LOWER)].T)
    to_chin = np.clip((flat[:, 1] - lip_edge) / (flat[152, 1] - lip_edge), 0, 1)
    drop = JAW_PART * max(0.0, gap - SMILE_GAP_IOD) * CANONICAL_IOD
    share = np.zeros(len(flat))
    share[list(JAW_SHARE)] = list(JAW_SHARE.values())
    return np.asarray(lip_rise * (1 - to_chin) + drop * share * to_chin)


def upper_lip_drop(
    line: NDArray[np.float64], parting: NDArray[np.float64], gap: float
) -> NDArray[np.float64]:
    """Return the (11,) drop of the upper lip: its share of the gap, and the loss of its arch."""
    arch = np.interp(line[:, 0], line[[0, -1], 0], line[[0, -1], 1]) - line[:, 1]
    flattening = MAX_FLATTENING * min(1.0, gap / FLAT_GAP_IOD)
    drop = UPPER_SHARE * parting + flattening * np.maximum(arch, 0)
    return np.asarray(np.minimum(drop, parting / 2))


def closed_landmarks(face: RestingFace) -> NDArray[np.float64]:
    """Return all (468, 2) landmarks of the closed face in crop pixels."""
    flat = face.measured[0]
    points = flat + closed_weight(face.layout)[:, None] * (face.layout - flat)
    points[list(LIPS)] = face.layout[list(LIPS)]
    return np.asarray(points)
