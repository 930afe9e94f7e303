"""Tracking of a head through a clip: landmarks and pictures in, stabilized transforms out."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilizers.flow import StableRegion, head_motion
from stabilizers.fusion import fuse
from stabilizers.kalman import kalman_smooth
from stabilizers.one_euro import one_euro_smooth
from stabilizers.scale_lock import lock_scale
from stabilizers.settings import Crop, TrackSettings
from stabilizers.similarity import apply, fit_similarity, roll_of, scale_of, similarity

THREADS = min(4, os.cpu_count() or 1)
EYE_CORNERS = ((33, 133), (362, 263))
# fmt: off
FACE_MESH = StableRegion(
    hull=(151, 143, 372, 116, 345, 205, 425, 2),               # forehead to cheeks and nose base
    masked=(
        (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
        (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382),
    ),
    points=(
        9, 8, 168, 6, 197, 195, 5, 4,                          # bridge of the nose
        193, 417, 122, 351, 196, 419, 174, 399,                # its sides
        33, 133, 362, 263, 143, 372, 116, 345,                 # eye corners, cheekbones
        2, 98, 327, 164,                                       # base of the nose
    ),
)
# fmt: on
"""Landmarks of the 468-point mesh that move with the skull."""
EYE_CORNERS_IN_POINTS = tuple([FACE_MESH.points.index(c) for c in eye] for eye in EYE_CORNERS)


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrack:
    """A head tracked through a clip."""

    transforms: NDArray[np.float64]
    """(n, 2, 3) similarity, crop pixel centres to frame pixel centres."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) stabilized. Landmarks of the skull are smoothed; lips, jaw and lids move with
    the skull and keep their own motion."""
    motions: NDArray[np.float64]
    """(n - 1, 2, 3) affine motion of the head from each frame to the next, frame pixels; NaN where
    unknown, and everywhere without affine tracking."""


def track_face(
    frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    crop: Crop,
    *,
    fps: float,
    settings: TrackSettings,
    progress: Callable[[], None] = lambda: None,
) -> FaceTrack:
    """Stabilize transforms and landmarks of one face in `frames`, n times (h, w, 3) BGR uint8.

    `landmarks` (n, 468, 3) float32 are those of the 468-point mesh, measured frame by frame.
    `progress` is called once per frame of affine tracking, the only slow stage. There is no lag,
    since later frames are used too.

    With affine tracking the landmarks are fused with the motion of the picture, and only the size
    is filtered: a face smoothed more than the head would slide on it.
    """
    stable = landmarks[:, FACE_MESH.points, :2].astype(np.float64)
    if settings.affine_tracking_enabled:
        motions = head_motions(frames, landmarks, progress)
        smoothed = fuse(stable, motions, settings.landmark_weight)
    else:
        motions = np.full((len(landmarks) - 1, 2, 3), np.nan)
        unit = _median_iod(landmarks) / crop.iod
        smoothed = _smooth(stable / unit, fps, settings) * unit
    moved = _move_with_skull(landmarks, stable, smoothed)
    return FaceTrack(smooth_transforms(smoothed, crop, fps, settings), moved, motions)


def _move_with_skull(
    landmarks: NDArray[np.float32], stable: NDArray[np.float64], smoothed: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Move all landmarks as smoothing moved the stable ones; expressions keep their own motion."""
    moved = landmarks.copy()
    for t, (source, target) in enumerate(zip(stable, smoothed, strict=True)):
        moved[t, :, :2] = apply(fit_similarity(source, target), landmarks[t, :, :2])
    moved[:, FACE_MESH.points, :2] = smoothed
    return moved


def head_motions(
    frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    progress: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Return the (n - 1, 2, 3) motion of the head from each frame to the next, NaN if unknown."""

    def motion(t: int) -> NDArray[np.float64]:
        return head_motion(frames[t], frames[t + 1], landmarks[t], landmarks[t + 1], FACE_MESH)

    progress()
    motions = []
    with ThreadPoolExecutor(THREADS) as pool:  # OpenCV releases the GIL
        for found in pool.map(motion, range(len(landmarks) - 1)):
            motions.append(found)
            progress()
    return np.asarray(motions).reshape(-1, 2, 3)


def template(stable: NDArray[np.float64], crop: Crop) -> NDArray[np.float64]:
    """Return the (k, 2) positions of a clip's (n, k, 2) stable landmarks in the crop.

    The median shape of the clip, in two rounds: aligned on the first frame, then on the median.
    """
    shape = stable[0]
    for _ in range(2):
        aligned = [apply(fit_similarity(frame, shape), frame) for frame in stable]
        shape = np.median(aligned, axis=0)
    eyes = np.stack([shape[eye].mean(axis=0) for eye in EYE_CORNERS_IN_POINTS])
    half = np.array([crop.iod / 2, 0.0])
    to_crop = fit_similarity(eyes, np.array([crop.eyes - half, crop.eyes + half]))
    return apply(to_crop, shape)


def smooth_transforms(
    stable: NDArray[np.float64], crop: Crop, fps: float, settings: TrackSettings
) -> NDArray[np.float64]:
    """Return crop to frame for every frame of (n, k, 2) smoothed stable landmarks."""
    shape = template(stable, crop)
    fitted = np.stack([fit_similarity(shape, frame) for frame in stable])
    scale, roll = scale_of(fitted), roll_of(fitted)
    if settings.affine_tracking_enabled:
        scale = np.exp(_smooth(np.log(scale) * crop.iod, fps, settings) / crop.iod)
    if settings.scale_lock_enabled:
        scale = lock_scale(scale, settings.scale_lock_warmup_frames)
    # Umeyama's fit maps mean to mean at any scale, so the scale may be changed about the mean.
    position = stable.mean(axis=1)
    if not settings.subpixel_enabled:
        position = np.round(position)
    return similarity(scale, roll, shape.mean(axis=0), position)


def _smooth(
    values: NDArray[np.floating], fps: float, settings: TrackSettings
) -> NDArray[np.float64]:
    """Filter (n, …) values in crop pixels without lag, by the chosen filter."""
    match settings.smoothing:
        case "one_euro":
            return one_euro_smooth(values, fps, settings.one_euro)
        case "kalman":
            return kalman_smooth(values, fps, settings.kalman)
        case "none":
            return np.asarray(values, np.float64)


def _median_iod(landmarks: NDArray[np.floating]) -> float:
    """Return the eye distance of a clip of (n, 468, 2 or more) landmarks, pixels."""
    right, left = (landmarks[:, eye, :2].mean(axis=1) for eye in EYE_CORNERS)
    return float(np.median(np.linalg.norm(left - right, axis=1)))
