"""Movements in the frames of a video that a speaker's path can use: dips, blinks, small steps."""

from collections.abc import Callable

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
SUSPECT, SHUT, USUAL_S = 0.88, 0.5, 1.0
"""Shares of the eye's usual opening, within this time around a frame. The plain mesh measures
closed eyes as half open: below the first share they are measured again with the refined mesh. In
a blink it measures both eyes below the second share."""

TrackEyes = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]
"""Returns the refined (468, 3) landmarks of a picture, given approximate ones."""


def footage_motion(
    frames: NDArray[np.uint8], landmarks: NDArray[np.float32], fps: int, track_eyes: TrackEyes
) -> NDArray[np.float32]:
    """Return (n, 4): how low the head is, blinks, and whether the next or the previous frame may be
    left out."""
    small = ordinary(frame_steps(frames, 1), frame_steps(frames, 2))
    small &= ordinary(head_steps(landmarks, 1), head_steps(landmarks, 2))
    forward, backward = np.zeros(len(frames)), np.zeros(len(frames))
    forward[: len(small)] = small
    backward[2:][: len(small)] = small
    shut = blinks(openings(frames, landmarks, fps, track_eyes), fps)
    columns = [head_dips(landmarks, fps), shut, forward, backward]
    return np.column_stack(columns).astype(np.float32)


def ordinary(steps: NDArray[np.float64], wide: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return True where a step of two frames is no larger than most steps of one frame."""
    limit = float(np.percentile(steps, ORDINARY)) if len(steps) else 0.0
    return np.asarray(wide <= limit)


def head_steps(landmarks: NDArray[np.float32], apart: int) -> NDArray[np.float64]:
    """Return (n - apart,) mean movements of the head, pixels."""
    head = landmarks[:, list(HEAD), :2].astype(np.float64)
    moved = head[apart:] - head[:-apart]
    return np.asarray(np.hypot(moved[..., 0], moved[..., 1]).mean(axis=1))


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


def openings(
    frames: NDArray[np.uint8], landmarks: NDArray[np.float32], fps: int, track_eyes: TrackEyes
) -> NDArray[np.float64]:
    """Return (n, 2) openings of the eyes, refined where they may be shut."""
    opening = eye_openings(landmarks)
    suspects = (opening < SUSPECT * usual_openings(opening, fps)).any(axis=1)
    for index in np.flatnonzero(suspects):
        opening[index] = eye_openings(track_eyes(frames[index], landmarks[index])[None])[0]
    return opening


def eye_openings(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (n, 2) distances of the lids in their middle, in pixels."""
    middles = [(list(upper)[4], list(lower)[4]) for upper, lower in EYES]
    flat = landmarks[..., :2].astype(np.float64)
    return np.stack([np.hypot(*(flat[:, up] - flat[:, low]).T) for up, low in middles], axis=1)


def usual_openings(opening: NDArray[np.float64], fps: int) -> NDArray[np.float64]:
    """Return (n, 2) the usual opening of each eye around each frame."""
    size = max(3, round(USUAL_S * fps))
    return np.asarray(percentile_filter(opening, 75, size=(size, 1)))


def blinks(opening: NDArray[np.float64], fps: int) -> NDArray[np.float64]:
    """Return (n,) 1 in the middle of each time in which both eyes are shut, from (n, 2)."""
    shut = (opening < SHUT * usual_openings(opening, fps)).all(axis=1)
    found = np.zeros(len(opening))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], shut, [0]])))
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        found[(first + end - 1) // 2] = 1
    return found
