"""Faces of any roll: a search in all four orientations of a picture, and the vote on the result.

The detector finds faces up to 75° from upright. Beyond that it may report an upside-down face as an
upright one, and the mesh then puts a second mouth between nose and eyes. Seen in the right
orientation, and in those a quarter turn from it, the mesh gives the same face far more evidence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from warm.face.detector import GRIDS, overlap
from warm.face.finder import MIN_MESH_SCORE, DetectedFace, FaceFinder
from warm.face.landmarks import roll_deg

SAME_ROLL_DEG = 40.0
"""Sightings of one face agree if their rolls differ by less than this."""
SURE_EVIDENCE = 15.0
"""One sighting of an upright face gives more evidence than this; all sightings together of a
face that is seen only upside down give less."""
MAX_UPRIGHT_ROLL_DEG = 50.0
"""A face that is tilted by less than this stays as it is."""


@dataclass(frozen=True, eq=False)
class RolledFace:
    """One face of one picture, seen in several orientations that agree on its roll."""

    sightings: tuple[DetectedFace, ...]
    """In pixels of the picture; never empty."""

    @cached_property
    def best(self) -> DetectedFace:
        """The sighting with the surest detection."""
        return max(self.sightings, key=lambda face: face.detection.score)

    @property
    def points(self) -> NDArray[np.float32]:
        """(468, 3) landmarks."""
        return self.best.mesh.points

    @property
    def evidence(self) -> float:
        """Sum of the mesh's evidence over the sightings."""
        return sum(max(face.mesh.logit, 0.0) for face in self.sightings)

    @property
    def roll_deg(self) -> float:
        """Clockwise roll, -180…180 degrees."""
        return roll_deg(self.points)

    @property
    def quarters(self) -> int:
        """Anticlockwise quarter turns of the picture that make the face upright, 0…3."""
        return quarters_to_upright(self.roll_deg)


def quarters_to_upright(roll: float) -> int:
    """Return the anticlockwise quarter turns (0…3) that undo a clockwise roll in degrees."""
    return 0 if abs(roll) <= MAX_UPRIGHT_ROLL_DEG else round(roll / 90) % 4


def find_any_roll(finder: FaceFinder, picture: NDArray[np.uint8]) -> list[RolledFace]:
    """Return the faces of a (h, w, 3) BGR picture, however it is turned, the surest first.

    Faces of which there is sure evidence come before all others; then the largest one is first.
    """
    sightings: list[DetectedFace] = []
    faces: list[RolledFace] = []
    for grid in GRIDS:
        sightings += sightings_at(finder, picture, grid)
        faces = vote(sightings)
        if faces and is_sure(faces[0]):
            break
    return faces


def sightings_at(
    finder: FaceFinder, picture: NDArray[np.uint8], grid: int
) -> Iterable[DetectedFace]:
    """Yield what the models see in the four orientations of a picture, in tiles of one size."""
    size = picture.shape[1], picture.shape[0]
    for quarters in range(4):
        turned = np.ascontiguousarray(np.rot90(picture, quarters))
        for detection in finder.detector.find_in_tiles(turned, grid):
            upright = detection.turned_back(quarters, size)
            face = DetectedFace(upright, finder.mesh.at_detection(picture, upright))
            if face.mesh.score >= MIN_MESH_SCORE:
                yield face


def vote(sightings: Iterable[DetectedFace]) -> list[RolledFace]:
    """Return one face for each place in the picture, in the orientation with most evidence."""
    groups: list[list[DetectedFace]] = []
    for sighting in sightings:
        for group in groups:
            if agree(group[0], sighting):
                group.append(sighting)
                break
        else:
            groups.append([sighting])
    found = [RolledFace(tuple(group)) for group in groups]
    faces: list[RolledFace] = []
    for face in sorted(found, key=lambda face: face.evidence, reverse=True):
        if not any(overlaps(face.best, other.best) for other in faces):
            faces.append(face)
    return sorted(faces, key=lambda face: (not is_sure(face), -face.best.detection.side))


def agree(one: DetectedFace, other: DetectedFace) -> bool:
    """Return True if two sightings are of the same face in the same orientation."""
    difference = roll_deg(one.mesh.points) - roll_deg(other.mesh.points)
    return overlaps(one, other) and abs((difference + 180) % 360 - 180) < SAME_ROLL_DEG


def overlaps(one: DetectedFace, other: DetectedFace) -> bool:
    """Return True if two sightings are at the same place."""
    return overlap(one.detection, other.detection) > 0.2


def is_sure(face: RolledFace) -> bool:
    """Return True if the evidence cannot come from a face seen upside down."""
    return face.evidence >= SURE_EVIDENCE
