"""A portrait with parted lips, closed before it is animated.

A single picture holds no closed mouth to borrow from: its own lips are brought together and the
line between them is painted. That serves a smile or slightly parted lips; a wide open mouth keeps
its long face and stretched lips (see `docs/idle.md`).
"""

import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply
from warm.avatars.avatar import CANONICAL_IOD
from warm.face.landmarks import lip_gap
from warm.prepare.idle.close_video import lower_face_share
from warm.prepare.idle.closing_warp import ClosingWarp, pull_inwards
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
from warm.prepare.idle.pose import RestingFace, in_crop

PARTED_IOD = 0.06
"""A wider gap is closed; the mesh calls closed lips up to .05 apart."""
UPPER_SHARE = 0.14
"""How much of a gap the upper lip closes; the lower lip does the rest."""
MAX_FLATTENING, FLAT_GAP_IOD = 0.6, 0.3
"""The arch that the upper lip loses, and from which gap on."""
SMILE_GAP_IOD = 0.12
"""So far lips part over teeth that are together; what is more, the jaw opened."""
JAW_PART = 0.72
"""The chin's drop for each part that the lips open further."""
SEAM_IOD, SEAM_DEPTH = 0.011, 0.34
"""Half width and darkness of the painted line between the lips."""


def close_photo(
    photo: NDArray[np.uint8], landmarks: NDArray[np.float32], to_photo: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The portrait and its landmarks with the mouth closed; unchanged where it is.

    photo (h, w, 3) BGR, landmarks (468, 3), to_photo (2, 3) canonical crop to photo.
    """
    gap = float(lip_gap(landmarks))
    if gap < PARTED_IOD:
        return photo, landmarks
    transforms = to_photo[None]
    face = closed_shape(in_crop(landmarks[None], transforms)[0], gap)
    closing_warp = ClosingWarp(face, transforms)
    box = closing_warp.box(0, photo.shape)
    x0, y0, x1, y1 = box
    closed = closing_warp.closed(
        photo, closing_warp.warp_by(0, face.measured[0] - face.layout + pull_inwards()), 0, box
    )
    below, radius = np.moveaxis(closing_warp.in_box(closing_warp.guides, 0, box), -1, 0)
    line = np.exp(-0.5 * (below / (SEAM_IOD * CANONICAL_IOD)) ** 2) * np.clip(2 - 2 * radius, 0, 1)
    shut = photo.copy()
    shut[y0:y1, x0:x1] = np.rint(closed * (1 - SEAM_DEPTH * line[..., None]))
    points = landmarks.copy()
    points[:, :2] = apply(to_photo, shut_points(face))
    return shut, points


def closed_shape(crop: NDArray[np.float64], gap: float) -> RestingFace:
    """The closed face of (468, 3) landmarks in the crop; `gap` in IOD."""
    flat, layout = crop[:, :2], crop[:, :2].copy()
    line = flat[list(INNER_UPPER)]
    parting = np.maximum(flat[list(INNER_LOWER), 1] - line[:, 1], 0)
    lower = lowering(line, parting, gap)
    falls, rises = (np.interp(flat[:, 0], line[:, 0], way) for way in (lower, parting - lower))
    lip_edge = np.interp(flat[:, 0], *flat[list(OUTER_LOWER)].T)
    to_chin = np.clip((flat[:, 1] - lip_edge) / (flat[152, 1] - lip_edge), 0, 1)
    drop = JAW_PART * max(0.0, gap - SMILE_GAP_IOD) * CANONICAL_IOD
    share = np.zeros(len(flat))
    share[list(JAW_SHARE)] = list(JAW_SHARE.values())
    below = [*LOWER_LIP, *AROUND_LOWER, *JAW_SHARE]
    rise = rises * (1 - to_chin) + drop * share * to_chin
    layout[below, 1] -= rise[below]
    layout[list(UPPER_LIP), 1] += falls[list(UPPER_LIP)]
    layout[list(AROUND_UPPER), 1] += falls[list(AROUND_UPPER)] / 2
    seam = line + np.outer(lower, [0, 1])
    layout[list(INNER_UPPER)] = layout[list(INNER_LOWER)] = seam
    still = np.zeros((1, 2))
    return RestingFace(
        layout, np.zeros_like(layout), flat[None], layout[None], np.eye(2, 3)[None], still,
        np.array([0]),
    )  # fmt: skip


def lowering(
    line: NDArray[np.float64], parting: NDArray[np.float64], gap: float
) -> NDArray[np.float64]:
    """(11,) how far the upper lip comes down: its share, and it loses the arch of an open mouth."""
    arch = np.interp(line[:, 0], line[[0, -1], 0], line[[0, -1], 1]) - line[:, 1]
    flatter = MAX_FLATTENING * min(1.0, gap / FLAT_GAP_IOD)
    lower = UPPER_SHARE * parting + flatter * np.maximum(arch, 0)
    return np.asarray(np.minimum(lower, parting / 2))


def shut_points(face: RestingFace) -> NDArray[np.float64]:
    """(468, 2) crop pixels: all landmarks after the mouth is closed."""
    flat = face.measured[0]
    share = lower_face_share(face.layout)[:, None]
    points = flat + share * (face.layout - flat)
    points[list(LIPS)] = face.layout[list(LIPS)]
    return np.asarray(points)
