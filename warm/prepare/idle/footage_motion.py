"""Movements in the frames of a video that a speaker's path can use: dips, blinks, small steps."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, percentile_filter

from warm.face.landmarks import inter_ocular
from warm.prepare.idle.blinks import EYES

SAMPLE_STRIDE = 8
"""Frames are compared at every eighth pixel in both directions."""
ORDINARY = 97
"""Percentile of the loop's steps that a path may make by leaving out a frame."""
HEAD = (6, 168, 197, 5, 4, 33, 263, 10)
"""Landmarks of the bridge of the nose, the eyes' corners and the forehead."""
FAST_S, SLOW_S = 0.06, 0.5
"""Sigmas between which a movement is a nod: slower ones are posture, faster ones noise."""
SHUT, USUAL_S = 0.77, 1.0
"""In a blink both eyes are below this share of their usual opening around this time. The mesh draws
closed eyes half open."""


def footage_motion(
    frames: NDArray[np.uint8], landmarks: NDArray[np.float32], fps: int
) -> NDArray[np.float32]:
    """Return (n, 4): how low the head is, blinks, and whether the next or the previous frame may be
    left out."""
    steps = frame_steps(frames, 1)
    limit = float(np.percentile(steps, ORDINARY)) if len(steps) else 0.0
    small = frame_steps(frames, 2) <= limit
    forward, backward = np.zeros(len(frames)), np.zeros(len(frames))
    forward[: len(small)] = small
    backward[2:][: len(small)] = small
    return np.column_stack(
        [head_dips(landmarks, fps), blinks(landmarks, fps), forward, backward]
    ).astype(np.float32)


def frame_steps(frames: NDArray[np.uint8], apart: int) -> NDArray[np.float64]:
    """Return (n - apart,) mean differences between frames."""
    samples = frames[:, ::SAMPLE_STRIDE, ::SAMPLE_STRIDE].astype(np.float32)
    if len(samples) <= apart:
        return np.zeros(0)
    return np.asarray(np.abs(samples[apart:] - samples[:-apart]).mean(axis=(1, 2, 3)), np.float64)


def head_dips(landmarks: NDArray[np.float32], fps: int) -> NDArray[np.float64]:
    """Return (n,) how low the head is against its posture, in standard deviations."""
    height = landmarks[:, list(HEAD), 1].mean(axis=1) / inter_ocular(landmarks)
    dips = gaussian_filter1d(height, FAST_S * fps) - gaussian_filter1d(height, SLOW_S * fps)
    spread = float(dips.std())
    return np.asarray(dips / spread if spread > 0 else dips, np.float64)


def blinks(landmarks: NDArray[np.float32], fps: int) -> NDArray[np.float64]:
    """Return (n,) 1 in the middle of each time in which both eyes are shut."""
    shut = np.ones(len(landmarks), bool)
    for upper, lower in EYES:
        opening = np.abs(landmarks[:, list(lower)[4], 1] - landmarks[:, list(upper)[4], 1])
        usual = percentile_filter(opening, 90, size=max(3, round(USUAL_S * fps)))
        shut &= opening < SHUT * usual
    found = np.zeros(len(landmarks))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut, [0]])))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        found[(first + end - 1) // 2] = 1
    return found
