"""Colours of the painted mouth: those of the picture that it is painted into."""

from collections.abc import Callable
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest

from tests.warm.portraits import Picture, build_portrait, mouth_shape, portrait
from warm.avatars.avatar import AvatarBuild
from warm.engines.viseme.anatomy import Anatomy, Floats, build_anatomy
from warm.engines.viseme.face_light import FaceLight, light_slope
from warm.engines.viseme.interior_textures import InteriorTextures
from warm.engines.viseme.mouth import Mouth
from warm.engines.viseme.mouth_colours import MouthColours, chromaticity
from warm.engines.viseme.picture_tone import PictureTone, luma
from warm.engines.viseme.preparation import uncalibrated_mouth

SPOKEN = [
    mouth_shape(open=1.0),
    mouth_shape(open=0.3, wide=1.0),
    mouth_shape(open=0.2, teeth=1.0),
    mouth_shape(open=0.4, tongue=1.0),
    mouth_shape(open=0.4, round=1.0),
]
SEPIA = np.array([0.75, 0.94, 1.21])
"""BGR relative to luma."""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> AvatarBuild:
    return build_portrait(tmp_path_factory.mktemp("colours"), portrait())


@pytest.fixture(scope="module")
def anatomy(build: AvatarBuild) -> Anatomy:
    return build_anatomy(build.landmarks, build.transforms, build.loop)


@pytest.fixture(scope="module")
def painted(anatomy: Anatomy) -> Callable[[Picture], list[Picture]]:
    """Return the mouth of a picture, in every shape."""

    data = uncalibrated_mouth(anatomy, portrait()[None])

    def draw(picture: Picture) -> list[Picture]:
        own = asdict(interior_of(anatomy, picture))
        mouth = Mouth(replace(data, **own), picture[None])
        return [mouth.draw(0, shape).picture for shape in SPOKEN]

    return draw


def colours_of(anatomy: Anatomy, picture: Picture) -> MouthColours:
    return MouthColours.of(anatomy, picture, FaceLight.of(anatomy, picture))


def interior_of(anatomy: Anatomy, picture: Picture) -> InteriorTextures:
    light = FaceLight.of(anatomy, picture)
    return InteriorTextures.paint(83.0, colours_of(anatomy, picture), light, anatomy.sides)


def grey() -> Picture:
    """(h, w, 3) the portrait without colour."""
    return np.repeat(cv2.cvtColor(portrait(), cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)


def toned(curve: Floats) -> Picture:
    """(h, w, 3) the grey portrait, each level in the colour of the (256, 3) curve."""
    return np.round(curve[grey()[..., 0]]).clip(0, 255).astype(np.uint8)


def sepia_curve() -> Floats:
    """(256, 3) white and black without colour, brown between them."""
    level = np.arange(256.0)[:, None]
    return level + level * (255 - level) / 255 * (SEPIA - 1)


def test_a_monochrome_picture_gets_a_mouth_without_any_colour(
    painted: Callable[[Picture], list[Picture]],
) -> None:
    for mouth in painted(grey()):
        assert np.ptp(mouth, axis=2).max() == 0


def test_a_weak_cast_of_the_coding_counts_as_monochrome(anatomy: Anatomy) -> None:
    cast = np.clip(grey().astype(int) + np.array([1, 0, -1]), 0, 255).astype(np.uint8)
    colours = colours_of(anatomy, cast)
    assert max(np.ptp(each) for each in (colours.teeth, colours.tongue, colours.cavity)) < 1e-9


def test_a_sepia_picture_gets_a_mouth_in_its_own_sepia(
    painted: Callable[[Picture], list[Picture]],
) -> None:
    curve = sepia_curve()
    for mouth in painted(toned(curve)):
        expected = curve[np.round(luma(mouth.astype(float))).astype(int)]
        assert np.abs(mouth - expected).max() < 14
        assert np.abs(mouth - expected).mean() < 2


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_dark_picture_gets_a_dark_mouth(anatomy: Anatomy, share: float) -> None:
    dark = np.round(portrait() * share).astype(np.uint8)
    bright, dim = colours_of(anatomy, portrait()), colours_of(anatomy, dark)
    for one, other in ((bright.teeth, dim.teeth), (bright.tongue, dim.tongue)):
        assert other == pytest.approx(one * share, rel=0.15)
    assert luma(dim.cavity) < luma(bright.cavity)


def test_a_hazy_picture_gets_no_black_mouth(anatomy: Anatomy) -> None:
    hazy = np.round(70 + portrait() * 0.6).astype(np.uint8)
    assert (
        luma(colours_of(anatomy, hazy).cavity) > luma(colours_of(anatomy, portrait()).cavity) + 20
    )


@pytest.mark.parametrize("gains", [(0.6, 0.85, 1.0), (1.0, 0.9, 0.6)])
def test_teeth_take_the_tint_of_the_light(anatomy: Anatomy, gains: tuple[float, ...]) -> None:
    """Catches constants: teeth of a fixed colour are blue-grey in warm light."""
    plain = chromaticity(colours_of(anatomy, portrait()).teeth)
    lit = np.round(portrait() * gains).astype(np.uint8)
    tinted = chromaticity(colours_of(anatomy, lit).teeth)
    assert np.sign((tinted / plain)[0] - (tinted / plain)[2]) == np.sign(gains[0] - gains[2])


def test_the_tongue_is_redder_than_the_teeth_and_the_cavity_is_redder_still(
    anatomy: Anatomy,
) -> None:
    colours = colours_of(anatomy, portrait())
    redness = [colour[2] / colour[1] for colour in (colours.teeth, colours.tongue, colours.cavity)]
    assert redness == sorted(redness)
    assert luma(colours.teeth) > luma(colours.tongue) > 2 * luma(colours.cavity)


def test_lipstick_does_not_colour_the_tongue_as_strongly(anatomy: Anatomy) -> None:
    light = FaceLight.of(anatomy, portrait())
    painted = portrait()
    lips = np.round(anatomy.lip_lines[0]).astype(int)
    x0, x1 = lips[0, 0] - 4, lips[-1, 0] + 4
    painted[lips[:, 1].min() - 14 : lips[:, 1].max() + 16, x0:x1] = (120, 10, 120)
    blue, green, _ = MouthColours.of(anatomy, painted, light).tongue
    assert blue < 3 * green


def test_light_from_one_side_lights_that_side_of_the_teeth(anatomy: Anatomy) -> None:
    ramp = np.interp(np.arange(portrait().shape[1]), [170, 370], [1.0, 0.35])[None, :, None]
    lit = np.round(portrait() * ramp).astype(np.uint8)
    assert FaceLight.of(anatomy, lit).slope < FaceLight.of(anatomy, portrait()).slope - 0.2
    teeth = interior_of(anatomy, lit).upper_teeth
    middle = teeth.shape[1] // 2
    left, right = (
        half[half[..., 3] > 0.9][:, 1].mean() for half in (teeth[:, :middle], teeth[:, middle:])
    )
    assert left > 1.05 * right


def test_the_lights_slope_is_limited_and_needs_both_sides() -> None:
    across = np.array([-0.2, -0.1, 0.1, 0.2])
    assert light_slope(across, np.array([1.0, 1.0, 255.0, 255.0])) == pytest.approx(0.7)
    assert light_slope(np.abs(across), np.array([1.0, 2.0, 3.0, 4.0])) == 0


def test_an_ordinary_picture_is_not_toned() -> None:
    assert PictureTone.of(portrait()[120:380, 150:390]).colourfulness == 1
    assert PictureTone.of(grey()[120:380, 150:390]).colourfulness == 0
