"""Parted lips of a portrait: closed without a trace, kept by choice, or refused."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.portraits import MODELS, Picture, build_portrait, mouth_shape, portrait
from warm.avatars.recipe import PreparationSettings, Teeth
from warm.engines.viseme.anatomy import build_anatomy
from warm.engines.viseme.lip_line import snap_to_dark_line
from warm.engines.viseme.mouth import Mouth
from warm.engines.viseme.preparation import uncalibrated_mouth
from warm.face.finder import FaceFinder
from warm.face.landmarks import lip_gap
from warm.prepare.errors import OpenMouthError
from warm.prepare.idle.animate_photo import canonical_to_photo
from warm.prepare.idle.close_photo import PARTED_IOD, RestingPhoto, rest_photo
from warm.prepare.idle.closed_lips import line_tone
from warm.prepare.idle.lower_face import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER
from warm.prepare.source import Portrait, read_portrait

pytestmark = pytest.mark.slow

SMILES = [{"open": 0.2}, {"open": 0.3, "teeth": 1.0}, {"open": 0.5}, {"open": 0.65, "wide": 0.5}]


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder(MODELS)


@pytest.fixture(scope="module")
def closed_points(finder: FaceFinder) -> NDArray[np.float32]:
    """(468, 3) landmarks of the portrait as it is, with closed lips."""
    points = finder.find(portrait())[0].mesh.points
    return finder.attention_mesh.track(portrait(), points).points


@pytest.fixture(scope="module")
def mouth_of_portrait(tmp_path_factory: pytest.TempPathFactory) -> Mouth:
    """A mouth that opens the portrait's lips over painted teeth."""
    build = build_portrait(tmp_path_factory.mktemp("portrait"), portrait())
    anatomy = build_anatomy(build.landmarks, build.transforms, build.loop)
    anatomy = snap_to_dark_line(anatomy, build.frames)
    return Mouth(uncalibrated_mouth(anatomy, build.frames), build.frames)


@pytest.fixture(scope="module")
def parted(mouth_of_portrait: Mouth) -> Callable[..., Picture]:
    """Return the portrait with its lips parted by a mouth shape."""
    return lambda **numbers: mouth_of_portrait.draw_in_frame(0, mouth_shape(**numbers))


def read(picture: Picture, finder: FaceFinder, folder: Path, teeth: Teeth = "close") -> Portrait:
    cv2.imwrite(str(folder / "face.png"), picture)
    return read_portrait(folder / "face.png", finder, PreparationSettings(teeth=teeth))


def at_rest(found: Portrait, teeth: Teeth = "close") -> RestingPhoto:
    to_photo = canonical_to_photo(found.landmarks)
    return rest_photo(found.picture, found.landmarks, to_photo, teeth)


def mouth(picture: Picture, points: NDArray[np.float32]) -> NDArray[np.int16]:
    """Return the rectangle of the lips."""
    lips = points[[*OUTER_UPPER, *OUTER_LOWER], :2]
    (left, top), (right, bottom) = lips.min(axis=0).astype(int), lips.max(axis=0).astype(int)
    return picture[top:bottom, left:right].astype(np.int16)


@pytest.mark.parametrize("smile", SMILES, ids=str)
def test_parted_lips_are_closed_without_a_trace_of_the_inside(
    smile: dict[str, float],
    parted: Callable[..., Picture],
    finder: FaceFinder,
    closed_points: NDArray[np.float32],
    tmp_path: Path,
) -> None:
    found = read(parted(**smile), finder, tmp_path)
    assert lip_gap(found.landmarks) > PARTED_IOD
    rest = at_rest(found)
    seen = finder.attention_mesh.track(rest.picture, rest.landmarks).points
    assert lip_gap(seen) < PARTED_IOD
    lips, before = (mouth(p, closed_points) for p in (rest.picture, found.picture))
    original = mouth(portrait(), closed_points)
    assert lips.min() > original.min() - 25
    assert (lips[..., 0] > original[..., 0].max() + 10).mean() < 0.01
    assert np.abs(lips - original).mean() < 0.6 * np.abs(before - original).mean()


def test_only_the_lower_face_changes(
    parted: Callable[..., Picture], finder: FaceFinder, tmp_path: Path
) -> None:
    found = read(parted(open=0.4), finder, tmp_path)
    rest = at_rest(found)
    rows = np.flatnonzero((rest.picture != found.picture).any(axis=(1, 2)))
    assert rows.min() > found.landmarks[[1, 4], 1].min()
    assert np.array_equal(rest.landmarks[INNER_UPPER, :2], rest.landmarks[INNER_LOWER, :2])


def test_a_photo_with_closed_lips_is_unchanged(finder: FaceFinder, tmp_path: Path) -> None:
    found = read(portrait(), finder, tmp_path)
    rest = at_rest(found)
    assert rest.picture is found.picture
    assert rest.landmarks is found.landmarks
    assert "mouth_open" not in [remark.kind for remark in found.remarks]


def test_the_closed_mouth_of_a_grey_photo_is_grey(
    parted: Callable[..., Picture], finder: FaceFinder, tmp_path: Path
) -> None:
    grey = cv2.cvtColor(parted(open=0.4), cv2.COLOR_BGR2GRAY)
    found = read(np.dstack([grey] * 3), finder, tmp_path)
    assert lip_gap(found.landmarks) > PARTED_IOD
    assert np.ptp(at_rest(found).picture, axis=2).max() == 0


def test_the_line_is_as_dark_as_the_corners_of_the_mouth(
    closed_points: NDArray[np.float32],
) -> None:
    dark, light = portrait(), portrait()
    for x, y in np.rint(closed_points[[61, 78, 291, 308], :2]).astype(int):
        dark[y - 3 : y + 4, x - 5 : x + 6] //= 2
        light[y - 3 : y + 4, x - 5 : x + 6] = light[y + 6, x]
    points = closed_points[:, :2].astype(np.float64)
    assert (line_tone(dark, points) < line_tone(light, points)).all()


@pytest.mark.parametrize("teeth", ["close", "keep"])
def test_a_mouth_that_is_open_too_wide_is_refused_with_its_gap_and_the_limit(
    teeth: Teeth, parted: Callable[..., Picture], finder: FaceFinder, tmp_path: Path
) -> None:
    message = (
        r"lips are 0\.\d\d eye distances apart; at most 0\.25 .* Send a photo with closed lips"
    )
    with pytest.raises(OpenMouthError, match=message):
        read(parted(open=1.1), finder, tmp_path, teeth)


def test_teeth_that_are_kept_hang_above_the_line_of_the_lips(
    parted: Callable[..., Picture], finder: FaceFinder, tmp_path: Path
) -> None:
    found = read(parted(open=0.4), finder, tmp_path, "keep")
    rest = at_rest(found, "keep")
    assert rest.teeth_kept
    assert rest.picture is found.picture
    lower = found.landmarks[list(INNER_LOWER)]
    assert np.array_equal(rest.landmarks[list(INNER_UPPER)], lower)
    (remark,) = (remark for remark in found.remarks if remark.kind == "mouth_open")
    assert "never meet in speech" in remark.message
