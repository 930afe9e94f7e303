"""Teeth that a photo shows are found, and painted into the mouth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.warm.portraits import MODELS, Picture, build_portrait, mouth_shape, portrait
from warm.avatars.avatar import AvatarBuild
from warm.avatars.shown_mouth import ShownMouth
from warm.engines.viseme.anatomy import LOWER_INNER, UPPER_INNER, Anatomy, Floats32, build_anatomy
from warm.engines.viseme.face_light import FaceLight
from warm.engines.viseme.interior_textures import InteriorTextures
from warm.engines.viseme.mouth import Mouth, MouthData
from warm.engines.viseme.mouth_colours import MouthColours
from warm.engines.viseme.own_teeth import LEAST_LIGHT, OwnTeeth, find_own_teeth, redness
from warm.engines.viseme.picture_tone import luma
from warm.engines.viseme.preparation import uncalibrated_mouth, with_own_teeth
from warm.engines.viseme.texture_canvas import texture_size
from warm.face.attention_mesh import AttentionMesh

SCALE = 100.0
WIDTH, HEIGHT = texture_size(SCALE)
LIP_TOP, LIP_BOTTOM, EDGE = 8, 34, 22
"""Rows of the opening, and of the biting edge of the upper teeth."""
LIPS, TOOTH, TONGUE, DARK = (90, 95, 170), (150, 175, 200), (70, 75, 150), (10, 12, 40)
UPRIGHT = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
EXPECTED = MouthColours(
    teeth=np.array([150.0, 170.0, 200.0]),
    gums=np.array([70.0, 80.0, 150.0]),
    tongue=np.array([70.0, 80.0, 150.0]),
    cavity=np.array([12.0, 16.0, 50.0]),
    gloss=np.array([75.0, 85.0, 100.0]),
)


def smile(*bands: tuple[int, int, tuple[int, int, int]]) -> Picture:
    """Lips around an opening of 60 columns, with bands (first row, end, BGR) in it."""
    picture = np.full((HEIGHT, WIDTH, 3), LIPS, np.uint8)
    opening = slice(WIDTH // 2 - 30, WIDTH // 2 + 30)
    picture[LIP_TOP:LIP_BOTTOM, opening] = DARK
    for first, end, colour in bands:
        picture[first:end, opening] = colour
    return picture


def found(picture: Picture) -> OwnTeeth | None:
    points = np.zeros((468, 3), np.float32)
    across = np.linspace(WIDTH // 2 - 30, WIDTH // 2 + 29, len(UPPER_INNER))
    for indices, row in ((UPPER_INNER, LIP_TOP), (LOWER_INNER, LIP_BOTTOM - 1)):
        points[indices, 0], points[indices, 1] = across, row
    return find_own_teeth(picture, points, UPRIGHT, EXPECTED, SCALE)


def texture(own: OwnTeeth | None) -> Floats32:
    light = FaceLight(np.array([130.0, 160.0, 220.0]), 150.0, 0.0)
    return InteriorTextures.paint(SCALE, EXPECTED, light, (1.0, 1.0), own).upper_teeth


def test_the_upper_row_is_found_with_its_edge_and_colour() -> None:
    own = found(smile((LIP_TOP, EDGE, TOOTH)))
    assert own is not None
    assert own.columns.sum() > 45
    assert np.abs(own.bottom[own.columns] - EDGE).max() <= 1
    assert own.typical == pytest.approx(np.array(TOOTH), abs=3)
    assert not own.is_edge_hidden


def test_teeth_are_found_without_colour() -> None:
    grey = cv2.cvtColor(smile((LIP_TOP, EDGE, TOOTH)), cv2.COLOR_BGR2GRAY)
    own = found(np.repeat(grey[..., None], 3, axis=2))
    assert own is not None
    assert np.ptp(own.typical) == 0


def test_closed_rows_are_divided_where_they_meet() -> None:
    own = found(smile((LIP_TOP, LIP_BOTTOM, TOOTH), (EDGE, EDGE + 1, (110, 130, 150))))
    assert own is not None
    assert np.median(own.bottom[own.columns]) == pytest.approx(EDGE, abs=1)
    assert not own.is_edge_hidden


def test_an_edge_behind_the_lower_lip_is_not_taken_for_short_teeth() -> None:
    own = found(smile((LIP_TOP, LIP_BOTTOM, TOOTH)))
    assert own is not None and own.is_edge_hidden
    assert (texture(own)[..., 3].sum(axis=0) >= texture(None)[..., 3].sum(axis=0) - 0.1).all()


@pytest.mark.parametrize(
    "picture",
    [
        smile(),
        smile((LIP_TOP, LIP_BOTTOM, TONGUE)),
        smile((26, LIP_BOTTOM, TOOTH)),
        smile((LIP_TOP, EDGE, (30, 34, 40))),
        smile((LIP_TOP, LIP_TOP + 2, TOOTH)),
    ],
    ids=["dark", "tongue", "lower teeth alone", "too dim", "a thin line"],
)
def test_a_mouth_without_visible_upper_teeth_gives_none(picture: Picture) -> None:
    assert found(picture) is None


def test_closed_lips_give_none() -> None:
    assert found(np.full((HEIGHT, WIDTH, 3), LIPS, np.uint8)) is None


def test_the_painted_row_ends_where_the_own_teeth_end() -> None:
    own = found(smile((LIP_TOP, EDGE, TOOTH)))
    middle = texture(own)[:, WIDTH // 2, 3]
    assert np.flatnonzero(middle > 0.5)[-1] == pytest.approx(EDGE - 1, abs=1.5)


def test_a_gap_between_the_own_teeth_is_painted_without_a_hole() -> None:
    picture = smile((LIP_TOP, EDGE, TOOTH))
    picture[LIP_TOP:EDGE, WIDTH // 2 - 14 : WIDTH // 2 - 11] = (40, 45, 60)
    own = found(picture)
    assert own is not None
    row = texture(own)[EDGE - 6, :, 1]
    gap, beside = row[WIDTH // 2 - 13], row[WIDTH // 2 - 7]
    assert 0.6 * beside < gap < 0.95 * beside


def test_shaded_teeth_get_the_light_on_the_face_and_lose_the_tint_of_the_lips() -> None:
    own = found(smile((LIP_TOP, EDGE, (90, 105, 145))))
    assert own is not None
    lit, teeth = own.lit(EXPECTED), EXPECTED.teeth
    assert luma(lit.typical) == pytest.approx(LEAST_LIGHT * luma(teeth), rel=0.02)
    assert redness(teeth) < redness(lit.typical) < redness(own.typical)


def test_lit_teeth_keep_their_own_colour() -> None:
    own = found(smile((LIP_TOP, EDGE, (130, 185, 210))))
    assert own is not None
    assert own.lit(EXPECTED).typical == pytest.approx(own.typical, abs=2)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[AvatarBuild, Anatomy, MouthData]:
    build = build_portrait(tmp_path_factory.mktemp("teeth"), portrait())
    anatomy = build_anatomy(build.landmarks, build.transforms, build.loop)
    return build, anatomy, uncalibrated_mouth(anatomy, build.frames)


def test_the_mouth_takes_the_colour_of_teeth_that_a_photo_shows(
    plain: tuple[AvatarBuild, Anatomy, MouthData],
) -> None:
    """The photo is the portrait with a drawn smile, whose teeth are yellow."""
    build, anatomy, data = plain
    yellow = data.upper_teeth * np.array([0.6, 1.1, 1.15, 1.0], np.float32)
    smiling = Mouth(replace(data, upper_teeth=yellow), build.frames)
    photo = smiling.draw_in_frame(0, mouth_shape(open=0.6, wide=0.8))
    shown = ShownMouth(photo, build.landmarks[0])
    own, note = with_own_teeth(data, anatomy, build, shown, AttentionMesh(MODELS))
    assert note == "The upper teeth look like those in the photo."
    solid = data.upper_teeth[..., 3] > 0.9
    before, after = (each.upper_teeth[solid].mean(axis=0) for each in (data, own))
    assert after[0] / after[2] < 0.8 * before[0] / before[2]


def test_closed_lips_show_no_own_teeth(plain: tuple[AvatarBuild, Anatomy, MouthData]) -> None:
    build, anatomy, data = plain
    shown = ShownMouth(build.frames[0], build.landmarks[0])
    painted, note = with_own_teeth(data, anatomy, build, shown, AttentionMesh(MODELS))
    assert painted is data
    assert not note
