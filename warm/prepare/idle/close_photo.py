"""Closing of a portrait's parted lips before it is animated.

A single picture has no closed mouth to copy from, so its own lips are moved together and the line
between them is painted. This works for a smile or slightly parted lips; with a wide open mouth, the
face stays long and the lips stretched (see `docs/idle.md`).
"""

import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply
from warm.avatars.avatar import CANONICAL_IOD
from warm.face.landmarks import lip_gap
from warm.prepare.idle.close_video import closed_weight
from warm.prepare.idle.closing_warp import ClosingWarp, inner_lip_inset
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

PARTED_IOD = 0.06
"""A wider gap is closed; the mesh measures closed lips up to 0.05 apart."""
UPPER_SHARE = 0.14
"""Share of a gap that the upper lip closes; the lower lip closes the rest."""
MAX_FLATTENING, FLAT_GAP_IOD = 0.6, 0.3
"""Maximum share of its arch that the upper lip loses, and the gap from which it loses that much."""
SMILE_GAP_IOD = 0.12
"""Lips part this far over closed teeth; a wider gap means that the jaw opened."""
JAW_PART = 0.72
"""Drop of the chin per further opening of the lips."""
LINE_IOD, LINE_DEPTH = 0.011, 0.34
"""Half width and darkness of the painted line between the lips."""


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
    return paint_closed(photo, face, transforms), points


def paint_closed(
    photo: NDArray[np.uint8], face: RestingFace, transforms: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Return the photo with the lips moved together and the line between them painted."""
    closing_warp = ClosingWarp(face, transforms)
    box = closing_warp.box(0, photo.shape)
    x0, y0, x1, y1 = box
    warp = closing_warp.warp_by(0, face.measured[0] - face.layout + inner_lip_inset())
    closed = closing_warp.warp_picture(photo, warp, 0, box)
    below, radius = np.moveaxis(closing_warp.resample(closing_warp.guides[..., :2], 0, box), -1, 0)
    line = np.exp(-0.5 * (below / (LINE_IOD * CANONICAL_IOD)) ** 2) * np.clip(2 - 2 * radius, 0, 1)
    result = photo.copy()
    result[y0:y1, x0:x1] = np.rint(closed * (1 - LINE_DEPTH * line[..., None]))
    return result


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
