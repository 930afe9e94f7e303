"""Tests of the alignment of faces, without reference data."""

import numpy as np
import pytest

from warm.enhance.alignment import (
    BORDER_BGR,
    FIVE_POINTS,
    TEMPLATE_SIZE,
    aligned_crop,
    aligned_transform,
    five_points,
    inverse,
)
from warm.enhance.errors import BadCrops, DegenerateFace
from warm.enhance.restorer import check_crops


def moved(
    points: np.ndarray, scale: float, degrees: float, shift: tuple[float, float]
) -> np.ndarray:
    """Points after a similarity transform."""
    turn = np.radians(degrees)
    matrix = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ matrix.T + shift


def landed(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Points after a (2, 3) transform."""
    return np.asarray(points @ transform[:, :2].T + transform[:, 2])


@pytest.mark.parametrize("size", [64, 512, 1024])
@pytest.mark.parametrize("degrees", [-170.0, -12.5, 0.0, 33.0, 95.0])
def test_a_face_that_is_the_template_moved_lands_exactly_on_the_template(
    degrees: float, size: int
) -> None:
    points = moved(FIVE_POINTS, 0.31, degrees, (40.5, -7.25))
    transform = aligned_transform(points, size)
    assert np.allclose(landed(points, transform), FIVE_POINTS * size / TEMPLATE_SIZE, atol=1e-9)


def test_the_transform_is_the_least_squares_similarity_over_all_five_points() -> None:
    points = moved(FIVE_POINTS, 0.4, 8.0, (100.0, 60.0))
    points[4] += (9.0, -14.0)
    rows = [row for x, y in points for row in ((x, -y, 1, 0), (y, x, 0, 1))]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), FIVE_POINTS.ravel(), rcond=None)[0]
    assert np.allclose(aligned_transform(points), [[a, -b, tx], [b, a, ty]], rtol=1e-9)


def test_a_small_movement_of_one_point_moves_the_crop_a_little() -> None:
    points = moved(FIVE_POINTS, 0.4, 8.0, (100.0, 60.0))
    points[4] += (9.0, -14.0)
    before = landed(FIVE_POINTS, inverse(aligned_transform(points)))
    for _ in range(40):
        points[4, 0] += 0.1
        now = landed(FIVE_POINTS, inverse(aligned_transform(points)))
        assert np.abs(now - before).max() < 0.15
        before = now


def test_inverse_leads_from_the_crop_back_to_the_frame() -> None:
    points = moved(FIVE_POINTS, 0.7, -20.0, (12.0, 30.0))
    back = inverse(aligned_transform(points))
    assert np.allclose(landed(FIVE_POINTS, back), points, atol=1e-9)


def test_five_points_are_eyes_nose_and_mouth_with_the_left_of_the_picture_first() -> None:
    landmarks = np.zeros((2, 468, 3), np.float32)
    eyes = {33: (10, 20), 133: (30, 22), 362: (50, 24), 263: (70, 26)}
    for index, place in (eyes | {1: (40, 53), 4: (40, 47), 61: (20, 80), 291: (60, 82)}).items():
        landmarks[:, index, :2] = place
    expected = [(20, 21), (60, 25), (40, 50), (20, 80), (60, 82)]
    assert np.array_equal(five_points(landmarks), [expected, expected])


@pytest.mark.parametrize(
    "points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.zeros((4, 2)), np.zeros((5, 3))]
)
def test_points_that_do_not_form_a_face_are_refused(points: np.ndarray) -> None:
    with pytest.raises(DegenerateFace, match="points"):
        aligned_transform(points)


def test_a_crop_beyond_the_frame_shows_the_border_of_the_training() -> None:
    frame = np.full((100, 100, 3), 200, np.uint8)
    crop = aligned_crop(frame, np.array([[1.0, 0.0, 30.0], [0.0, 1.0, 30.0]]), 64)
    assert tuple(crop[0, 0]) == BORDER_BGR
    assert tuple(crop[60, 60]) == (200, 200, 200)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((1, 64, 64, 4), np.uint8),
        np.zeros((1, 64, 32, 3), np.uint8),
        np.zeros((1, 64, 64, 3), np.float32),
    ],
)
def test_crops_of_another_shape_or_type_are_refused(crops: np.ndarray) -> None:
    with pytest.raises(BadCrops, match=r"expected \(n, 64, 64, 3\) uint8"):
        check_crops(crops, 64)
