"""Replacement of the background of a source."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from warm.avatars.recipe import PreparationSettings
from warm.avatars.verdict import Remark
from warm.matting.background import Background, read_background
from warm.matting.matte import Matting

KEPT_FACE = 0.9
"""Least share of a face that must be opaque."""
UNSURE = (
    "The person could not be separated from the background in {share} of the pictures; parts "
    "of the face are missing there. Send a picture with more light, or another background."
)


class Replacement:
    """Replaces the backgrounds of the pictures of one source, in order."""

    def __init__(self, background: Background, models: Path) -> None:
        """`models`: folder of the face models; raises FaceModelError."""
        self._background, self._matting = background, Matting(models)
        self._sized: Background | None = None
        self._pictures = self._unsure = 0

    def replaced(
        self, picture: NDArray[np.uint8], landmarks: NDArray[np.float32]
    ) -> NDArray[np.uint8]:
        """Return a (h, w, 3) BGR picture of the person with these (468, 3) landmarks."""
        if self._sized is None:
            self._sized = self._background.sized(picture.shape[1], picture.shape[0])
        matte = self._matting.matte(picture)
        face = np.zeros(matte.shape, np.uint8)
        hull = cv2.convexHull(np.rint(landmarks[:, :2]).astype(np.int32))
        cv2.fillConvexPoly(face, hull, 1)
        self._pictures += 1
        self._unsure += float(matte[face > 0].mean() if face.any() else 0) < KEPT_FACE
        return self._sized.behind(np.asarray(picture), matte)

    def remarks(self) -> list[Remark]:
        """Return a remark if the person was not found in all pictures."""
        if not self._unsure:
            return []
        share = f"{self._unsure} of {self._pictures}"
        return [Remark("background_unsure", UNSURE.format(share=share), "severe")]


def replacement_of(settings: PreparationSettings, models: Path) -> Replacement | None:
    """Return the replacement that settings ask for, None without one; raises MediaError."""
    if settings.background is None:
        return None
    return Replacement(read_background(settings.background), models)
