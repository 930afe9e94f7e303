"""Lids of drawn eyes: what a blink covers, moves, and leaves as it is."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.prepare.idle.drawn_eyes import SKIN, DrawnEyes, Picture, draw_eyes
from warm.prepare.idle.blinks import BROWS, EYES, EyelidPainter

SIDES = (0, 1)


@pytest.fixture(scope="module")
def eyes() -> DrawnEyes:
    return draw_eyes()


@pytest.fixture(scope="module")
def painter(eyes: DrawnEyes) -> EyelidPainter:
    return EyelidPainter(eyes.picture, eyes.landmarks)


@pytest.fixture(scope="module")
def closed(painter: EyelidPainter) -> Picture:
    return painter.paint(1.0)


def light(picture: Picture, eyes: DrawnEyes, side: int, along: float, down: float) -> float:
    """Return the mean brightness around a place of an eye."""
    y, x = eyes.at(side, along, down)
    r = max(1, round(0.02 * eyes.width))
    return float(picture[y - r : y + r + 1, x - r : x + r + 1].mean())


def eye_pixels(picture: Picture, eyes: DrawnEyes) -> int:
    """Return the number of white pixels."""
    return int((picture.min(axis=2) > np.max(SKIN)).sum())


@pytest.mark.parametrize("side", SIDES)
def test_a_closed_lid_has_the_colour_of_the_skin_above_it(
    side: int, eyes: DrawnEyes, closed: Picture
) -> None:
    y, x = eyes.at(side, 0.5, -0.15)
    r = 4
    colour = closed[y - r : y + r, x - r : x + r].mean(axis=(0, 1))
    assert np.abs(colour - SKIN).max() < 14


@pytest.mark.parametrize("side", SIDES)
def test_the_old_lash_line_does_not_stay_above_the_closed_lid(
    side: int, eyes: DrawnEyes, closed: Picture
) -> None:
    for along in (0.3, 0.5, 0.7):
        down = -0.25 * np.sin(np.pi * along)
        assert light(eyes.picture, eyes, side, along, down) < 110
        assert light(closed, eyes, side, along, down) > 0.85 * np.mean(SKIN)


@pytest.mark.parametrize("side", SIDES)
def test_the_lashes_lie_on_the_lower_lid_when_the_eye_is_closed(
    side: int, eyes: DrawnEyes, closed: Picture
) -> None:
    heights = np.linspace(-0.3, 0.3, 61)
    for along in (0.35, 0.5, 0.65):
        darkest = heights[np.argmin([light(closed, eyes, side, along, h) for h in heights])]
        assert 0 < darkest < 0.2
        assert min(light(closed, eyes, side, along, h) for h in heights) < 0.6 * np.mean(SKIN)


def test_the_eye_is_covered_bit_by_bit(eyes: DrawnEyes, painter: EyelidPainter) -> None:
    visible = [eye_pixels(painter.paint(closure), eyes) for closure in (0.0, 0.2, 0.4, 0.6)]
    assert all(later < earlier for earlier, later in pairwise(visible))
    assert eye_pixels(painter.paint(1.0), eyes) == 0


def test_small_closures_change_the_picture_little(eyes: DrawnEyes, painter: EyelidPainter) -> None:
    changes = [
        np.abs(painter.paint(closure).astype(float) - eyes.picture).mean()
        for closure in (0.01, 0.05, 1.0)
    ]
    assert changes[0] < 0.1 * changes[2]
    assert changes[1] < 0.3 * changes[2]


def test_the_brow_and_everything_far_from_the_eyes_stay(eyes: DrawnEyes, closed: Picture) -> None:
    for side in SIDES:
        for x, y in eyes.landmarks[list(BROWS[side]), :2].astype(int):
            assert (closed[: y - 2, x] == eyes.picture[: y - 2, x]).all()
    bottom = eyes.at(0, 0, 0.6)[0]
    assert (closed[bottom:] == eyes.picture[bottom:]).all()


@pytest.mark.parametrize("closure", [0.3, 0.6, 1.0])
def test_no_colour_comes_into_a_grey_picture(closure: float) -> None:
    eyes = draw_eyes(40)
    grey = cv2.cvtColor(cv2.cvtColor(eyes.picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    drawn = EyelidPainter(np.asarray(grey, np.uint8), eyes.landmarks).paint(closure)
    assert (np.ptp(drawn, axis=2) == 0).all()


@pytest.mark.parametrize("light_share", [0.15, 0.5, 1.1])
def test_dark_and_pale_skin_keep_their_colour(light_share: float) -> None:
    b, g, r = (min(245, round(light_share * channel)) for channel in SKIN)
    eyes = draw_eyes(50, skin=(b, g, r), grain=1)
    drawn = EyelidPainter(eyes.picture, eyes.landmarks).paint(1.0)
    y, x = eyes.at(0, 0.5, -0.1)
    colour = drawn[y - 2 : y + 3, x - 4 : x + 5].mean(axis=(0, 1))
    assert np.abs(colour - [b, g, r]).max() < 5 + 0.08 * r


def with_glasses(eyes: DrawnEyes) -> tuple[Picture, NDArray[np.bool_]]:
    """Return the picture with rims and a reflection, and a mask of their pixels."""
    picture = eyes.picture.copy()
    mask = np.zeros(picture.shape[:2], np.uint8)
    for side in SIDES:
        (top, left), (bottom, right) = eyes.at(side, -0.42, -0.42), eyes.at(side, 1.42, 0.55)
        cv2.rectangle(mask, (left, top), (right, bottom), (1,), 3)
    picture[mask > 0] = (20, 25, 30)
    for side in SIDES:
        y, x = eyes.at(side, 0.3, -0.3)
        cv2.line(mask, (x, y), (x + 6, y + 13), (2,), 2)
    picture[mask == 2] = (255, 255, 255)
    return picture, mask > 0


@pytest.mark.parametrize("closure", [0.5, 1.0])
def test_spectacles_and_their_reflections_stay_in_front_of_the_lid(
    closure: float, eyes: DrawnEyes
) -> None:
    picture, glasses = with_glasses(eyes)
    drawn = EyelidPainter(picture, eyes.landmarks).paint(closure)
    change = np.abs(drawn[glasses].astype(int) - picture[glasses])
    assert change.max() < 40
    assert change.mean() < 1
    assert eye_pixels(drawn, eyes) < 0.75 * eye_pixels(picture, eyes)


@pytest.mark.parametrize("quarters", [1, 2])
def test_a_rolled_head_blinks_as_an_upright_one(
    quarters: int, eyes: DrawnEyes, closed: Picture
) -> None:
    height, width = eyes.picture.shape[:2]
    points, (x, y) = eyes.landmarks.copy(), eyes.landmarks[:, :2].T
    for _ in range(quarters):
        x, y, height, width = y, width - 1 - x, width, height
    points[:, 0], points[:, 1] = x, y
    turned = np.ascontiguousarray(np.rot90(eyes.picture, quarters))
    drawn = np.rot90(EyelidPainter(turned, points).paint(1.0), -quarters)
    difference = np.abs(drawn.astype(int) - closed)
    assert difference.mean() < 0.2
    assert np.quantile(difference, 0.99) < 8


@pytest.mark.parametrize("width", [10, 20, 80])
def test_eyes_of_any_size_close(width: float) -> None:
    eyes = draw_eyes(width)
    drawn = EyelidPainter(eyes.picture, eyes.landmarks).paint(1.0)
    assert eye_pixels(drawn, eyes) <= 0.03 * eye_pixels(eyes.picture, eyes)


def test_eyes_that_are_nearly_closed_move_little() -> None:
    eyes = draw_eyes(opening=0.3)
    drawn = EyelidPainter(eyes.picture, eyes.landmarks).paint(1.0)
    for side in SIDES:
        assert abs(light(drawn, eyes, side, 0.5, -0.4) - np.mean(SKIN)) < 12
        heights = np.linspace(-0.1, 0.2, 31)
        assert min(light(drawn, eyes, side, 0.5, h) for h in heights) < 0.65 * np.mean(SKIN)


def test_closed_eyes_do_not_blink() -> None:
    eyes = draw_eyes(opening=0.05)
    painter = EyelidPainter(eyes.picture, eyes.landmarks)
    assert painter.patches(1.0) == []
    assert (painter.paint(1.0) == eyes.picture).all()


def test_dark_glasses_do_not_blink(eyes: DrawnEyes) -> None:
    picture = eyes.picture.copy()
    for side in SIDES:
        (top, left), (bottom, right) = eyes.at(side, -0.4, -0.5), eyes.at(side, 1.4, 0.6)
        corners = sorted((left, right))
        picture[top:bottom, corners[0] : corners[1]] //= 40
    assert EyelidPainter(picture, eyes.landmarks).patches(1.0) == []


def test_the_farther_eye_of_a_turned_head_closes_over_its_old_lash_line(eyes: DrawnEyes) -> None:
    half = eyes.picture.shape[1] // 2
    far = cv2.resize(eyes.picture[:, half:], None, fx=0.5, fy=1, interpolation=cv2.INTER_AREA)
    turned = np.hstack([eyes.picture[:, :half], far]).astype(np.uint8)
    landmarks = eyes.landmarks.copy()
    x = landmarks[:, 0]
    landmarks[:, 0] = np.where(x > half, half + (x - half) / 2, x)
    view = DrawnEyes(turned, landmarks, eyes.width)
    drawn = EyelidPainter(turned, landmarks).paint(1.0)
    assert eye_pixels(drawn, view) == 0
    for along in (0.3, 0.5, 0.7):
        down = -0.25 * np.sin(np.pi * along)
        assert light(drawn, view, 1, along, down) > 0.85 * np.mean(SKIN)


def test_an_eye_that_is_turned_away_is_not_drawn(eyes: DrawnEyes) -> None:
    landmarks = eyes.landmarks.copy()
    far = list({*EYES[1][0], *EYES[1][1]})
    landmarks[far, 0] = landmarks[362, 0] + 0.2 * (landmarks[far, 0] - landmarks[362, 0])
    (patch,) = EyelidPainter(eyes.picture, landmarks).patches(1.0)
    assert patch.xyxy[0] < landmarks[33, 0] < landmarks[133, 0] < patch.xyxy[2]


def test_an_eye_outside_the_picture_is_not_drawn(eyes: DrawnEyes) -> None:
    right_only = np.ascontiguousarray(eyes.picture[:, : round(3.5 * eyes.width)])
    assert len(EyelidPainter(right_only, eyes.landmarks).patches(0.5)) == 1


def test_a_patch_is_transparent_at_its_border(painter: EyelidPainter) -> None:
    patches = painter.patches(1.0)
    assert len(patches) == 2
    for patch in patches:
        border = [patch.mask[0], patch.mask[-1], patch.mask[:, 0], patch.mask[:, -1]]
        assert max(float(line.max()) for line in border) == 0
        assert patch.mask.max() == 1
        assert patch.picture.shape[:2] == patch.mask.shape
