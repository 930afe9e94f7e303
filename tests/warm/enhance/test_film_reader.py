"""Tests of the frames and facts of films of unusual formats."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.warm.enhance.film_samples import BT709, FULL
from warm.enhance.film_reader import open_film

pytestmark = pytest.mark.slow
LEVELS = np.random.RandomState(3).randint(30, 226, (3, 4, 3)).astype(np.uint8)
BLOCKS = np.kron(LEVELS, np.ones((32, 32, 1), np.uint8))
"""(96, 128, 3) BGR squares, so that the resolution of the colours does not matter."""


def write_blocks(
    path: Path, codec: str, pixels: str, *, named: bool = True, rate: int = 25, frames: int = 3
) -> Path:
    """Write the squares without loss, 40 ms a frame; `named`: as BT.709 of the full range."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 128, 96, pixels
        stream.options = {"crf": "0"} if "264" in codec else {}
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if named:
            stream.codec_context.colorspace = BT709
            stream.codec_context.color_range = FULL
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(BLOCKS, format="bgr24").reformat(
                format=pixels,
                dst_colorspace=BT709 if named else None,
                dst_color_range=FULL if named else None,
            )
            frame.pts, frame.time_base = 40 * index, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path: Path) -> NDArray[np.uint8]:
    """The middles of the squares of the first frame, as a restorer gets them."""
    with open_film(path) as film:
        planes = next(film.frames()).planes
        colours = film.facts.colours
    middles = [planes.luma[16::32, 16::32], planes.cb[8::16, 8::16], planes.cr[8::16, 8::16]]
    return colours.to_bgr(np.dstack(middles))


@pytest.mark.parametrize(
    ("codec", "pixels", "named"),
    [
        ("libx264", "yuv444p10le", True),
        ("ffv1", "yuva420p", True),
        ("libx264", "yuv420p", False),
        ("libx264rgb", "bgr24", False),
        ("png", "rgba", False),
    ],
)
def test_a_restorer_gets_the_colours_that_players_show(
    tmp_path: Path, codec: str, pixels: str, named: bool
) -> None:
    film = tmp_path / ("film.mkv" if codec == "ffv1" else "film.mov")
    write_blocks(film, codec, pixels, named=named)
    assert np.abs(shown(film).astype(int) - LEVELS).max() <= 4


def test_the_matrix_to_which_rgb_is_converted_is_stated(tmp_path: Path) -> None:
    with open_film(write_blocks(tmp_path / "film.mov", "png", "rgb24", named=False)) as film:
        assert film.facts.matrix == film.facts.used_matrix != 0


@pytest.mark.parametrize(("rate", "expected"), [(20, 20), (1000, 25), (1, 25)])
def test_an_implausible_rate_in_the_header_is_replaced_by_that_of_the_first_frames(
    tmp_path: Path, rate: int, expected: int
) -> None:
    film = write_blocks(tmp_path / "film.mkv", "ffv1", "yuv420p", rate=rate, frames=6)
    with open_film(film) as opened:
        assert opened.facts.fps == expected
