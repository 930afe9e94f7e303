"""Pictures that consist of a background and rectangles drawn over it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import FilmSpec
from session.overlaid_picture import Background, OverlaidPicture, Overlay, Picture
from session.planes import Planes
from session.video_encoder import VideoEncoder, to_frame

SIZES = [(64, 48), (70, 90), (65, 51), (512, 600)]


def noise(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


def overlaid(width: int, height: int) -> OverlaidPicture:
    """Noise, with other noise in two rectangles."""
    overlays = Overlay(4, 2, noise(18, 12, 1)), Overlay(26, 20, noise(22, 26, 2))
    return OverlaidPicture(Background(noise(width, height, 0)), overlays)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_its_array_has_the_rectangles_over_the_background(width: int, height: int) -> None:
    expected = noise(width, height, 0)
    expected[2:14, 4:22] = noise(18, 12, 1)
    expected[20:46, 26:48] = noise(22, 26, 2)
    picture = overlaid(width, height)
    assert np.array_equal(np.asarray(picture), expected)
    assert picture.shape == expected.shape
    assert picture.dtype == expected.dtype


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_its_planes_are_those_of_its_array(width: int, height: int) -> None:
    picture = overlaid(width, height)
    whole = Planes.of_frame(to_frame(np.asarray(picture)))
    written = Planes.empty(width + width % 2, height + height % 2)
    picture.write_to(written)
    for made, expected in zip(written, whole, strict=True):
        assert np.array_equal(made, expected)


def test_a_background_may_forget_its_picture_after_each_conversion() -> None:
    read: list[None] = []
    background = Background(noise(64, 48, 0), lambda: read.append(None))
    picture = OverlaidPicture(background, (Overlay(4, 2, noise(18, 12, 1)),))
    for count in (1, 2):
        picture.write_to(Planes.empty(64, 48))
        assert len(read) == count


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_film_of_them_has_the_same_bytes_as_one_of_arrays(width: int, height: int) -> None:
    spec = FilmSpec(width=width, height=height, fps=25)
    background = Background(noise(width, height, 0))
    shown = [
        OverlaidPicture(background, (Overlay(4, 2, noise(18, 12, seed)),)) for seed in range(5)
    ]
    mixed: list[Picture] = [*shown[:2], np.asarray(shown[2]), *shown[3:]]
    encoders = [VideoEncoder(spec) for _ in range(2)]
    assert encoders[0].encode(mixed) == encoders[1].encode([np.asarray(each) for each in shown])
