"""Single pictures of faces: what will look wrong is found, ordinary pictures pass."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.sample_videos import Picture, portrait
from warm.avatars.recipe import PreparationSettings
from warm.avatars.verdict import Verdict
from warm.face.finder import FaceFinder
from warm.prepare.errors import CutOffFaceError, NoFaceError
from warm.prepare.source import Portrait, read_portrait

pytestmark = pytest.mark.slow

Change = Callable[[Picture], NDArray[np.floating]]
MOUTH = slice(278, 316), slice(226, 302)
"""Rows and columns of the mouth in the portrait."""


def read(picture: NDArray[np.floating], finder: FaceFinder, folder: Path) -> Portrait:
    cv2.imwrite(str(folder / "face.png"), np.clip(picture, 0, 255).astype(np.uint8))
    return read_portrait(folder / "face.png", finder, PreparationSettings())


def covered_by(colour: tuple[float, float, float], margin: int) -> Change:
    """Return a function that paints over the mouth of the portrait and `margin` pixels more."""

    def paint(picture: Picture) -> NDArray[np.floating]:
        rows, columns = MOUTH
        picture = picture.copy()
        picture[
            rows.start - margin : rows.stop + margin,
            columns.start - margin : columns.stop + margin,
        ] = colour
        return picture

    return paint


@pytest.mark.parametrize(
    "change",
    [covered_by((140, 170, 215), 20), covered_by((20, 20, 20), 5), covered_by((235, 235, 235), 40)],
    ids=["a hand", "a microphone", "a mask"],
)
def test_a_covered_mouth_in_a_photo_makes_a_poor_avatar(
    change: Change, finder: FaceFinder, tmp_path: Path
) -> None:
    try:
        found = read(change(portrait()), finder, tmp_path)
    except NoFaceError as error:
        assert "nothing in front of the face" in str(error)
        return
    (remark,) = found.remarks
    assert remark.kind == "mouth_covered" and "Send a photo that shows the lips" in remark.message
    assert Verdict((remark,)).summary == "poor"


@pytest.mark.parametrize(
    "change",
    [
        lambda picture: picture,
        lambda picture: picture * 1.3,
        lambda picture: picture * 0.5,
        lambda picture: picture.mean(axis=2, keepdims=True) * np.ones(3),
        lambda picture: picture * (0.7, 0.95, 1.2),
        lambda picture: picture[:, ::-1],
    ],
    ids=["as it is", "bright", "dim", "grey", "warm light", "mirrored"],
)
def test_an_ordinary_photo_is_good(change: Change, finder: FaceFinder, tmp_path: Path) -> None:
    assert read(change(portrait()), finder, tmp_path).remarks == []


def test_dark_and_blurred_faces_are_named(finder: FaceFinder, tmp_path: Path) -> None:
    (dark,) = read(portrait() * 0.15, finder, tmp_path).remarks
    assert dark.kind == "dark" and dark.effect == "visible"
    (blurred,) = read(
        cv2.GaussianBlur(portrait(), (0, 0), 5).astype(float), finder, tmp_path
    ).remarks
    assert blurred.kind == "blurred"


def test_a_mouth_outside_the_picture_is_refused(finder: FaceFinder, tmp_path: Path) -> None:
    with pytest.raises(CutOffFaceError, match="The mouth is cut off at the edge"):
        read(portrait()[:290], finder, tmp_path)


def test_a_chin_outside_the_picture_is_named(finder: FaceFinder, tmp_path: Path) -> None:
    kinds = {remark.kind for remark in read(portrait()[:326], finder, tmp_path).remarks}
    assert "cut_off" in kinds
