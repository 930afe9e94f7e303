"""Detection of faces and their landmarks in real pictures."""

from itertools import pairwise
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray

from warm.face.detector import FaceDetector, anchor_centres, tile_starts
from warm.face.finder import FaceFinder
from warm.face.landmarks import MESH_INDEX, eye_centres, inter_ocular, lip_gap, lip_width, to_68
from warm.face.mesh import FaceMesh
from warm.face.models import MESH, FaceModelError, open_model

MODELS = Path(__file__).parents[3] / "models" / "face"


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    picture = cv2.imread(str(Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"))
    assert picture is not None
    return picture


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector(MODELS)


@pytest.fixture(scope="module")
def mesh() -> FaceMesh:
    return FaceMesh(MODELS)


def test_the_one_face_of_the_portrait_is_found(
    portrait: NDArray[np.uint8], detector: FaceDetector
) -> None:
    (face,) = detector.find(portrait)
    left, top, right, bottom = face.xyxy
    assert 150 < left < 185 and 130 < top < 160
    assert 350 < right < 385 and 325 < bottom < 360


def test_the_larger_of_two_faces_comes_first(
    portrait: NDArray[np.uint8], detector: FaceDetector
) -> None:
    small = cv2.resize(portrait, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    wide = np.full((600, 900, 3), 128, np.uint8)
    wide[: small.shape[0], : small.shape[1]] = small
    wide[:, 388:] = portrait
    first, second = detector.find(wide)
    assert first.side > 1.3 * second.side
    assert first.xyxy[0] > 388 > second.xyxy[2]


def test_a_small_face_in_a_large_picture_is_found_in_a_tile(
    portrait: NDArray[np.uint8], detector: FaceDetector
) -> None:
    small = cv2.resize(portrait, (160, 188), interpolation=cv2.INTER_AREA)
    large = np.full((1080, 1920, 3), 90, np.uint8)
    large[700:888, 1500:1660] = small
    (face,) = detector.find(large)
    assert 1500 < face.xyxy[0] < face.xyxy[2] < 1660
    assert 700 < face.xyxy[1] < face.xyxy[3] < 888


@pytest.mark.parametrize("seed", range(5))
def test_no_face_is_found_in_noise(seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = random.integers(0, 255, (300, 400, 3), np.uint8)
    assert FaceFinder(MODELS).find(noise) == []
    assert FaceFinder(MODELS).find(cv2.GaussianBlur(noise, (0, 0), 8)) == []


def test_no_face_is_found_below_the_face_of_the_portrait(portrait: NDArray[np.uint8]) -> None:
    assert FaceFinder(MODELS).find(portrait[400:]) == []


def test_landmarks_are_on_the_eyes_and_lips_of_the_portrait(
    portrait: NDArray[np.uint8], detector: FaceDetector, mesh: FaceMesh
) -> None:
    found = mesh.at_detection(portrait, detector.find(portrait)[0])
    assert found.score > 0.99
    right, left = eye_centres(found.points)
    assert np.allclose(right, (222, 191), atol=6)
    assert np.allclose(left, (310, 188), atol=6)
    assert 80 < inter_ocular(found.points) < 95
    assert lip_gap(found.points) < 0.035
    assert 0.75 < lip_width(found.points) < 0.95


@pytest.mark.parametrize("degrees", [-40, -15, 15, 40])
def test_landmarks_rotate_with_the_picture(
    degrees: float, portrait: NDArray[np.uint8], detector: FaceDetector, mesh: FaceMesh
) -> None:
    turn = cv2.getRotationMatrix2D((266, 240), degrees, 1.0)
    turned = cv2.warpAffine(portrait, turn, (512, 600), borderMode=cv2.BORDER_REPLICATE)
    upright = mesh.at_detection(portrait, detector.find(portrait)[0]).points[:, :2]
    found = mesh.at_detection(turned, detector.find(turned)[0]).points[:, :2]
    error = found - (upright @ turn[:, :2].T + turn[:, 2])
    assert np.sqrt((error**2).sum(axis=1).mean()) < 0.03 * inter_ocular(found)


def test_the_68_points_are_68_different_landmarks() -> None:
    assert len(set(MESH_INDEX.tolist())) == 68
    points = np.arange(468 * 2, dtype=np.float32).reshape(468, 2)
    assert to_68(points)[30].tolist() == points[4].tolist()


def test_the_anchors_cover_the_picture_evenly() -> None:
    anchors = anchor_centres()
    assert anchors.shape == (896, 2)
    assert np.allclose(anchors.mean(axis=0), 0.5)


@pytest.mark.parametrize(("length", "side"), [(100, 128), (128, 128), (1080, 720), (1920, 240)])
def test_tiles_reach_both_ends_and_overlap_by_half(length: int, side: int) -> None:
    starts = tile_starts(length, side)
    assert starts[0] == 0
    assert starts[-1] + side >= length
    assert all(b - a <= side / 2 + 1 for a, b in pairwise(starts))


def test_the_error_for_a_missing_model_names_the_download_command(tmp_path: Path) -> None:
    with pytest.raises(
        FaceModelError, match=r"face_landmark\.tflite is missing.*models face --models"
    ):
        open_model(tmp_path, MESH)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / MESH).write_bytes(b"not a model")
    with pytest.raises(FaceModelError, match="SHA-256"):
        open_model(tmp_path, MESH)
