"""How a head is turned, frame by frame, and the resting face it would show there.

All lengths are in pixels of the canonical crop (`warm.avatars.avatar`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from stabilizers.similarity import apply, fit_affine, fit_similarity, invert, scale_of
from warm.prepare.idle.lower_face import (
    CHIN,
    INNER_LOWER,
    INNER_UPPER,
    JAW_SHARE,
    LIPS,
    OUTER_UPPER,
    SKULL,
    seam_of,
)

POSE_SIGMA_FRAMES = 4.0
PRESSED = 0.9
"""Height of the resting lips as a share of that of the closed ones: these are often caught just
before they part or after they met."""
ANCHOR_SIGMA_FRAMES = 6.0
"""The resting mouth follows the measured upper lip this slowly: syllables do not shake it."""


@dataclass(frozen=True, slots=True, eq=False)
class RestingFace:
    """The closed mouth of one person, and where it lies in each frame of a clip."""

    layout: NDArray[np.float64]
    """(468, 2) the closed face seen from the front; the inner lips meet."""
    inner_bias: NDArray[np.float64]
    """(468, 2) from the landmark as measured on a closed mouth to where the lips really meet."""
    measured: NDArray[np.float64]
    """(n, 468, 2) landmarks of the clip in the crop, freed from the head's common jitter."""
    expected: NDArray[np.float64]
    """(n, 468, 2) where they would lie with the mouth closed."""
    to_crop: NDArray[np.float64]
    """(n, 2, 3) affine, layout to crop: the head's turn as the lower face shows it."""
    turns_deg: NDArray[np.float64]
    """(n, 2) yaw and pitch against the middle of the clip."""
    closed: NDArray[np.intp]
    """The frames that show the mouth closed, the best first."""


def resting_face(
    landmarks: NDArray[np.float32], transforms: NDArray[np.float64], closed: NDArray[np.intp]
) -> RestingFace:
    """Find the closed mouth of a clip and lay it into every frame.

    landmarks (n, 468, 3), transforms (n, 2, 3) canonical crop to frame, `closed` the frames that
    show it, the best first.
    """
    crops = without_jitter(in_crop(landmarks, transforms))
    skull = gaussian_filter1d(crops[:, list(SKULL)], POSE_SIGMA_FRAMES, axis=0, mode="nearest")
    turns = [fit_similarity(np.median(skull, axis=0), shape) for shape in skull]
    shape = np.median([apply(invert3(turns[i]), crops[i]) for i in closed], axis=0)
    merged = with_lips_together(shape)
    expected = np.stack([apply(turn, merged)[:, :2] for turn in turns])
    upper = list(OUTER_UPPER)
    drift = (crops[:, upper, :2] - expected[:, upper]).mean(axis=1)
    expected += gaussian_filter1d(drift, ANCHOR_SIGMA_FRAMES, axis=0, mode="nearest")[:, None]
    front = [*LIPS, *CHIN, *(i for i, share in JAW_SHARE.items() if share > 0.6)]
    layout = merged[:, :2]
    return RestingFace(
        layout,
        inner_bias(shape)[:, :2],
        crops[..., :2],
        expected,
        np.stack([fit_affine(layout[front], points[front]) for points in expected]),
        np.stack([yaw_and_pitch_deg(turn) for turn in turns]),
        closed,
    )


def in_crop(landmarks: NDArray[np.float32], transforms: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 468, 3) frame pixels to crop pixels."""
    flat = apply(invert(transforms), landmarks[..., :2].astype(np.float64))
    depth = landmarks[..., 2:] / scale_of(transforms)[:, None, None]
    return np.concatenate([flat, depth], axis=-1)


def without_jitter(crops: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same points after each frame's skull is laid on its own low-passed course.

    In the crop the skull only turns, and slowly; what is faster is noise of the whole mesh.
    """
    skull = crops[:, list(SKULL), :2]
    course = gaussian_filter1d(skull, POSE_SIGMA_FRAMES, axis=0, mode="nearest")
    steady = crops.copy()
    for points, noisy, calm in zip(steady, skull, course, strict=True):
        points[:, :2] = apply(fit_similarity(noisy, calm), points[:, :2])
    return steady


def inner_bias(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """(468, 3) from each inner lip landmark of a closed mouth to the lips' common middle."""
    bias, seam = np.zeros_like(shape), seam_of(shape)
    for nodes in (INNER_UPPER, INNER_LOWER):
        bias[list(nodes)] = seam - shape[list(nodes)]
    return bias


def with_lips_together(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """(468, 3) with both inner lips on their common middle, and all lips a little pressed."""
    merged, seam, lips = shape + inner_bias(shape), seam_of(shape), list(LIPS)
    middle = np.interp(shape[lips, 0], seam[:, 0], seam[:, 1])
    merged[lips, 1] = middle + PRESSED * (merged[lips, 1] - middle)
    return merged


def invert3(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 4) that undoes a (3, 4) transform of space."""
    linear = np.linalg.inv(turn[:, :3])
    return np.column_stack([linear, -linear @ turn[:, 3]])


def yaw_and_pitch_deg(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2,) degrees of a (3, 4) similarity of space."""
    nose = turn[:, 2] / np.linalg.norm(turn[:, 2])
    return np.degrees([np.arcsin(nose[0]), np.arcsin(nose[1])])
