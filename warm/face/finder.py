"""Face finder: the detector and the mesh together, without false detections."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from warm.face.attention_mesh import AttentionMesh
from warm.face.detector import Detection, FaceDetector
from warm.face.mesh import FaceMesh, Mesh

MIN_MESH_SCORE = 0.5
"""The mesh scores a crop without a face lower; BlazeFace has false detections in small tiles."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFace:
    """One face of one picture."""

    detection: Detection
    mesh: Mesh


class FaceFinder:
    """Finds the faces of a picture with their landmarks. Not thread-safe."""

    def __init__(self, models: Path) -> None:
        self.models = models
        """Folder of the face models."""
        self.detector = FaceDetector(models)
        self.mesh = FaceMesh(models)

    @cached_property
    def attention_mesh(self) -> AttentionMesh:
        """The mesh that refines lips and eyes; opened when it is first needed."""
        return AttentionMesh(self.models)

    def find(self, picture: NDArray[np.uint8]) -> list[DetectedFace]:
        """Return the faces of a (h, w, 3) BGR picture, the largest first."""
        faces = [
            DetectedFace(detection, self.mesh.at_detection(picture, detection))
            for detection in self.detector.find(picture)
        ]
        return [face for face in faces if face.mesh.score >= MIN_MESH_SCORE]
