"""Film of an action: its frames, and the face in each of them."""

from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from warm.media.isolated_pictures import IsolatedVideo, open_isolated_video
from warm.prepare.action.errors import ActionFaceError, ActionLengthError
from warm.prepare.action.job import ActionJob
from warm.prepare.face_checks import FAR_TURNED_DEG, yaw_deg
from warm.prepare.face_tracking import FaceTracker, find_gaps, interpolate
from warm.prepare.source import map_ahead, write_through
from warm.prepare.upright import all_turned, find_turn

MIN_S, MAX_S = 0.8, 20.0
"""Shortest and longest action. Both ends are glides of a quarter of a second or more."""
END_S = 0.24
"""The face must be in view for this long at both ends."""
MIN_RUN_S = 0.2
"""A face that is found for a shorter time, between two gaps, counts as missing."""
FILMED = "action.npy"
"""File of the frames as decoded, until the action is prepared."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFilm:
    """A film and the landmarks of its face."""

    frames: NDArray[np.uint8]
    """(n, h, w, 3) BGR memory map, upright, at the avatar's frame rate."""
    landmarks: NDArray[np.float32]
    """(n, 468, 3) as measured frame by frame; interpolated where there is no face."""
    has_face: NDArray[np.bool_]
    """(n,) False where no face was found, or where it is turned far away."""
    evidence: NDArray[np.float64]
    """(n,) the mesh's evidence of a face."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.frames.shape[2], self.frames.shape[1]


def track_film(job: ActionJob) -> TrackedFilm:
    """Decode the film of an action into a temporary file, and find its face in every frame.

    Raises MediaError, ActionLengthError and ActionFaceError.
    """
    source, settings = job.source.path, job.settings
    quarters = find_turn(source, job.finder, settings)
    tracker = FaceTracker(job.finder, job.observer)
    path, most = job.scratch / FILMED, int(MAX_S * job.fps)
    measured: list[NDArray[np.float32] | None] = []
    with open_isolated_video(source, fps=job.fps, max_side=settings.max_side) as video:
        check_announced(job.name, video)
        total = most if video.announced_s is None else round(video.announced_s * job.fps)
        pictures = all_turned(islice(video.frames(), most + 1), quarters)
        for points in map_ahead(tracker.track, write_through(pictures, path)):
            measured.append(points)
            job.progress("reading", len(measured), total)
    check_length(job.name, len(measured), job.fps)
    has_face = faces_of(measured, job.fps)
    check_ends(job.name, has_face, job.fps)
    known = np.flatnonzero([points is not None for points in measured])
    landmarks = interpolate(known, np.stack([points for points in measured if points is not None]))
    frames = np.load(path, mmap_mode="r", allow_pickle=False)
    return TrackedFilm(frames, landmarks, has_face, np.array(tracker.evidence))


def check_announced(name: str, video: IsolatedVideo) -> None:
    """Raise ActionLengthError if the container states a length that is too large."""
    if video.announced_s is not None and video.announced_s > MAX_S + 0.5:
        raise too_long(name, f"is {float(video.announced_s):.1f} s long")


def check_length(name: str, frames: int, fps: int) -> None:
    """Raise ActionLengthError unless the number of frames is within the limits."""
    if frames > MAX_S * fps:
        raise too_long(name, f"is longer than {MAX_S:g} s")
    if frames < MIN_S * fps:
        raise ActionLengthError(
            name, f"is {frames / fps:.2f} s long; at least {MIN_S} s are needed. Send more of it."
        )


def too_long(name: str, fault: str) -> ActionLengthError:
    """Return the error of a film that is too long."""
    return ActionLengthError(name, f"{fault}; at most {MAX_S:g} s are allowed. Cut it.")


def faces_of(measured: list[NDArray[np.float32] | None], fps: int) -> NDArray[np.bool_]:
    """Return (n,) True where a face was found that shows its mouth, for long enough."""
    seen = np.array(
        [points is not None and abs(yaw_deg(points)) < FAR_TURNED_DEG for points in measured]
    )
    for first, end in find_gaps(~seen):
        if end - first < MIN_RUN_S * fps:
            seen[first:end] = False
    return seen


def check_ends(name: str, has_face: NDArray[np.bool_], fps: int) -> None:
    """Raise ActionFaceError unless the face is in view at both ends of (n,) frames."""
    if not has_face.any():
        raise ActionFaceError(
            name, "shows no face. Send a video of the avatar's person, who faces the camera."
        )
    need = round(END_S * fps)
    ends = {"begin": has_face[:need], "end": has_face[-need:]}
    missing = [word for word, part in ends.items() if not part.all()]
    if missing:
        known = np.flatnonzero(has_face) / fps
        raise ActionFaceError(
            name,
            f"does not {' and '.join(missing)} with the face in view: it is seen from "
            f"{known[0]:.2f} s to {known[-1] + 1 / fps:.2f} s of {len(has_face) / fps:.2f} s. Cut "
            f"the video so that the first and the last {END_S} s show the face from the front.",
        )
