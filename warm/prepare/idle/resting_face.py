"""Pose of a head, frame by frame, and its resting face in each pose.

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
    lip_line,
)

POSE_SIGMA_FRAMES = 4.0
PRESSED = 0.9
"""Height of the resting lips relative to the closed ones in the clip, which were often filmed just
before they parted or after they met."""
ANCHOR_SIGMA_FRAMES = 6.0
"""Smoothing of the resting mouth's position; slow enough that syllables do not shake it."""


@dataclass(frozen=True, slots=True, eq=False)
class RestingFace:
    """The closed mouth of one person, and its position in each frame of a clip."""

    layout: NDArray[np.float64]
    """(468, 2) closed face seen from the front; the inner lips meet."""
    inner_bias: NDArray[np.float64]
    """(468, 2) offset from a landmark measured on a closed mouth to the lip line."""
    measured: NDArray[np.float64]
    """(n, 468, 2) landmarks of the clip in the crop, without the jitter of the whole head."""
    expected: NDArray[np.float64]
    """(n, 468, 2) expected landmarks with the mouth closed."""
    to_crop: NDArray[np.float64]
    """(n, 2, 3) affine, layout to crop: the head's turn as seen on the lower face."""
    turns_deg: NDArray[np.float64]
    """(n, 2) yaw and pitch relative to the clip's median."""
    closed: NDArray[np.intp]
    """Frames that show the mouth closed, best first."""


def resting_face(
    landmarks: NDArray[np.float32], transforms: NDArray[np.float64], closed: NDArray[np.intp]
) -> RestingFace:
    """Measure the closed mouth of a clip and fit it into every frame.

    landmarks (n, 468, 3), transforms (n, 2, 3) canonical crop to frame, `closed` the frames that
    show it, best first.
    """
    crops = without_jitter(to_crop_pixels(landmarks, transforms))
    turns = head_turns(crops)
    shape = np.median([apply(invert3(turns[i]), crops[i]) for i in closed], axis=0)
    merged = with_lips_together(shape)
    expected = expected_landmarks(crops, turns, merged)
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


def head_turns(crops: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the (3, 4) similarity from the clip's median skull to that of each frame."""
    skull = gaussian_filter1d(crops[:, list(SKULL)], POSE_SIGMA_FRAMES, axis=0, mode="nearest")
    median = np.median(skull, axis=0)
    return [fit_similarity(median, shape) for shape in skull]


def expected_landmarks(
    crops: NDArray[np.float64], turns: list[NDArray[np.float64]], resting: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the (n, 468, 2) landmarks of a resting face (468, 3), aligned on the upper lip."""
    expected = np.stack([apply(turn, resting)[:, :2] for turn in turns])
    upper = list(OUTER_UPPER)
    drift = (crops[:, upper, :2] - expected[:, upper]).mean(axis=1)
    expected += gaussian_filter1d(drift, ANCHOR_SIGMA_FRAMES, axis=0, mode="nearest")[:, None]
    return expected


def to_crop_pixels(
    landmarks: NDArray[np.float32], transforms: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Map (n, 468, 3) landmarks from frame pixels to crop pixels."""
    flat = apply(invert(transforms), landmarks[..., :2].astype(np.float64))
    depth = landmarks[..., 2:] / scale_of(transforms)[:, None, None]
    return np.concatenate([flat, depth], axis=-1)


def without_jitter(crops: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points with each frame's skull moved onto its low-pass filtered trajectory.

    In the crop the skull only turns, and slowly; faster motion is noise of the whole mesh.
    """
    skull = crops[:, list(SKULL), :2]
    trajectory = gaussian_filter1d(skull, POSE_SIGMA_FRAMES, axis=0, mode="nearest")
    steady = crops.copy()
    for points, noisy, calm in zip(steady, skull, trajectory, strict=True):
        points[:, :2] = apply(fit_similarity(noisy, calm), points[:, :2])
    return steady


def inner_bias(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (468, 3) offsets from the inner lip landmarks of a closed mouth to the lip line."""
    bias, line = np.zeros_like(shape), lip_line(shape)
    for nodes in (INNER_UPPER, INNER_LOWER):
        bias[list(nodes)] = line - shape[list(nodes)]
    return bias


def with_lips_together(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (468, 3) with both inner lips on the lip line, and all lips slightly pressed."""
    merged, line, lips = shape + inner_bias(shape), lip_line(shape), list(LIPS)
    middle = np.interp(shape[lips, 0], line[:, 0], line[:, 1])
    merged[lips, 1] = middle + PRESSED * (merged[lips, 1] - middle)
    return merged


def invert3(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of a (3, 4) transform of space."""
    linear = np.linalg.inv(turn[:, :3])
    return np.column_stack([linear, -linear @ turn[:, 3]])


def yaw_and_pitch_deg(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return yaw and pitch in degrees of a (3, 4) similarity of space."""
    nose = turn[:, 2] / np.linalg.norm(turn[:, 2])
    return np.degrees([np.arcsin(nose[0]), np.arcsin(nose[1])])


def turns_against(
    landmarks: NDArray[np.float32],
    transforms: NDArray[np.float64],
    own_landmarks: NDArray[np.float32],
    own_transforms: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (n, 2) yaw and pitch of other frames, relative to the median of a clip.

    landmarks (m, 468, 3) and transforms (m, 2, 3) are the clip's, the own ones those of the frames.
    """
    clip = without_jitter(to_crop_pixels(landmarks, transforms))
    own = without_jitter(to_crop_pixels(own_landmarks, own_transforms))
    median = np.median(clip[:, list(SKULL)], axis=0)
    skull = gaussian_filter1d(own[:, list(SKULL)], POSE_SIGMA_FRAMES, axis=0, mode="nearest")
    return np.stack([yaw_and_pitch_deg(fit_similarity(median, shape)) for shape in skull])
