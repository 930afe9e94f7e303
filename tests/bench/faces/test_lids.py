"""Drawn against filmed lids: blinks are found, frames aligned, and gains reported."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.lids import command
from bench.faces.lids.blink_finder import Blink, Stage, eye_aspects, find_blinks
from bench.faces.lids.command import DRAWN, FLAT, NONE, Trial, blink_trials, figures
from bench.faces.lids.eye_comparison import EyeComparison, compare_eye
from bench.faces.lids.flat_lids import FlatLids
from bench.faces.lids.lids_sheet import write_sheet
from stabilizers.track import FACE_MESH
from tests.warm.prepare.idle.drawn_eyes import DrawnEyes, draw_eyes
from warm.prepare.idle.blinks import EYES, EyelidPainter

FRAMES = 60


@pytest.fixture(scope="module")
def eyes() -> DrawnEyes:
    """Eyes whose cheeks have a pattern, so that frames can be aligned."""
    eyes = draw_eyes(30, grain=0)
    noise = np.random.default_rng(2).normal(0, 60, eyes.picture.shape[:2]).astype(np.float32)
    pattern = cv2.GaussianBlur(noise, (0, 0), 2)[..., None]
    eyes.picture[52:] = np.clip(eyes.picture[52:] + pattern[52:], 0, 255).astype(np.uint8)
    spread = np.random.default_rng(3).uniform(0, 200, (len(FACE_MESH.points), 2))
    rims = {point for eye in EYES for lid in eye for point in lid}
    for point, place in zip(FACE_MESH.points, spread, strict=True):
        if point not in rims:
            eyes.landmarks[point, :2] = place
    return eyes


def filmed_landmarks(eyes: DrawnEyes, closures: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return (n, 468, 3) landmarks of eyes with these closures."""
    landmarks = np.repeat(eyes.landmarks[None], len(closures), axis=0)
    for upper, lower in EYES:
        u, low = list(upper), list(lower)
        gap = landmarks[:, low] - landmarks[:, u]
        landmarks[:, u] += closures[:, None, None].astype(np.float32) * gap
    return landmarks


def closures_of_two_blinks() -> NDArray[np.float64]:
    closures = np.zeros(FRAMES)
    closures[10:14] = 0.9, 1.0, 0.5, 0.1
    closures[40:43] = 0.6, 0.95, 0.4
    return closures


def test_the_aspect_of_an_eye_is_its_opening_relative_to_its_width(eyes: DrawnEyes) -> None:
    opened, closed = eye_aspects(filmed_landmarks(eyes, np.array([0.0, 1.0])))
    assert np.abs(opened - 0.35).max() < 0.05
    assert np.abs(closed).max() < 1e-3


def test_every_blink_is_found_with_its_closed_and_half_closed_frame(eyes: DrawnEyes) -> None:
    first, second = find_blinks(filmed_landmarks(eyes, closures_of_two_blinks()))
    assert [stage.frame for stage in first.stages] == [11, 12]
    assert [stage.frame for stage in second.stages] == [41, 42]
    assert first.stages[1].closure == pytest.approx(0.5, abs=0.02)
    assert closures_of_two_blinks()[[first.open, second.open]].max() <= 0.1


def test_a_half_closed_eye_and_a_missing_face_are_not_blinks(eyes: DrawnEyes) -> None:
    closures = closures_of_two_blinks()
    closures[10:14] = 0.5
    landmarks = filmed_landmarks(eyes, closures)
    landmarks[40:43] = np.nan
    assert find_blinks(landmarks) == []


def test_a_moved_head_is_aligned_by_the_skin_below_the_eye(eyes: DrawnEyes) -> None:
    size = eyes.picture.shape[1], eyes.picture.shape[0]
    move = np.array([[1.0, 0, 2.25], [0, 1, -1.5]])
    filmed = np.asarray(cv2.warpAffine(eyes.picture, move, size, flags=cv2.INTER_CUBIC), np.uint8)
    eye = compare_eye(eyes.picture, filmed, (eyes.landmarks, eyes.landmarks), 0)
    assert eye is not None
    assert eye.residual < 0.01
    assert eye.error(eyes.picture) < 30
    still = compare_eye(eyes.picture, eyes.picture, (eyes.landmarks, eyes.landmarks), 0)
    assert still is not None
    assert np.abs(eye.to_filmed[:, 2] - still.to_filmed[:, 2] - move[:, 2]).max() < 0.3


def test_an_eye_at_the_edge_of_the_picture_is_left_out(eyes: DrawnEyes) -> None:
    cut = np.ascontiguousarray(eyes.picture[:, 24:])
    points = eyes.landmarks - np.float32([24, 0, 0])
    assert compare_eye(cut, cut, (points, points), 0) is None


def test_drawn_lids_that_equal_the_filmed_ones_surpass_those_of_one_colour(
    eyes: DrawnEyes, tmp_path: Path
) -> None:
    landmarks = filmed_landmarks(eyes, np.array([0.0, 1.0]))
    filmed = EyelidPainter(eyes.picture, landmarks[0]).paint(1.0)
    blink = Blink(0, (Stage(1, 1.0),))
    trials = blink_trials(blink, {0: eyes.picture, 1: filmed}, landmarks)
    assert len(trials) == 2
    rows = {figure.name: figure for figure in figures(trials)}
    assert rows["closed: gain over lids of one colour"].reached
    assert rows["closed: drawn, PSNR"].value > 40
    assert "half closed: drawn, PSNR" not in rows
    write_sheet(trials, tmp_path / "sheet.png")
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape[1] == 2 * 4 * 300


def test_a_lid_of_one_colour_misses_the_goal(eyes: DrawnEyes) -> None:
    core = np.ones((10, 10), np.bool_)
    filmed = np.full((10, 10, 3), 100, np.float32)
    eye = EyeComparison(filmed, core, np.eye(2, 3), 0.0)
    flat = np.full((10, 10, 3), 110, np.uint8)
    trial = Trial(0, 1.0, eye, {DRAWN: flat, FLAT: flat, NONE: flat})
    gain = figures([trial])[-1]
    assert gain.value == 0
    assert not gain.reached


def test_lids_of_one_colour_leave_an_open_eye_as_it_is(eyes: DrawnEyes) -> None:
    assert (FlatLids(eyes.picture, eyes.landmarks).paint(0.0) == eyes.picture).all()


def test_a_photo_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))
    assert command.main([str(path), "--out", str(tmp_path)]) == 2
    assert "is a photo" in capsys.readouterr().err
