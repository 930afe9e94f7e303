"""The preview shows the analysed frame, faces that the engine drew, and the report of the mouth."""

from pathlib import Path

import cv2
import numpy as np

from tests.warm.portraits import build_portrait, portrait
from warm.engines.viseme.engine import VisemeEngine
from warm.installation import default_face_models
from warm.prepare.preview import with_mouth


def test_the_preview_shows_drawn_faces_on_the_right_and_the_report_below(tmp_path: Path) -> None:
    build = build_portrait(tmp_path, portrait())
    height, width = build.frames.shape[1:3]
    VisemeEngine(default_face_models()).prepare(build)
    shown = with_mouth(np.array(build.frames[0]), build)
    assert np.array_equal(shown[:height, :width], build.frames[0])
    assert shown.shape[0] > height and shown.shape[1] > width
    below = cv2.cvtColor(shown[height:], cv2.COLOR_BGR2GRAY)
    assert below.min() < 100, "no words below the picture"
    assert set(build.spoken) == {"a", "i", "u", "s"}
    assert all((face != build.frames[0]).any() for face in build.spoken.values())


def test_without_faces_and_report_the_picture_stays_as_it_is(tmp_path: Path) -> None:
    build = build_portrait(tmp_path, portrait())
    assert with_mouth(np.array(build.frames[0]), build).shape == build.frames[0].shape
