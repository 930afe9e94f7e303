"""Tracking of the speaker: the largest face of a shot, and other faces next to it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warm.face.detector import merge_overlapping
from warm.face.finder import DetectedFace, FaceFinder
from warm.face.mesh import Mesh

DETECT_EVERY = 12
"""Frames between two searches for other faces, and for one that has replaced the speaker's."""
SEARCH_EVERY = 3
"""Frames between two searches while there is no face."""
GRIDS = (1, 2)
"""Tiles of the detector: whole picture, and two along the shorter side. A face of 200 pixels in a
picture of 1920 is found."""
MIN_EVIDENCE = 8.0
"""Objects and animals give less evidence of a face than this. Folds of a curtain that the detector
takes for a second face reach 4; faces in talking videos have at least 18."""
JUMP_SIDES = 0.35
"""A face that moves farther than this between two frames, in sides of it, is another one."""
SAME_FACE_SIDES = 0.5
"""Faces whose centres are closer than this, in sides of the face, are one."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """The speaker's face in one frame."""

    mesh: NDArray[np.float32]
    """(468, 3) landmarks, lips and eyes refined."""
    evidence: float
    other: float
    """Size of the largest other face, relative to this one; 0 without one."""
    is_new: bool
    """True if it may be another face than in the frame before."""


class SpeakerTracker:
    """Follows one face from frame to frame. Not thread-safe."""

    def __init__(self, models: Path) -> None:
        """Open the face models in a folder; raises FaceModelError."""
        self._finder = FaceFinder(models)
        self._last: NDArray[np.float32] | None = None
        self._other = 0.0
        self._frame = -1
        self._searched = -DETECT_EVERY

    def track(self, picture: NDArray[np.uint8], *, is_cut: bool) -> Sighting | None:
        """Return the face in the next (h, w, 3) BGR frame; None without one."""
        self._frame += 1
        if is_cut:
            self._last = None
        before = self._last
        mesh = None if before is None else self._refined(picture, before)
        if mesh is not None and is_jump(before, mesh.points):
            mesh = None
        since = self._frame - self._searched
        if since >= (SEARCH_EVERY if mesh is None and not is_cut else DETECT_EVERY) or is_cut:
            mesh = self._search(picture, mesh)
        self._last = None if mesh is None else mesh.points
        if mesh is None:
            return None
        is_new = before is None or is_jump(before, mesh.points)
        return Sighting(mesh.points, mesh.logit, self._other, is_new)

    def _refined(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Mesh | None:
        mesh = self._finder.attention_mesh.track(picture, points)
        return mesh if mesh.logit >= MIN_EVIDENCE else None

    def _search(self, picture: NDArray[np.uint8], tracked: Mesh | None) -> Mesh | None:
        """Look for all faces; return the tracked one, or the largest."""
        self._searched = self._frame
        faces = find_faces(self._finder, picture)
        if tracked is None and faces:
            tracked = self._refined(picture, faces[0].mesh.points)
        if tracked is None:
            self._other = 0.0
            return None
        centre, side = centre_and_side(tracked.points)
        others = [centre_and_side(face.mesh.points) for face in faces]
        self._other = max(
            (size / side for at, size in others if distance(at, centre) > SAME_FACE_SIDES * side),
            default=0.0,
        )
        return tracked


def find_faces(finder: FaceFinder, picture: NDArray[np.uint8]) -> list[DetectedFace]:
    """Return all faces of a frame that are not tiny, the largest first."""
    found = merge_overlapping(
        [face for grid in GRIDS for face in finder.detector.find_in_tiles(picture, grid)]
    )
    faces = [DetectedFace(each, finder.mesh.at_detection(picture, each)) for each in found]
    sure = [face for face in faces if face.mesh.logit >= MIN_EVIDENCE]
    return sorted(sure, key=lambda face: centre_and_side(face.mesh.points)[1], reverse=True)


def centre_and_side(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Return the centre of (468, 3) landmarks, and the longer side of their box."""
    flat = points[:, :2]
    return flat.mean(axis=0), float(np.ptp(flat, axis=0).max())


def distance(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the distance of two points."""
    return float(np.linalg.norm(one - other))


def is_jump(before: NDArray[np.float32] | None, after: NDArray[np.float32]) -> bool:
    """Return True if two meshes are too far apart for one face in neighbouring frames."""
    if before is None:
        return False
    (was_at, _), (is_at, side) = centre_and_side(before), centre_and_side(after)
    return distance(was_at, is_at) > JUMP_SIDES * side
