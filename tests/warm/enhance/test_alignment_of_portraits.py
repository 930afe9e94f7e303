"""The alignment of a real face, upright and turned, with the landmarks of the face finder."""

import cv2
import numpy as np
import pytest

from tests.warm.portraits import MODELS, portrait, rotation_about_face
from warm.enhance.alignment import FIVE_POINTS, aligned_crop, aligned_transform, five_points
from warm.face.finder import FaceFinder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MODELS.exists(), reason="`make setup` downloads the face models"),
]


def test_a_face_lands_on_the_template_however_it_is_turned() -> None:
    finder = FaceFinder(MODELS)
    upright = portrait()
    for degrees in (0, 25, -40):
        size = (upright.shape[1], upright.shape[0])
        picture = np.asarray(cv2.warpAffine(upright, rotation_about_face(degrees, 0.8), size))
        (face, *_) = finder.find(picture)
        crop = aligned_crop(picture, aligned_transform(five_points(face.mesh.points)))
        (found, *_) = finder.find(crop)
        points = five_points(found.mesh.points)
        assert np.abs(points - FIVE_POINTS).max() < 20, degrees
        assert np.abs(points.mean(axis=0) - FIVE_POINTS.mean(axis=0)).max() < 4, degrees
