"""Steady alignment of tracked faces: one smooth transform and one weight for each frame.

The head is smoothed as in a preparation, with its motion in the picture and a locked scale. Five
points, whose positions on the head change slowly, fix the template of the restoration to the head,
so a moving mouth does not move the crop.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter, minimum_filter1d

from stabilizers.fusion import fuse
from stabilizers.one_euro import one_euro_smooth
from stabilizers.settings import Crop, TrackSettings
from stabilizers.similarity import apply, compose, fit_similarity, invert
from stabilizers.track import smooth_transforms
from warm.enhance.alignment import FIVE_POINTS, TEMPLATE_SIZE, aligned_transform
from warm.enhance.face_tracks import FaceTrack

CROP = Crop(iod=126.0, eyes=(256.0, 240.0))
"""Geometry of the crop in which the head is smoothed: the same as the template's."""
POSE_S = 2.0
"""Time over which the positions of the five points on the head are smoothed."""
RAMP_S = 0.24
"""Faces that enter, leave or are covered fade in and out within this time."""
SHAPE_FULL, SHAPE_NONE = 0.22, 0.38
"""Misfit of the five points to the template, in eye distances: a frontal face has less than the
first; a face in profile, which is not restored, more than the second."""
MAX_UNKNOWN = 0.3
"""Largest share of frames with unknown motion; the motion of very small faces is unknown."""
TEMPLATE_IOD = float(np.linalg.norm(FIVE_POINTS[1] - FIVE_POINTS[0]))


@dataclass(frozen=True, slots=True, eq=False)
class SteadyFace:
    """One face in one shot, ready to be restored."""

    first: int
    """First frame."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) similarities from the crop of TEMPLATE_SIZE to the upright picture."""
    weights: NDArray[np.float64]
    """(n,) 0 where the face is covered or in profile, 1 where it is seen well."""
    gaps: NDArray[np.float64]
    """(n,) gap between the lips, in eye distances."""

    @property
    def end(self) -> int:
        """First frame after it."""
        return self.first + len(self.weights)


def steady_face(track: FaceTrack, fps: float, settings: TrackSettings) -> SteadyFace:
    """Smooth a track; frames in which the face was not found are interpolated."""
    frames = np.array([sighting.frame for sighting in track.sightings]) - track.first
    count = int(frames[-1]) + 1
    stable = filled(frames, np.stack([s.stable for s in track.sightings]), count)
    five = filled(frames, np.stack([s.five for s in track.sightings]), count)
    gaps = filled(frames, np.array([s.gap for s in track.sightings]), count)
    motions = np.full((count - 1, 2, 3), np.nan)
    for at, sighting in zip(frames[1:], track.sightings[1:], strict=True):
        motions[at - 1] = sighting.motion
    smoothed = smooth_head(stable, motions, fps, settings)
    heads = smooth_transforms(smoothed, CROP, fps, settings)
    transforms = with_template(heads, five, fps)
    weights = weights_of(track, frames, five, fps)
    return SteadyFace(track.first, transforms, weights, gaps)


def smooth_head(
    stable: NDArray[np.float64],
    motions: NDArray[np.float64],
    fps: float,
    settings: TrackSettings,
) -> NDArray[np.float64]:
    """Smooth (n, k, 2) landmarks by the head's motion, or by a filter if that is unknown."""
    unknown = np.isnan(motions).any(axis=(1, 2))
    if len(motions) and unknown.mean() <= MAX_UNKNOWN:
        return fuse(stable, motions, settings.landmark_weight)
    size = (
        float(np.median(np.ptp(stable[..., 0], axis=1))) / TEMPLATE_IOD
    )  # approximately the eye distance
    return one_euro_smooth(stable / size, fps, settings.one_euro) * size


def filled(
    frames: NDArray[np.int_], values: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Interpolate values that are known at some frames to all of `count`."""
    flat = values.reshape(len(values), -1)
    every = np.arange(count)
    columns = [np.interp(every, frames, column) for column in flat.T]
    return np.stack(columns, axis=-1).reshape(count, *values.shape[1:])


def with_template(
    heads: NDArray[np.float64], five: NDArray[np.float64], fps: float
) -> NDArray[np.float64]:
    """Return (n, 2, 3) transforms, template to picture; `heads`: steady transforms of the head."""
    on_head = np.stack([apply(invert(h), p) for h, p in zip(heads, five, strict=True)])
    window = min(len(on_head), max(1, round(POSE_S * fps))) | 1
    slow = median_filter(on_head, size=(window, 1, 1), mode="nearest")
    slow = gaussian_filter1d(slow, window / 4, axis=0, mode="nearest")
    return np.stack(
        [
            compose(head, invert(aligned_transform(points, TEMPLATE_SIZE)))
            for head, points in zip(heads, slow, strict=True)
        ]
    )


def weights_of(
    track: FaceTrack, frames: NDArray[np.int_], five: NDArray[np.float64], fps: float
) -> NDArray[np.float64]:
    """Return (n,) weights: 0 in gaps and in profile, ramps at the ends and around gaps."""
    is_seen = np.zeros(len(five))
    is_seen[frames] = 1.0
    ramp = max(1, round(RAMP_S * fps))
    padded = np.pad(is_seen, ramp, constant_values=1.0)
    padded[:ramp] = 1.0 if track.is_from_start else 0.0
    padded[len(padded) - ramp :] = 1.0 if track.is_to_end else 0.0
    eroded = minimum_filter1d(padded, ramp | 1)
    soft = np.convolve(eroded, np.full(ramp, 1 / ramp), mode="same")
    seen = np.minimum(soft, padded)[ramp : ramp + len(five)]
    misfit = gaussian_filter1d(misfits(five), max(1.0, ramp / 2), mode="nearest")
    return np.asarray(seen * frontal_weights(misfit), np.float64)


def frontal_weights(misfit: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights: 1 for frontal faces, 0 for faces in profile."""
    return np.clip((SHAPE_NONE - misfit) / (SHAPE_NONE - SHAPE_FULL), 0.0, 1.0)


def misfits(five: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (n,) RMS distances of (n, 5, 2) points from the template, in IOD."""
    errors = [apply(fit_similarity(points, FIVE_POINTS), points) - FIVE_POINTS for points in five]
    squared = (np.stack(errors) ** 2).sum(axis=-1).mean(axis=-1)
    return np.asarray(np.sqrt(squared) / TEMPLATE_IOD, np.float64)
