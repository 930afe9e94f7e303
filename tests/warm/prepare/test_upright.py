"""Sources whose face is not upright are turned, and the verdict says so."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.warm.prepare.preparer import Preparer
from tests.warm.sample_videos import Picture, film, portrait, swaying
from warm.avatars.recipe import PreparationSettings
from warm.face.finder import FaceFinder
from warm.face.landmarks import roll_deg
from warm.prepare.source import read_portrait
from warm.prepare.upright import find_turn

pytestmark = pytest.mark.slow


def turned(pictures: list[Picture], quarters: int) -> list[Picture]:
    return [np.ascontiguousarray(np.rot90(picture, quarters)) for picture in pictures]


def psnr(one: Picture, other: Picture) -> float:
    return float(cv2.PSNR(np.ascontiguousarray(one), other))


def test_a_photo_upside_down_is_turned(finder: FaceFinder, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "down.png"), turned([portrait(240)], 2)[0])
    found = read_portrait(tmp_path / "down.png", finder, PreparationSettings())
    assert psnr(found.picture, portrait(240)) > 40
    (remark,) = found.remarks
    assert remark.message == "The photo was turned by 180° so that the face is upright."
    assert remark.kind == "turned" and remark.effect == "none"
    upright = finder.find(portrait(240))[0].mesh.points
    assert np.abs(found.landmarks - upright)[:, :2].max() < 4


@pytest.mark.parametrize(("quarters", "words"), [(1, "90° clockwise"), (3, "90° anticlockwise")])
def test_a_video_on_its_side_becomes_an_upright_avatar(
    quarters: int, words: str, preparer: Preparer, tmp_path: Path
) -> None:
    video = film(tmp_path / "side.mp4", turned(swaying(12), quarters))
    avatar = preparer.prepare(video)
    assert avatar.size == (204, 240)
    assert psnr(avatar.frames[0], swaying(1)[0]) > 25
    assert words in preparer.remarks()["turned"].message


def test_a_tilted_head_is_not_turned(finder: FaceFinder, tmp_path: Path) -> None:
    still = cv2.copyMakeBorder(portrait(240), 60, 60, 78, 78, cv2.BORDER_REPLICATE)
    tilt = cv2.getRotationMatrix2D((180, 160), -35, 1.0)
    cv2.imwrite(str(tmp_path / "tilted.png"), cv2.warpAffine(still, tilt, (360, 360)))
    found = read_portrait(tmp_path / "tilted.png", finder, PreparationSettings())
    assert found.remarks == [] and 30 < roll_deg(found.landmarks) < 40


def test_the_orientation_of_a_video_is_found_although_its_beginning_is_black(
    finder: FaceFinder, tmp_path: Path
) -> None:
    pictures = turned(swaying(30), 2)
    for picture in pictures[:14]:
        picture[:] = 0
    video = film(tmp_path / "late.mp4", pictures)
    assert find_turn(video, finder, PreparationSettings()) == 2
