"""Faces in pictures that are turned by any angle."""

import cv2
import numpy as np
import pytest

from tests.warm.portraits import MODELS, Picture, portrait
from warm.face.finder import FaceFinder
from warm.face.landmarks import eye_centres, lip_gap, turn_back, turned_points
from warm.face.roll import find_any_roll, is_sure, quarters_to_upright


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(MODELS)


def rotated(picture: Picture, degrees: float) -> Picture:
    """Turn a picture clockwise on a canvas that holds all of it."""
    height, width = picture.shape[:2]
    diagonal = round(np.hypot(height, width))
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    turn[:, 2] += (diagonal - width) / 2, (diagonal - height) / 2
    size = diagonal, diagonal
    return np.asarray(cv2.warpAffine(picture, turn, size, borderMode=cv2.BORDER_REPLICATE))


@pytest.mark.parametrize("degrees", [0, 35, 60, 100, 135, 165, 180, 210, 250, 270, 315])
def test_a_face_is_found_with_its_roll_at_any_angle(degrees: int, finder: FaceFinder) -> None:
    (face,) = find_any_roll(finder, rotated(portrait(), degrees))
    assert is_sure(face)
    assert abs((face.roll_deg - degrees + 180) % 360 - 180) < 8
    assert lip_gap(face.points) < 0.05


def test_two_faces_of_different_roll_are_both_found_the_larger_one_first(
    finder: FaceFinder,
) -> None:
    wide = np.full((600, 900, 3), 128, np.uint8)
    small = cv2.resize(portrait(), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    wide[: small.shape[0], : small.shape[1]] = small
    wide[:, 388:] = portrait()[::-1, ::-1]
    first, second = find_any_roll(finder, wide)
    assert abs(first.roll_deg) > 170 and abs(second.roll_deg) < 10
    assert eye_centres(first.points)[:, 0].min() > 388


def test_a_small_face_upside_down_in_a_large_picture_is_found(finder: FaceFinder) -> None:
    small = cv2.resize(portrait(), (160, 188), interpolation=cv2.INTER_AREA)
    large = np.full((1080, 1920, 3), 90, np.uint8)
    large[700:888, 1500:1660] = small[::-1, ::-1]
    (face,) = find_any_roll(finder, large)
    assert abs(face.roll_deg) > 170
    assert 1500 < face.points[:, 0].min() < face.points[:, 0].max() < 1660


def test_nothing_is_found_in_noise_however_it_is_turned(finder: FaceFinder) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 240, 3), np.uint8)
    assert find_any_roll(finder, noise) == []


@pytest.mark.parametrize(
    ("roll", "quarters"),
    [(0, 0), (-48, 0), (50, 0), (55, 1), (90, 1), (134, 1), (180, 2), (-180, 2), (-90, 3)],
)
def test_a_tilted_head_stays_and_others_are_turned_by_quarters(roll: float, quarters: int) -> None:
    assert quarters_to_upright(roll) == quarters


@pytest.mark.parametrize("quarters", range(4))
def test_points_follow_a_picture_through_quarter_turns(quarters: int) -> None:
    picture = np.arange(35).reshape(5, 7)
    points = np.array([[0, 0, 1], [6, 4, 2], [3, 1, 3]], np.float32)
    moved = turned_points(points, quarters, (7, 5))
    turned = np.rot90(picture, quarters)
    for (x, y, _), (new_x, new_y, _) in zip(points.astype(int), moved.astype(int), strict=True):
        assert turned[new_y, new_x] == picture[y, x]
    assert np.array_equal(turn_back(moved[:, :2], quarters, (7, 5)), points[:, :2])
    assert np.array_equal(moved[:, 2], points[:, 2])
