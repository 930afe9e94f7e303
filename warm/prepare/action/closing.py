"""Frames of an action with their mouth closed, where it is visible.

Frames of the avatar's loop, whose mouth is closed, join the film as references: the closed lips are
then those of the loop, and a covered mouth is recognised even if it is covered most of the time.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from stabilizers.track import track_face
from warm.avatars.avatar import AvatarBuild
from warm.face.finder import FaceFinder
from warm.prepare.action.job import ActionJob
from warm.prepare.action.placement import Placement
from warm.prepare.action.tracked_film import TrackedFilm
from warm.prepare.arrays import FrameFile, allocate
from warm.prepare.background import replacement_of
from warm.prepare.face_tracking import find_gaps, interpolate
from warm.prepare.idle.close_video import MouthCloser
from warm.prepare.idle.lower_face import LIPS
from warm.prepare.mouth_cover import find_covered, with_margin
from warm.prepare.source import CROP

PLACED, JOINED, CLOSED = "placed.npy", "joined.npy", "closed.npy"
"""Temporary files: frames in the avatar's framing; the same and references; the closed ones."""
REFERENCES = 48
"""Frames of the loop that are added: consecutive ones."""
PAD = 24
"""Mirrored frames between the film and the references, so that smoothing does not mix the two."""
FADE_FRAMES = 4
"""A drawn mouth fades over this many frames before and after it is hidden."""

Real = TypeVar("Real", np.float32, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class ClosedFilm:
    """An action in the avatar's framing."""

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR with a closed mouth where it is visible; elsewhere as filmed."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3)."""
    transforms: NDArray[np.float64]
    """(n, 2, 3) canonical crop to frame."""
    mouth_shares: NDArray[np.float32]
    """(n,) opacity of a drawn mouth."""


def close_film(film: TrackedFilm, placement: Placement, job: ActionJob) -> ClosedFilm:
    """Bring a film into the avatar's framing, follow its head, and close its mouth."""
    count, build = len(film.frames), job.build
    references = slice(0, min(job.loop, REFERENCES))
    own = placement.points(film.landmarks)
    frames = write_placed(film, placement, own, job)
    steady = steady_track(frames[:count], own, film.has_face, job)
    landmarks = with_references(own, build.landmarks[references])
    transforms = with_references(steady, build.transforms[references])
    evidence = with_references(film.evidence, loop_evidence(build, references, job.finder))
    shares = mouth_shares(visible_mouths(frames, landmarks, evidence, film.has_face))
    unusable = np.zeros(len(frames), np.bool_)
    unusable[: len(frames) - references.stop] = True  # the mirrored frames add nothing
    unusable[:count] = shares == 0
    closer = MouthCloser(frames, landmarks, transforms, unusable)
    closed = write_closed(frames[:count], closer, shares, job)
    closed_landmarks = closer.closed_landmarks(landmarks, transforms)[:count]
    return ClosedFilm(closed, closed_landmarks, steady, shares)


def write_closed(
    frames: NDArray[np.uint8], closer: MouthCloser, shares: NDArray[np.float32], job: ActionJob
) -> NDArray[np.uint8]:
    """Write frames with the mouth closed; return their memory map."""
    closed = allocate(job.scratch / CLOSED, frames.shape)
    for index, share in enumerate(shares):
        closed[index] = mixed_frame(frames[index], closer, index, float(share))
        job.progress("closing", index + 1, len(frames))
    return closed


def mixed_frame(
    filmed: NDArray[np.uint8], closer: MouthCloser, index: int, share: float
) -> NDArray[np.uint8]:
    """Return a frame with a share of the closed mouth."""
    if share <= 0:
        return filmed
    closed = closer.close_frame(index)
    if share >= 1:
        return closed
    return np.asarray(cv2.addWeighted(closed, share, np.array(filmed), 1 - share, 0), np.uint8)


def write_placed(
    film: TrackedFilm, placement: Placement, landmarks: NDArray[np.float32], job: ActionJob
) -> NDArray[np.uint8]:
    """Write the placed frames, mirrored ones and the references; return their memory map.

    landmarks: (n, 468, 3) in the avatar's framing. The background is that of the avatar.
    """
    replacement = replacement_of(job.settings, job.finder.models)
    path, count = job.scratch / PLACED, len(film.frames)
    with FrameFile(path) as file:
        for frame, points in zip(film.frames, landmarks, strict=True):
            placed = placement.picture(frame)
            file.append(replacement.replaced(placed, points) if replacement else placed)
    placed_frames = np.load(path, mmap_mode="r", allow_pickle=False)
    with FrameFile(job.scratch / JOINED) as file:
        for index in (*range(count), *mirrored(count)):
            file.append(np.array(placed_frames[index]))
        for frame in job.build.frames[: min(job.loop, REFERENCES)]:
            file.append(np.array(frame))
    return np.asarray(np.load(job.scratch / JOINED, mmap_mode="r", allow_pickle=False))


def mirrored(count: int) -> range:
    """Return the frames of a film that follow its end in mirror order."""
    return range(count - 1, max(-1, count - 1 - PAD), -1)


def with_references(own: NDArray[Real], references: NDArray[Real]) -> NDArray[Real]:
    """Return rows of a film, mirrored ones, and those of the references."""
    rows = np.concatenate([own, own[list(mirrored(len(own)))], references])
    return np.asarray(rows, own.dtype)


def loop_evidence(build: AvatarBuild, references: slice, finder: FaceFinder) -> NDArray[np.float64]:
    """Return the mesh's evidence of a face in the references."""
    pairs = zip(build.frames[references], build.landmarks[references], strict=True)
    return np.array([finder.mesh.track(np.array(frame), points).logit for frame, points in pairs])


def visible_mouths(
    frames: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    evidence: NDArray[np.float64],
    has_face: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return (n,) True for the frames of the film whose mouth is in view, and near no hidden one.

    The first n of the frames are the film's.
    """
    count = len(has_face)
    covered = with_margin(find_covered(frames, landmarks, evidence)[:count] | ~has_face)
    lips = landmarks[:count, list(LIPS), :2]
    height, width = frames.shape[1:3]
    inside = ((lips >= 0) & (lips <= np.array([width - 1, height - 1]))).all(axis=(1, 2))
    return np.asarray(~covered & inside)


def mouth_shares(visible: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return (n,) opacities of a drawn mouth: it fades near frames that do not show it."""
    if visible.all():
        return np.ones(len(visible), np.float32)
    distance = np.asarray(distance_transform_edt(visible), np.float64)
    return np.clip(distance / FADE_FRAMES, 0, 1).astype(np.float32)


def steady_track(
    frames: NDArray[np.uint8],
    landmarks: NDArray[np.float32],
    has_face: NDArray[np.bool_],
    job: ActionJob,
) -> NDArray[np.float64]:
    """Return (n, 2, 3) stabilized face transforms; interpolated where there is no face."""
    known, rows = list[int](), list[NDArray[np.float64]]()
    for first, end in find_gaps(~has_face):
        part, settings = slice(first, end), job.settings
        track = track_face(
            frames[part], landmarks[part], CROP, fps=job.fps, settings=settings.track
        )
        known += range(first, end)
        rows += list(track.transforms)
        job.progress("stabilizing", end, len(frames))
    found = interpolate(np.array(known), np.stack(rows).astype(np.float32))
    steady = np.asarray(found, np.float64)
    steady[known] = rows
    return steady
