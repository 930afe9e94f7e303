"""Pictures are converted to planes and encoded to H.264."""

from pathlib import Path

import av
import cv2
import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray

from session.film import FilmSpec
from session.video_encoder import PRESETS, VideoEncoder, to_frame
from tests.session.sample_films import SPEC, number, pictures

PORTRAIT = Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def bt601(bgr: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert to Y, Cb, Cr of ITU-R BT.601, limited range, by the definition."""
    blue, green, red = np.moveaxis(bgr / 255, -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    cb, cr = (blue - luma) / 1.772, (red - luma) / 1.402
    return np.stack([16 + 219 * luma, 128 + 224 * cb, 128 + 224 * cr])


@pytest.mark.parametrize("size", [(16, 16), (34, 50), (50, 34), (18, 20), (722, 576), (600, 512)])
def test_planes_follow_bt_601_with_the_mean_colour_of_four_pixels(size: tuple[int, int]) -> None:
    height, width = size
    picture = np.random.default_rng(3).integers(0, 256, (height, width, 3)).astype(np.uint8)
    luma, cb, cr = planes(to_frame(picture))
    means = picture.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(luma - bt601(picture.astype(float))[0]).max() <= 1.01
    assert np.abs(cb - bt601(means)[1]).max() <= 1
    assert np.abs(cr - bt601(means)[2]).max() <= 1


def test_every_flat_colour_comes_within_one_level_of_its_chroma() -> None:
    levels = np.arange(0, 256, 5)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, levels.size, 3)
    _, cb, cr = planes(to_frame(np.kron(colours, np.ones((2, 2, 1))).astype(np.uint8)))
    expected = bt601(colours.astype(float))
    assert np.abs(np.stack([cb, cr]) - expected[1:]).max() <= 0.6


@pytest.mark.parametrize("size", [(17, 16), (16, 19), (33, 35)])
def test_planes_of_odd_sizes_repeat_the_last_row_and_column(size: tuple[int, int]) -> None:
    height, width = size
    picture = np.random.default_rng(3).integers(0, 256, (height, width, 3)).astype(np.uint8)
    filled = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    for made, expected in zip(planes(to_frame(picture)), planes(to_frame(filled)), strict=True):
        assert np.array_equal(made, expected)


def planes(frame: av.VideoFrame) -> list[NDArray[np.float64]]:
    """Return luma, Cb and Cr, each (h, w), without the padding of their lines."""
    views = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]
    return [view.astype(np.float64) for view in views]


def decode(
    encoder: VideoEncoder, samples: list[bytes], to: str = "bgr24"
) -> list[NDArray[np.uint8]]:
    decoder = av.CodecContext.create("h264", "r")
    decoder.extradata = encoder.avcc
    frames = [frame for sample in samples for frame in decoder.decode(av.Packet(sample))]
    return [frame.to_ndarray(format=to) for frame in frames + decoder.decode(None)]


@pytest.mark.parametrize("counts", [[1], [1, 1, 1], [5, 1, 30], [60]])
def test_every_picture_is_returned_by_the_call_that_passes_it(counts: list[int]) -> None:
    encoder = VideoEncoder(SPEC)
    samples: list[bytes] = []
    for count in counts:
        samples += encoder.encode(pictures(len(samples), count))
        assert [number(shown) for shown in decode(encoder, samples)] == list(range(len(samples)))


def test_all_encoders_of_one_size_agree_on_how_to_decode_them() -> None:
    first, second = VideoEncoder(SPEC), VideoEncoder(SPEC)
    first.encode(pictures(0, 30))
    assert first.avcc == second.avcc == VideoEncoder(SPEC).avcc
    assert first.avcc != VideoEncoder(FilmSpec(width=66, height=64, fps=25)).avcc


@pytest.mark.parametrize("size", [(64, 64), (66, 50), (1280, 720)])
def test_all_presets_agree_on_how_to_decode_them(size: tuple[int, int]) -> None:
    """Catches a film whose init segment fits only some of its clips."""
    spec = FilmSpec(width=size[0], height=size[1], fps=25)
    assert len({VideoEncoder(spec, preset).avcc for preset in PRESETS}) == 1


def test_the_presets_are_ordered_by_the_size_of_what_they_encode() -> None:
    still = cv2.imread(str(PORTRAIT))
    height, width = still.shape[:2]
    moving = [np.roll(still, step, axis=1).astype(np.uint8) for step in range(8)]
    spec = FilmSpec(width=width, height=height, fps=25)
    sizes = [sum(map(len, VideoEncoder(spec, preset).encode(moving))) for preset in PRESETS]
    assert sizes == sorted(sizes, reverse=True)


def test_a_portrait_is_nearly_unchanged() -> None:
    still = cv2.imread(str(PORTRAIT))
    height, width = still.shape[:2]
    encoder = VideoEncoder(FilmSpec(width=width, height=height, fps=25))
    expected = bt601(still.astype(float))[0]
    for shown in decode(encoder, encoder.encode([still] * 8), to="yuv420p"):
        luma = shown[:height].astype(float)
        assert 10 * np.log10(255**2 / np.mean((luma - expected) ** 2)) > 39
        assert abs(luma.mean() - expected.mean()) < 0.3
