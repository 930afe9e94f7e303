"""Blinks of a filmed person, found by the aspect of the eyes that the attention mesh sees."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, fit_similarity
from stabilizers.track import FACE_MESH
from warm.face.attention_mesh import AttentionMesh
from warm.face.finder import FaceFinder
from warm.media.video import open_video
from warm.prepare.face_tracking import FaceTracker, longest_stretch
from warm.prepare.idle.blinks import EYES

Floats = NDArray[np.floating]

FPS, MAX_SIDE = 25, 1080
CLOSED, OPEN = 0.42, 0.88
"""Aspect of a closed and of an open eye, relative to the median of the video."""
REACH = 10
"""Most frames between a closed eye and the open one on which lids are drawn."""
HALF = (0.3, 0.75)
"""Closures that count as half closed."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A filmed frame of a blink."""

    frame: int
    closure: float
    """0…1, by the aspect of the eyes."""


@dataclass(frozen=True, slots=True)
class Blink:
    """Frames of one blink."""

    open: int
    stages: tuple[Stage, ...]
    """The closed frame first; then, if there is one, a frame with the lids half closed."""


def track_eyes(video: Path, models: Path) -> NDArray[np.float32]:
    """Return (n, 468, 3) landmarks of the first stretch with a face; raises MediaError."""
    tracker, mesh = FaceTracker(FaceFinder(models)), AttentionMesh(models)
    found = []
    for picture in frames_of(video):
        points = tracker.track(picture)
        found.append(None if points is None else mesh.track(picture, points).points)
    part = longest_stretch(np.array([points is not None for points in found]))
    missing = np.full((468, 3), np.nan, np.float32)
    kept = [missing if points is None else points for points in found]
    outside = np.ones(len(kept), np.bool_)
    outside[part] = False
    landmarks = np.stack(kept)
    landmarks[outside] = np.nan
    return landmarks


def frames_of(video: Path) -> Iterator[NDArray[np.uint8]]:
    """Decode a video; raises MediaError."""
    with open_video(video, fps=FPS, max_side=MAX_SIDE) as opened:
        yield from opened.frames()


def eye_aspects(landmarks: Floats) -> NDArray[np.float64]:
    """(…, 468, 3) to (…, 2): opening of each eye relative to its width."""
    aspects = []
    for upper, lower in EYES:
        rims = landmarks[..., [upper, lower], :2]
        opening = np.linalg.norm(rims[..., 0, 2:7, :] - rims[..., 1, 2:7, :], axis=-1).mean(axis=-1)
        width = np.linalg.norm(rims[..., 0, 0, :] - rims[..., 0, -1, :], axis=-1)
        aspects.append(opening / width)
    return np.stack(aspects, axis=-1)


def find_blinks(landmarks: Floats) -> list[Blink]:
    """Return the blinks of (n, 468, 3) landmarks; frames without a face are NaN."""
    aspects = eye_aspects(landmarks)
    usual = np.nanmedian(aspects, axis=0)
    relative = np.nan_to_num((aspects / usual).max(axis=-1), nan=np.inf)
    closed = relative < CLOSED
    starts = np.flatnonzero(closed & ~np.append(False, closed[:-1]))
    blinks = []
    for start in starts:
        end = start + int(np.argmin(np.append(closed[start:], False)))
        lowest = int(start + relative[start:end].argmin())
        opened = nearest_open(landmarks, relative, lowest)
        if opened is not None:
            blinks.append(Blink(opened, stages_of(relative, lowest, opened)))
    return blinks


def nearest_open(landmarks: Floats, relative: Floats, closed: int) -> int | None:
    """Return the frame with open eyes whose head differs least from that of `closed`."""
    first, last = max(0, closed - REACH), min(len(relative), closed + REACH + 1)
    steady = (relative[first:last] > OPEN) & np.isfinite(relative[first:last])
    stable = list(FACE_MESH.points)
    target = landmarks[closed, stable, :2].astype(np.float64)
    differences = {}
    for frame in (first + np.flatnonzero(steady)).tolist():
        points = landmarks[frame, stable, :2].astype(np.float64)
        off = apply(fit_similarity(points, target), points) - target
        differences[frame] = float(np.linalg.norm(off, axis=-1).mean())
    return min(differences, key=lambda frame: differences[frame], default=None)


def stages_of(relative: Floats, closed: int, opened: int) -> tuple[Stage, ...]:
    """Return the closed frame, and the nearest frame of the same blink with lids half closed."""
    first, last = max(0, closed - 3), min(len(relative), closed + 7)
    span = relative[opened] - relative[closed]
    closures = (relative[opened] - relative[first:last]) / span
    half = np.flatnonzero((closures > HALF[0]) & (closures < HALF[1]))
    stages = [Stage(closed, 1.0)]
    if len(half):
        best = int(half[np.abs(closures[half] - 0.5).argmin()])
        stages.append(Stage(first + best, float(closures[best])))
    return tuple(stages)
