"""One face followed through a video: measured landmarks of each frame, gaps bridged or refused."""

import numpy as np
from numpy.typing import NDArray

from warm.face.finder import MIN_MESH_SCORE, FaceFinder
from warm.face.landmarks import inter_ocular
from warm.media.scaling import scale_down
from warm.prepare.errors import FaceMissingError, NoFaceError, SmallFaceError

MIN_FACE_PX = 64
BRIDGE_S = 0.5
"""The face may be away for this long: a hand before it, a look aside."""
NEAR_SIDES = 3.0
"""A lost face is looked for in a square of this many face sides, around where it was."""
GLIMPSE_PX = 128
SURVEY_EVERY = 10
"""While the face is lost, every so many frames the whole picture is searched, which is slow."""
JUMP_IOD = 1.0
"""No head moves this far between two frames: a cut."""


class FaceTracker:
    """Follows the largest face from frame to frame. Not thread-safe."""

    def __init__(self, finder: FaceFinder) -> None:
        self._finder = finder
        self._last: NDArray[np.float32] | None = None
        self._lost = 0
        self.faces = 0
        """How many faces there were when the first was found."""

    def see(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """(468, 3) landmarks in the next (h, w, 3) BGR frame; None while there is no face."""
        points = self._again(picture)
        if points is None:
            points = self._search(picture)
        self._lost = 0 if points is not None else self._lost + 1
        self._last = points if points is not None else self._last
        return points

    def _again(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        if self._last is None or self._lost:
            return None
        mesh = self._finder.mesh.track(picture, self._last)
        return mesh.points if mesh.score >= MIN_MESH_SCORE else None

    def _search(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        points = None if self._last is None else self._glimpse(picture, near(self._last, picture))
        if points is None:
            points = self._glimpse(picture, (0, 0, picture.shape[1], picture.shape[0]))
        if (points is not None and not self.faces) or self._lost % SURVEY_EVERY == 0:
            return self._survey(picture)
        return points

    def _survey(self, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """The largest face anywhere in the picture, at any size; slow."""
        faces = self._finder.find(picture)
        self.faces = self.faces or len(faces)
        return faces[0].mesh.points if faces else None

    def _glimpse(
        self, picture: NDArray[np.uint8], xyxy: tuple[int, int, int, int]
    ) -> NDArray[np.float32] | None:
        """A face that is large in one part of the picture; quick."""
        left, top, right, bottom = xyxy
        part = picture[top:bottom, left:right]
        small = scale_down(part, GLIMPSE_PX)
        faces = self._finder.find(small)
        if not faces:
            return None
        guess = faces[0].mesh.points * (part.shape[1] / small.shape[1])
        guess[:, :2] += (left, top)
        mesh = self._finder.mesh.track(picture, guess)
        return mesh.points if mesh.score >= MIN_MESH_SCORE else None


def near(points: NDArray[np.float32], picture: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """xyxy of the part of a picture in which a face that was at `points` is looked for."""
    reach = face_side(points) * NEAR_SIDES / 2
    size = (picture.shape[1], picture.shape[0])
    centre = np.clip(points[:, :2].mean(axis=0), 0, size)
    low = np.clip(centre - reach, 0, None).astype(int)
    high = np.clip(centre + reach, None, size).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def face_side(points: NDArray[np.float32]) -> float:
    """Longer side of the upright box around (468, 3) landmarks, pixels."""
    return float(np.ptp(points[:, :2], axis=0).max())


def check_face_size(points: NDArray[np.float32], size: tuple[int, int]) -> None:
    """Raise SmallFaceError for a face that is too small in a picture of (width, height) `size`."""
    side = face_side(points)
    if side < MIN_FACE_PX:
        raise SmallFaceError(
            f"The largest face is {side:.0f} px high in a picture used at {size[0]}x{size[1]}; "
            f"at least {MIN_FACE_PX} px are needed. Crop to the face, or send a larger picture."
        )


def bridged(seen: list[NDArray[np.float32] | None], fps: int) -> tuple[slice, NDArray[np.float32]]:
    """Which frames to keep and their (n, 468, 3) landmarks, from what was seen in each frame.

    Short absences are bridged by straight lines, and cut off at either end. Raises NoFaceError,
    and FaceMissingError with the times of all absences that are too long.
    """
    present = np.array([points is not None for points in seen])
    if not present.any():
        raise NoFaceError(
            f"No face was found in {len(seen)} frames. Send a video of one person who faces the "
            "camera."
        )
    long = [(a, b) for a, b in absences(present) if b - a > BRIDGE_S * fps]
    if long:
        times = ", ".join(f"{a / fps:.2f}-{b / fps:.2f} s" for a, b in long)
        raise FaceMissingError(
            f"No face is seen at {times}; at most {BRIDGE_S} s can be bridged. Cut those parts out."
        )
    known = np.flatnonzero(present)
    keep = slice(int(known[0]), int(known[-1]) + 1)
    measured = np.stack([points for points in seen if points is not None])
    return keep, interpolated(known - known[0], measured)


def absences(present: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, end) frames of each stretch in which `present` (n,) is False."""
    edges = np.flatnonzero(np.diff(np.concatenate([[1], present, [1]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def interpolated(known: NDArray[np.intp], measured: NDArray[np.float32]) -> NDArray[np.float32]:
    """(known[-1] + 1, …) values on every frame, straight lines between the `known` ones."""
    at = np.arange(known[-1] + 1)
    after = np.searchsorted(known, at)
    before = np.maximum(after - (known[after] > at), 0)
    span = np.maximum(known[after] - known[before], 1)
    weight = ((at - known[before]) / span).reshape(-1, *[1] * (measured.ndim - 1))
    return np.asarray(measured[before] * (1 - weight) + measured[after] * weight, np.float32)


def cuts(landmarks: NDArray[np.float32]) -> list[int]:
    """Frames at which the face of (n, 468, 3) landmarks is somewhere else than the frame before."""
    centres = landmarks[..., :2].mean(axis=1)
    moved = np.linalg.norm(np.diff(centres, axis=0), axis=-1)
    return [int(i) + 1 for i in np.flatnonzero(moved > JUMP_IOD * inter_ocular(landmarks)[1:])]
