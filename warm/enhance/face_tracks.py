"""Tracks of all faces in a film: faces are found, followed between frames, and end at cuts."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from stabilizers.flow import head_motion
from stabilizers.track import FACE_MESH
from warm.enhance.alignment import five_points
from warm.face.detector import Detection, merge_overlapping
from warm.face.finder import MIN_MESH_SCORE, FaceFinder
from warm.face.landmarks import inter_ocular, lip_gap

MAX_FACES = 8
"""Largest number of faces that are followed at the same time."""
SEARCH_EVERY, THOROUGH_EVERY = 10, 50
"""Frames between searches for new faces, and between searches that also find small faces."""
HELD_PICTURES = SEARCH_EVERY + 1
"""Pictures in which a new face is followed back to the frame in which it appeared."""
GRIDS, THOROUGH_GRIDS = (1, 2), (1, 2, 4)
MAX_GAP_S = 0.5
"""A face keeps its track if it is covered for at most this long."""
MIN_EVIDENCE = 10.0
"""Lowest logit of the mesh at which a track begins; frontal faces have 15 to 35."""
SAME_FACE_IOD = 1.0
"""Faces whose centres are closer than this, in eye distances, count as the same."""
MAX_JUMP_IOD = 1.0
"""A face that moves farther than this between two frames counts as lost."""

Landmarks = NDArray[np.float32]
"""(468, 3), pixels of the upright picture."""
Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A face in one frame."""

    frame: int
    stable: NDArray[np.float64]
    """(k, 2) landmarks of the skull."""
    five: NDArray[np.float64]
    """(5, 2) points of the alignment."""
    gap: float
    """Gap between the lips, in eye distances."""
    evidence: float
    motion: NDArray[np.float64]
    """(2, 3) motion of the head from the frame before; NaN if unknown."""


@dataclass(slots=True, eq=False)
class FaceTrack:
    """One face in one shot."""

    sightings: list[Sighting]
    is_from_start: bool
    """The face is visible from the first frame of its shot on; it does not enter later."""
    is_to_end: bool = False
    """The face is visible until the last frame of its shot."""

    @property
    def first(self) -> int:
        """First frame."""
        return self.sightings[0].frame

    @property
    def last(self) -> int:
        """Last frame."""
        return self.sightings[-1].frame

    @property
    def iod(self) -> float:
        """Median eye distance, pixels of the upright picture."""
        return float(np.median([np.linalg.norm(s.five[1] - s.five[0]) for s in self.sightings]))


@dataclass(slots=True, eq=False)
class ActiveFace:
    """A track that may continue, with the state that its next frame needs."""

    track: FaceTrack
    landmarks: Landmarks
    seen: int
    """Frame of these landmarks."""


@dataclass(slots=True, eq=False)
class FaceFollower:
    """Follows all faces of a film. Not thread-safe."""

    finder: FaceFinder
    fps: float
    tracks: list[FaceTrack] = field(default_factory=list)
    too_many: int = 0
    """Detections that were not followed because MAX_FACES were followed already."""
    active: list[ActiveFace] = field(default_factory=list)
    frame: int = -1
    """Number of the last frame."""
    shot: int = 0
    """First frame of the current shot."""
    recent: deque[Picture] = field(default_factory=lambda: deque(maxlen=HELD_PICTURES))
    """Pictures of the shot since the last search, the newest last."""

    def add(self, picture: Picture, *, is_cut: bool) -> None:
        """Follow the faces into the next frame, an (h, w, 3) BGR picture."""
        self.frame += 1
        if is_cut:
            self._end_shot()
        before = self.recent[-1] if self.recent else None
        self.recent.append(picture)
        for face in self.active:
            self._follow(face, before, picture)
        self._drop_lost()
        if self._is_search_due():
            self._search(picture)

    def finish(self) -> list[FaceTrack]:
        """Return the tracks of the whole film, sorted by their first frames."""
        self.frame += 1
        self._end_shot()
        return sorted(self.tracks, key=lambda track: track.first)

    def _follow(self, face: ActiveFace, before: Picture | None, picture: Picture) -> None:
        """Find the face near its last position."""
        mesh = self.finder.mesh.track(picture, face.landmarks)
        if mesh.score < MIN_MESH_SCORE or self._is_elsewhere(face, mesh.points):
            return
        motion = np.full((2, 3), np.nan)
        if before is not None and face.seen == self.frame - 1:
            motion = head_motion(before, picture, face.landmarks, mesh.points, FACE_MESH)
        sighting = sighting_of(self.frame, mesh.points, mesh.logit, motion)
        face.track.sightings.append(sighting)
        face.landmarks, face.seen = mesh.points, self.frame

    def _is_elsewhere(self, face: ActiveFace, points: Landmarks) -> bool:
        """Return True if the mesh has jumped far away or onto another face."""
        frames = self.frame - face.seen
        if distance_iod(face.landmarks, points) > MAX_JUMP_IOD * frames:
            return True
        others = (other for other in self.active if other is not face)
        return any(
            other.seen == self.frame and distance_iod(other.landmarks, points) < SAME_FACE_IOD / 2
            for other in others
        )

    def _drop_lost(self) -> None:
        longest = MAX_GAP_S * self.fps
        self.active = [face for face in self.active if self.frame - face.seen <= longest]

    def _is_search_due(self) -> bool:
        since = self.frame - self.shot
        lost = any(face.seen < self.frame for face in self.active)
        return since % SEARCH_EVERY == 0 or (lost and since % 3 == 0)

    def _search(self, picture: Picture) -> None:
        since = self.frame - self.shot
        grids = THOROUGH_GRIDS if since % THOROUGH_EVERY == 0 else GRIDS
        found = [
            face for grid in grids for face in self.finder.detector.find_in_tiles(picture, grid)
        ]
        for detection in sorted(merge_overlapping(found), key=lambda each: -each.side):
            self._admit(picture, detection)

    def _admit(self, picture: Picture, detection: Detection) -> None:
        """Begin a track of a detected face, unless it is followed already."""
        mesh = self.finder.mesh.at_detection(picture, detection)
        if mesh.logit < MIN_EVIDENCE:
            return
        near = [
            face
            for face in self.active
            if distance_iod(mesh.points, face.landmarks)
            < (SAME_FACE_IOD if face.seen == self.frame else 2 * SAME_FACE_IOD)
        ]
        if near:
            self._resume(near[0], mesh.points, mesh.logit)
        elif len(self.active) < MAX_FACES:
            self._begin(mesh.points, mesh.logit)
        else:
            self.too_many += 1

    def _resume(self, face: ActiveFace, points: Landmarks, evidence: float) -> None:
        """Continue the track of a face that was lost."""
        if face.seen < self.frame:
            unknown = np.full((2, 3), np.nan)
            sighting = sighting_of(self.frame, points, evidence, unknown)
            face.track.sightings.append(sighting)
            face.landmarks, face.seen = points, self.frame

    def _begin(self, points: Landmarks, evidence: float) -> None:
        """Begin a track at the frame in which the face appeared, at most one search ago."""
        faces = [*reversed(self._followed_back(points)), (points, evidence)]
        first = self.frame + 1 - len(faces)
        pictures = list(self.recent)[-len(faces) :]
        motion = np.full((2, 3), np.nan)
        sightings = []
        for index, (place, logit) in enumerate(faces):
            if index:
                before, after = pictures[index - 1], pictures[index]
                motion = head_motion(before, after, faces[index - 1][0], place, FACE_MESH)
            sightings.append(sighting_of(first + index, place, logit, motion))
        track = FaceTrack(sightings, is_from_start=first == self.shot)
        self.tracks.append(track)
        self.active.append(ActiveFace(track, points, self.frame))

    def _followed_back(self, points: Landmarks) -> list[tuple[Landmarks, float]]:
        """Return the landmarks and the evidence of a face before this frame, latest first."""
        found: list[tuple[Landmarks, float]] = []
        last = points
        for back in range(1, len(self.recent)):
            mesh = self.finder.mesh.track(self.recent[-1 - back], last)
            is_same = distance_iod(last, mesh.points) <= MAX_JUMP_IOD
            if mesh.score < MIN_MESH_SCORE or not is_same or self._is_followed(mesh.points, back):
                break
            found.append((mesh.points, mesh.logit))
            last = mesh.points
        return found

    def _is_followed(self, points: Landmarks, back: int) -> bool:
        """Return True if another track has a face at this position."""
        centre, frame = five_points(points).mean(axis=0), self.frame - back
        reach = SAME_FACE_IOD / 2 * float(inter_ocular(points))
        return any(
            sighting.frame == frame
            and float(np.linalg.norm(sighting.five.mean(axis=0) - centre)) < reach
            for track in self.tracks
            for sighting in track.sightings[-SEARCH_EVERY - 1 :]
        )

    def _end_shot(self) -> None:
        for face in self.active:
            face.track.is_to_end = face.seen == self.frame - 1
        self.active, self.shot = [], self.frame
        self.recent.clear()


def sighting_of(
    frame: int, points: Landmarks, evidence: float, motion: NDArray[np.float64]
) -> Sighting:
    """Return the data that a track keeps about a face in one frame."""
    return Sighting(
        frame,
        points[list(FACE_MESH.points), :2].astype(np.float64),
        five_points(points),
        float(lip_gap(points)),
        evidence,
        motion,
    )


def distance_iod(one: Landmarks, other: Landmarks) -> float:
    """Return the distance between two faces in eye distances."""
    between = one[:, :2].mean(axis=0) - other[:, :2].mean(axis=0)
    return float(np.linalg.norm(between) / max(1e-6, float(inter_ocular(other))))
