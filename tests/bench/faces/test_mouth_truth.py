"""Drawn against filmed mouths: each score detects its fault, and held-out frames are not seen."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bench.faces.truth import command
from bench.faces.truth.command import figures, parser
from bench.faces.truth.held_out import held_out_blocks, held_out_end
from bench.faces.truth.mouth_view import MouthView, pasted
from bench.faces.truth.picture_scores import gmsd, psnr_db, sharpness, squared_error, ssim
from bench.faces.truth.scores import Scores
from warm.engines.viseme.learned.numbers import Number, measure_numbers
from warm.engines.viseme.mouth import DrawnMouth
from warm.engines.viseme.warp import PixelRect

EVERYWHERE = np.ones((60, 80), np.bool_)


def texture() -> NDArray[np.float32]:
    noise = np.random.default_rng(0).uniform(40, 220, (60, 80, 3)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.0), np.float32)


def blurred(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 2.0), np.float32)


def scores(**changes: float) -> Scores:
    values = {"inside_db": 14.0, "lips_db": 18.0, "ssim": 0.5, "gmsd": 0.2, "sharpness": 0.9}
    return Scores(**{**values, "error_change": 9.0, **changes}, frames=70)


def test_every_third_block_of_twelve_frames_is_held_out() -> None:
    held = held_out_blocks(80)
    assert np.flatnonzero(held).tolist() == [*range(24, 36), *range(60, 72)]


def test_the_end_is_held_out_on_request() -> None:
    assert np.flatnonzero(held_out_end(10, 0.3)).tolist() == [7, 8, 9]


@pytest.mark.parametrize("value", ["0", "1", "-0.2", "half"])
def test_a_share_outside_its_range_is_refused(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["talk.mp4", f"--last={value}"])
    assert "--last" in capsys.readouterr().err


def test_equal_pictures_have_the_best_scores() -> None:
    picture = texture()
    assert squared_error(picture, picture, EVERYWHERE) == 0
    assert ssim(picture, picture, EVERYWHERE) == pytest.approx(1)
    assert gmsd(picture, picture, EVERYWHERE) == pytest.approx(0)


def test_blurring_costs_likeness_and_sharpness() -> None:
    sharp, soft = texture(), blurred(texture())
    assert ssim(soft, sharp, EVERYWHERE) < 0.7
    assert gmsd(soft, sharp, EVERYWHERE) > 0.1
    assert sharpness(soft, EVERYWHERE) < 0.3 * sharpness(sharp, EVERYWHERE)


def test_a_shift_in_brightness_costs_the_psnr_that_it_should() -> None:
    assert psnr_db(squared_error(texture() + 25.5, texture(), EVERYWHERE)) == pytest.approx(20)


def test_only_the_masked_part_is_scored() -> None:
    drawn, mask = texture(), EVERYWHERE.copy()
    drawn[:, 40:], mask[:, 36:] = 0, False
    assert squared_error(drawn, texture(), mask) == 0


def test_numbers_are_measured_in_the_face() -> None:
    points = np.zeros((468, 3), np.float32)
    points[[61, 291], 0] = -0.4, 0.4
    points[[82, 13, 312], 1], points[[87, 14, 317], 1] = -0.04, 0.06
    points[[37, 0, 267], 1], points[[84, 17, 314], 1] = -0.12, 0.18
    to_frame = np.array([[[60.0, -80.0, 300.0], [80.0, 60.0, 200.0]]])
    filmed = points.copy()
    filmed[:, :2] = points[:, :2] @ to_frame[0, :, :2].T + to_frame[0, :, 2]
    numbers = measure_numbers(filmed[None], to_frame)[0]
    assert numbers[[Number.GAP, Number.WIDTH]] == pytest.approx([0.10, 0.8], abs=1e-5)
    assert numbers[[Number.UPPER, Number.LOWER]] == pytest.approx([0.08, 0.12], abs=1e-5)


def test_the_view_moves_with_the_face() -> None:
    scene = np.zeros((300, 300, 3), np.uint8)
    cv2.circle(scene, (150, 150), 10, (0, 0, 255), -1)
    moved = np.roll(scene, (30, -20), axis=(0, 1))
    to_frame = np.array([[[80.0, 0, 150], [0, 80, 150]], [[80.0, 0, 130], [0, 80, 180]]])
    view = MouthView(80.0, to_frame)
    assert view.crop(scene, 0) == pytest.approx(view.crop(moved, 1), abs=1.5)
    assert view.crop(scene, 0)[..., 2].max() > 250


def test_a_drawn_mouth_fades_out_by_its_mask() -> None:
    mask = np.tile(np.array([0, 128, 255], np.uint8), (2, 1))
    drawn = DrawnMouth(np.full((2, 3, 3), 200, np.uint8), mask, PixelRect(1, 1, 3, 2))
    picture = pasted(np.zeros((5, 6, 3), np.uint8), drawn)
    assert picture[1, 1:4, 0].tolist() == [0, 100, 200]
    assert picture.sum() == 2 * 3 * 300


def test_paint_has_no_goals_and_a_learned_mouth_is_compared_with_it() -> None:
    painted = scores()
    assert not any(figure.goal for figure in figures("painted", painted, painted))
    better = scores(inside_db=18.0, lips_db=20.0, gmsd=0.15, error_change=8.0)
    rows = {one.name: one for one in figures("learned", better, painted)}
    assert rows["learned: gain between the lips, dB"].reached
    assert not rows["learned: gain of the lips, dB"].reached
    assert rows["learned: GMSD / painted"].value == pytest.approx(0.75)
    assert rows["learned: change of the error / painted"].reached


def test_a_photo_is_refused_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "face.png"
    cv2.imwrite(str(photo), np.zeros((40, 40, 3), np.uint8))
    assert command.main([str(photo), "--out", str(tmp_path)]) == 2
    assert "is a photo. Name a video" in capsys.readouterr().err


def test_the_command_line_takes_a_share(tmp_path: Path) -> None:
    arguments: argparse.Namespace = parser().parse_args(["talk.mp4", "--last", "0.3"])
    assert arguments.last == 0.3
