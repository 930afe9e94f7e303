"""Where the head is in every frame of a clip: landmarks and pictures in, steady transforms out."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stabilizers.flow import StableRegion, head_step
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
        9, 8, 168, 6, 197, 195, 5, 4,                          # the bridge of the nose
        193, 417, 122, 351, 196, 419, 174, 399,                # its sides
        33, 133, 362, 263, 143, 372, 116, 345,                 # eye corners, cheekbones
        2, 98, 327, 164,                                       # base of the nose
    ),
)
# fmt: on
"""The 468-point mesh: what moves with the skull."""
EYE_CORNERS_IN_POINTS = tuple([FACE_MESH.points.index(c) for c in eye] for eye in EYE_CORNERS)


@dataclass(frozen=True, slots=True, eq=False)
class FaceTrack:
    """A head followed through a clip."""

    transforms: NDArray[np.float64]
    """(n, 2, 3) similarity, crop pixel centres to frame pixel centres."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) as given, but steady: what belongs to the skull is calm by itself, lips, jaw and
    lids are carried with it and keep what they do."""
    steps: NDArray[np.float64]
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
    """Steady transforms and landmarks of one face in `frames`, n times (h, w, 3) BGR uint8.

    `landmarks` (n, 468, 3) float32 are those of the 468-point mesh, measured frame by frame.
    `progress` is called once a frame of affine tracking, the only slow stage. Zero-lag: every
    frame is judged with those after it too.

    With affine tracking the landmarks are fused with the picture's own motion, and the filter is
    left to the size alone: a face that is smoother than its head slides on it.
    """
    stable = landmarks[:, FACE_MESH.points, :2].astype(np.float64)
    if settings.affine_tracking_enabled:
        steps = head_steps(frames, landmarks, progress)
        calm = fuse(stable, steps, settings.landmark_weight)
    else:
        steps = np.full((len(landmarks) - 1, 2, 3), np.nan)
        unit = _median_iod(landmarks) / crop.iod
        calm = _smooth(stable / unit, fps, settings) * unit
    steady = _carried(landmarks, stable, calm)
    return FaceTrack(_transforms(calm, crop, fps, settings), steady, steps)


def _carried(
    landmarks: NDArray[np.float32], stable: NDArray[np.float64], calm: NDArray[np.float64]
) -> NDArray[np.float32]:
    """All landmarks moved by what made the stable ones calm: what acts keeps acting."""
    steady = landmarks.copy()
    for t, (measured, wanted) in enumerate(zip(stable, calm, strict=True)):
        steady[t, :, :2] = apply(fit_similarity(measured, wanted), landmarks[t, :, :2])
    steady[:, FACE_MESH.points, :2] = calm
    return steady


def head_steps(
    frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    progress: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """(n - 1, 2, 3) motion of the head from each frame to the next, NaN where unknown."""

    def step(t: int) -> NDArray[np.float64]:
        return head_step(frames[t], frames[t + 1], landmarks[t], landmarks[t + 1], FACE_MESH)

    progress()
    steps = []
    with ThreadPoolExecutor(THREADS) as pool:  # OpenCV lets go of the interpreter's lock.
        for found in pool.map(step, range(len(landmarks) - 1)):
            steps.append(found)
            progress()
    return np.asarray(steps).reshape(-1, 2, 3)


def template(stable: NDArray[np.float64], crop: Crop) -> NDArray[np.float64]:
    """(k, 2) where a clip's (n, k, 2) stable landmarks lie in the crop.

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


def _transforms(
    stable: NDArray[np.float64], crop: Crop, fps: float, settings: TrackSettings
) -> NDArray[np.float64]:
    """Crop to frame for every frame of calm (n, k, 2) stable landmarks."""
    shape = template(stable, crop)
    fitted = np.stack([fit_similarity(shape, frame) for frame in stable])
    scale, roll = scale_of(fitted), roll_of(fitted)
    if settings.affine_tracking_enabled:
        scale = np.exp(_smooth(np.log(scale) * crop.iod, fps, settings) / crop.iod)
    if settings.scale_lock_enabled:
        scale = lock_scale(scale, settings.scale_lock_warmup_frames)
    # Umeyama's fit takes mean to mean whatever the size, so the mean is where a size may change.
    landed = stable.mean(axis=1)
    if not settings.subpixel_enabled:
        landed = np.round(landed)
    return similarity(scale, roll, shape.mean(axis=0), landed)


def _smooth(
    values: NDArray[np.floating], fps: float, settings: TrackSettings
) -> NDArray[np.float64]:
    """The chosen zero-lag filter on (n, …) values in crop pixels."""
    match settings.smoothing:
        case "one_euro":
            return one_euro_smooth(values, fps, settings.one_euro)
        case "kalman":
            return kalman_smooth(values, fps, settings.kalman)
        case "none":
            return np.asarray(values, np.float64)


def _median_iod(landmarks: NDArray[np.floating]) -> float:
    """Distance of the eye centres in a clip of (n, 468, 2 or more) landmarks, pixels."""
    right, left = (landmarks[:, eye, :2].mean(axis=1) for eye in EYE_CORNERS)
    return float(np.median(np.linalg.norm(left - right, axis=1)))
