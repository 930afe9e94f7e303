"""The face meshes that measure films: the product's own and an independent one."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stabilizers.similarity import apply, fit_similarity, invert
from warm.face.attention_mesh import AttentionMesh
from warm.face.landmarks import eye_centres
from warm.face.mesh import FaceMesh, Mesh

PLAIN, ATTENTION = "plain", "attention"
CORNERS = (61, 291)
EYES = np.array([[-0.5, 0.0], [0.5, 0.0]])
"""Centres of the eyes in the face's own coordinates, in IOD."""


class Ruler(Protocol):
    """A face mesh."""

    def track(self, picture: NDArray[np.uint8], points: NDArray[np.float32]) -> Mesh:
        """Return the landmarks of a face that is near (468, 3) `points`."""
        ...


def open_rulers(models: Path) -> dict[str, Ruler]:
    """Return the meshes by name."""
    return {PLAIN: FaceMesh(models), ATTENTION: AttentionMesh(models)}


def corners_in_face(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, 468, 3) to (n, 2, 2): the mouth's corners in IOD, relative to the eyes."""
    rows = []
    for points in landmarks:
        to_picture = fit_similarity(EYES, eye_centres(points))
        rows.append(apply(invert(to_picture), points[list(CORNERS), :2].astype(np.float64)))
    return np.stack(rows)
