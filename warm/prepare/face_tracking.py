"""Tracking of one face through a video: landmarks of every frame, short gaps interpolated."""

import numpy as np
from numpy.typing import NDArray

from warm.avatars.verdict import time_ranges
from warm.face.finder import MIN_MESH_SCORE, DetectedFace, FaceFinder
from warm.face.landmarks import inter_ocular
from warm.media.picture_size import scale_down
from warm.prepare.errors import FaceMissingError, NoFaceError, SmallFaceError
from warm.prepare.progress import FaceObserver, no_observer

MIN_FACE_PX = 64
MAX_GAP_S = 0.5
"""A face may be missing for this long, for example when a hand covers it."""
SEARCH_SIDES = 3.0
"""A lost face is first sought in a square of this many face sides around its last position."""
QUICK_SEARCH_PX = 128
FULL_SEARCH_EVERY = 10
"""While the face is lost, the slow search of the whole picture runs once in this many frames."""
MIN_PART_S, MIN_PART_SHARE = 2.0, 0.5
"""A part of a video is used instead of the whole if it is this long, by either measure."""
CUT_IOD = 1.0
"""A head that moves this far between two frames indicates a cut."""


class FaceTracker:
    """Tracks the largest face from frame to frame. Not thread-safe."""

    def __init__(self, finder: FaceFinder, observer: FaceObserver = no_observer) -> None:
        self._finder = finder
        self._observer = observer
        self._last: NDArray[np.float32] | None = None
        self._frames_lost = 0
        self.faces = 0
        """Number of faces in the frame in which a face was first found."""
        self.evidence: list[float] = []
        """The mesh's evidence of the face in each frame; 0 without a face."""

    def track(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the (468, 3) landmarks in the next (h, w, 3) BGR frame; None without a face."""
        self.evidence.append(0.0)
        points = self._track_from_last(picture)
        if points is None:
            points = self._search(picture)
        self._frames_lost = 0 if points is not None else self._frames_lost + 1
        self._last = points if points is not None else self._last
        if points is not None:
            self._observer(picture, points)
        return points

    def _track_from_last(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        if self._last is None or self._frames_lost:
            return None
        return self._refine(picture, self._last)

    def _search(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        points = None
        if self._last is not None:
            points = self._quick_search(picture, search_box(self._last, picture))
        if points is None:
            points = self._quick_search(picture, (0, 0, picture.shape[1], picture.shape[0]))
        is_first = points is not None and not self.faces
        if is_first or self._frames_lost % FULL_SEARCH_EVERY == 0:
            return self._full_search(picture)
        return points

    def _full_search(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Find the largest face of any size in the whole picture; slow."""
        faces = self._finder.find(picture)
        self.faces = self.faces or len(faces)
        if not faces:
            return None
        mesh = self._nearest(faces).mesh
        self.evidence[-1] = mesh.logit
        return mesh.points

    def _nearest(self, faces: list[DetectedFace]) -> DetectedFace:
        """Return the face nearest to the lost one, the largest one if it is far from all."""
        if self._last is None:
            return faces[0]
        centre, reach = self._last[:, :2].mean(axis=0), SEARCH_SIDES * face_side(self._last)
        distances = [
            np.linalg.norm(face.mesh.points[:, :2].mean(axis=0) - centre) for face in faces
        ]
        nearest = int(np.argmin(distances))
        return faces[nearest if distances[nearest] < reach else 0]

    def _quick_search(
        self, picture: NDArray[np.uint8], xyxy: tuple[int, int, int, int]
    ) -> NDArray[np.float32] | None:
        """Find a face that fills much of one part of the picture; fast."""
        left, top, right, bottom = xyxy
        part = picture[top:bottom, left:right]
        small = scale_down(part, QUICK_SEARCH_PX)
        faces = self._finder.find(small)
        if not faces:
            return None
        guess = faces[0].mesh.points * (part.shape[1] / small.shape[1])
        guess[:, :2] += (left, top)
        return self._refine(picture, guess)

    def _refine(
        self, picture: NDArray[np.uint8], guess: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        """Measure the landmarks near a guess; None if the mesh finds no face there."""
        mesh = self._finder.mesh.track(picture, guess)
        if mesh.score < MIN_MESH_SCORE:
            return None
        self.evidence[-1] = mesh.logit
        return mesh.points


def search_box(
    points: NDArray[np.float32], picture: NDArray[np.uint8]
) -> tuple[int, int, int, int]:
    """Return the xyxy box in which to search for a face last seen at (468, 3) `points`."""
    reach = face_side(points) * SEARCH_SIDES / 2
    size = (picture.shape[1], picture.shape[0])
    centre = np.clip(points[:, :2].mean(axis=0), 0, size)
    low = np.clip(centre - reach, 0, None).astype(int)
    high = np.clip(centre + reach, None, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def face_side(points: NDArray[np.float32]) -> float:
    """Return the longer side of the upright box around (468, 3) landmarks, in pixels."""
    return float(np.ptp(points[:, :2], axis=0).max())


def check_face_size(points: NDArray[np.float32], size: tuple[int, int]) -> None:
    """Raise SmallFaceError if the face is too small in a picture of (width, height) `size`."""
    side = face_side(points)
    if side < MIN_FACE_PX:
        raise SmallFaceError(
            f"The largest face is {side:.0f} px high in a picture used at {size[0]}x{size[1]}; "
            f"at least {MIN_FACE_PX} px are needed. Crop to the face, or send a larger picture."
        )


def fill_gaps(
    measured: list[NDArray[np.float32] | None], fps: int
) -> tuple[slice, NDArray[np.float32]]:
    """Return the frames to keep and their (n, 468, 3) landmarks.

    `measured` holds the landmarks of each frame, None without a face. Short gaps are interpolated
    linearly; gaps at either end are cut off. Of the parts between longer gaps, the longest is kept
    if it makes a good loop by itself. Raises NoFaceError, and FaceMissingError with the times of
    all gaps that are too long.
    """
    has_face = np.array([points is not None for points in measured])
    part = part_with_face(has_face, fps)
    known = part.start + np.flatnonzero(has_face[part])
    keep = slice(int(known[0]), int(known[-1]) + 1)
    landmarks = np.stack([points for points in measured[part] if points is not None])
    return keep, interpolate(known - known[0], landmarks)


def part_with_face(has_face: NDArray[np.bool_], fps: int) -> slice:
    """Return the part to use of (n,) frames; raises NoFaceError or FaceMissingError."""
    if not has_face.any():
        raise NoFaceError(
            f"No face was found in {len(has_face)} frames. Send a video of one person who faces "
            "the camera."
        )
    long = [(a, b) for a, b in find_gaps(has_face) if b - a > MAX_GAP_S * fps]
    is_bridged = np.ones(len(has_face), np.bool_)
    for first, end in long:
        is_bridged[first:end] = False
    part = longest_stretch(is_bridged)
    if long and not is_long_enough(part, len(has_face), fps):
        times = time_ranges([(first / fps, end / fps) for first, end in long])
        raise FaceMissingError(
            f"No face was found at {times}; at most {MAX_GAP_S} s can be bridged. "
            "Cut those parts out."
        )
    return part


def find_gaps(has_face: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, end) frames of every run of False in `has_face` (n,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], has_face, [1]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def longest_stretch(is_usable: NDArray[np.bool_]) -> slice:
    """Return the longest run of True in (n,) flags; the first one if several are as long."""
    runs = find_gaps(~is_usable)
    first, end = max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
    return slice(first, end)


def is_long_enough(part: slice, frames: int, fps: int) -> bool:
    """Return True if a part of a video of `frames` frames makes a good loop by itself."""
    return bool(part.stop - part.start >= min(MIN_PART_S * fps, MIN_PART_SHARE * frames))


def interpolate(known: NDArray[np.intp], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Interpolate linearly to (known[-1] + 1, …) frames from `values` at the `known` frames."""
    at = np.arange(known[-1] + 1)
    after = np.searchsorted(known, at)
    before = np.maximum(after - (known[after] > at), 0)
    span = np.maximum(known[after] - known[before], 1)
    weight = ((at - known[before]) / span).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(values[before] * (1 - weight) + values[after] * weight, np.float32)


def find_cuts(landmarks: NDArray[np.float32]) -> list[int]:
    """Return the frames at which the face of (n, 468, 3) landmarks jumps."""
    centres = landmarks[..., :2].mean(axis=1)
    moved = np.linalg.norm(np.diff(centres, axis=0), axis=-1)
    return [int(i) + 1 for i in np.flatnonzero(moved > CUT_IOD * inter_ocular(landmarks)[1:])]
