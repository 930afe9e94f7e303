"""Decoding of videos to upright, opaque, 8-bit BGR pictures at an exact frame rate."""

import io
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.warm.media.pictures import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    colours_of,
    four_colours,
    read_video,
)
from tests.warm.sample_videos import Picture, as_frame, cut_off, film, number_of, numbered
from warm.media.sniff import DamagedMediaError, MediaError
from warm.media.video import frames_at_rate, open_video


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("film.mp4", "libx264"),
        ("film.mov", "libx264"),
        ("film.mkv", "libx264"),
        ("film.avi", "mpeg4"),
        ("film.webm", "libvpx"),
    ],
)
def test_a_video_at_the_requested_rate_yields_each_frame_once(
    name: str, codec: str, tmp_path: Path
) -> None:
    film(tmp_path / name, numbered(40), codec=codec)
    assert [number_of(p) for p in read_video(tmp_path / name)] == list(range(40))


@pytest.mark.parametrize(("rate", "count"), [(30, 60), (50, 100), (24, 48), (10, 20)])
def test_videos_at_other_rates_keep_length_and_order(rate: int, count: int, tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", numbered(count), fps=rate)
    shown = [number_of(p) for p in read_video(tmp_path / "film.mp4")]
    assert shown == [(2 * k + 1) * rate // 50 for k in range(50)]


def test_frames_at_irregular_times_keep_their_times(tmp_path: Path) -> None:
    times = [0, 40, 200, 210, 220, 400]
    film(tmp_path / "film.mkv", numbered(6), times=times)
    shown = [number_of(p) for p in read_video(tmp_path / "film.mkv")]
    assert shown[:11] == [0, 1, 1, 1, 1, 4, 4, 4, 4, 4, 5]


def test_the_frame_in_the_middle_of_each_interval_is_taken() -> None:
    def timed(*stamps: float) -> list[tuple[Fraction, Fraction, int]]:
        starts = [Fraction(str(stamp)) for stamp in stamps]
        return [(t, t + Fraction(1, 25), k) for k, t in enumerate(starts)]

    assert list(frames_at_rate(timed(0, 0.04, 0.08), 25)) == [0, 1, 2]
    assert list(frames_at_rate(timed(0, 0.019, 0.021), 25)) == [1, 2]
    assert list(frames_at_rate(timed(0, 0.04, 0.04, 0.03, 0.08), 25)) == [0, 1, 4]
    assert list(frames_at_rate([(Fraction(0), Fraction(1, 1000), 7)], 25)) == [7]
    assert list(frames_at_rate([], 25)) == []


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_rotated_video_is_upright(rotation: int, tmp_path: Path) -> None:
    stored = np.ascontiguousarray(np.rot90(four_colours(), -rotation // 90)[..., ::-1])
    film(tmp_path / "film.mp4", [stored] * 2, rotation=rotation)
    picture = read_video(tmp_path / "film.mp4")[0]
    assert picture.shape == (48, 64, 3)
    assert colours_of(picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


def marked(path: Path, picture: Picture, matrix: tuple[float, float, float, float]) -> Path:
    """Write a video of a BGR picture with the display matrix (a, b, c, d), in units of 1."""
    a, b, c, d = (round(value * (1 << 16)) for value in matrix)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for _ in range(2):
            container.mux(stream.encode(as_frame(picture)))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    ("matrix", "storing"),
    [
        ((1, 0, 0, 1), lambda p: p),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda p: p[::-1, ::-1].swapaxes(0, 1)),
        ((0, 1, -1, 0), lambda p: np.rot90(p, 1)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, -1)),
    ],
)
def test_a_mirrored_or_rotated_video_is_upright(
    matrix: tuple[float, float, float, float],
    storing: Callable[[Picture], Picture],
    suffix: str,
    tmp_path: Path,
) -> None:
    stored = np.ascontiguousarray(storing(four_colours())[..., ::-1])
    with open_video(
        marked(tmp_path / f"film.{suffix}", stored, matrix), fps=25, max_side=1280
    ) as video:
        pictures = list(video.frames())
        assert video.stored_size == (64, 48)
        assert not video.orientation.note
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 2
    assert colours_of(pictures[0]) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


@pytest.mark.parametrize("matrix", [(0.5, 0.866, -0.866, 0.5), (0, 0, 0, 0), (1, 0, 1, 0)])
def test_a_matrix_that_is_no_right_angled_rotation_is_noted(
    matrix: tuple[float, float, float, float], tmp_path: Path
) -> None:
    path = marked(tmp_path / "film.mp4", np.ascontiguousarray(four_colours()[..., ::-1]), matrix)
    with open_video(path, fps=25, max_side=1280) as video:
        shape = next(video.frames()).shape
        assert shape == ((64, 48, 3) if matrix[1] else (48, 64, 3))
        (note,) = video.notes
    assert "is not a right-angled turn or mirror" in note


def test_a_video_that_is_rotated_in_its_middle_keeps_the_size_of_its_first_frame(
    tmp_path: Path,
) -> None:
    with av.open(str(tmp_path / "film.mov"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        container.start_encoding()
        for k, mark in enumerate((1, 1, 6, 2)):
            exif, data = Image.Exif(), io.BytesIO()
            exif[0x112] = mark
            Image.fromarray(four_colours()).save(data, "jpeg", quality=95, exif=exif)
            packet = av.Packet(data.getvalue())
            packet.stream, packet.pts, packet.dts = stream, k, k
            packet.time_base = Fraction(1, 25)
            container.mux(packet)
    pictures = read_video(tmp_path / "film.mov")
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 4
    assert colours_of(pictures[1]) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]
    assert colours_of(pictures[2]) == [[*BLUE], [*RED], [*WHITE], [*GREEN]]
    assert colours_of(pictures[3]) == [[*GREEN], [*RED], [*WHITE], [*BLUE]]


def test_a_transparent_video_is_composited_over_white(tmp_path: Path) -> None:
    bgra = np.zeros((48, 64, 4), np.uint8)
    bgra[:, 32:] = (0, 0, 255, 255)
    film(tmp_path / "film.mov", [bgra] * 2, codec="qtrle", pix_fmt="argb")
    picture = read_video(tmp_path / "film.mov")[0]
    assert picture[24, 8].tolist() == [255, 255, 255]
    assert picture[24, 56].tolist() == [0, 0, 255]


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", numbered(2), aspect=Fraction(3, 2))
    assert read_video(tmp_path / "film.mp4")[0].shape == (48, 96, 3)


@pytest.mark.parametrize("matrix", [1, 5])
def test_colours_are_decoded_by_the_named_matrix(matrix: int, tmp_path: Path) -> None:
    skin = np.full((48, 64, 3), (120, 150, 200), np.uint8)
    source = av.VideoFrame.from_ndarray(skin, format="bgr24")
    yuv = source.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=1)
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 1
        container.mux(stream.encode(yuv))
        container.mux(stream.encode())
    picture = read_video(tmp_path / "film.mp4")[0]
    assert np.abs(picture.reshape(-1, 3).mean(axis=0) - [120, 150, 200]).max() < 3


@pytest.mark.parametrize(("transfer", "is_hdr"), [(1, False), (16, True), (18, True)])
def test_an_hdr_video_is_recognised(transfer: int, is_hdr: bool, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.color_trc = transfer
        frame = av.VideoFrame.from_ndarray(four_colours(), format="rgb24").reformat(
            format="yuv420p"
        )
        frame.color_trc = transfer
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_video(tmp_path / "film.mp4", fps=25, max_side=1280) as video:
        next(video.frames())
        assert video.is_hdr == is_hdr


def test_a_4k_video_is_scaled_down_while_decoding(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", numbered(2, size=(3840, 2160)))
    with open_video(tmp_path / "film.mp4", fps=25, max_side=640) as video:
        pictures = list(video.frames())
        assert video.stored_size == (3840, 2160)
    assert [p.shape for p in pictures] == [(360, 640, 3)] * 2


def test_a_long_video_is_not_decoded_beyond_the_frames_taken(tmp_path: Path) -> None:
    film(tmp_path / "film.mkv", numbered(2), times=[0, 600_000])
    with open_video(tmp_path / "film.mkv", fps=25, max_side=1280) as video:
        assert [number_of(p) for p in islice(video.frames(), 3)] == [0, 0, 0]
        assert video.announced_s is not None and video.announced_s >= 600


def test_a_video_without_its_index_is_truncated(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4", numbered(50))
    cut = cut_off(whole, tmp_path / "cut.mp4", 0.5)
    with pytest.raises(DamagedMediaError, match=r"truncated.*Send the file again"):
        read_video(cut)


def test_a_video_that_ends_before_its_announced_end_is_used_and_noted(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8)
    whole = film(tmp_path / "whole.mp4", list(noise), faststart=True)
    cut = cut_off(whole, tmp_path / "cut.mp4", 0.6)
    with open_video(cut, fps=25, max_side=1280) as video:
        pictures = list(video.frames())
        notes = video.notes
    assert 30 <= len(pictures) <= 38
    assert all(np.array_equal(*pair) for pair in zip(pictures, read_video(whole), strict=False))
    assert "although 2.4 s are announced" in notes[-1]


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    options = {"movflags": "empty_moov+frag_custom"}
    with av.open(str(tmp_path / "film.mp4"), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(DamagedMediaError, match="has no frames"):
        read_video(tmp_path / "film.mp4")


def test_a_video_of_audio_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(MediaError, match="no video stream"):
        read_video(tmp_path / "sound.mp4")


def test_a_video_that_changes_its_size_keeps_that_of_its_first_frame(tmp_path: Path) -> None:
    film(tmp_path / "a.mkv", numbered(3))
    film(tmp_path / "b.mkv", numbered(3, size=(96, 80)))
    with (
        av.open(str(tmp_path / "a.mkv")) as first,
        av.open(str(tmp_path / "b.mkv")) as second,
        av.open(str(tmp_path / "film.mkv"), "w") as joined,
    ):
        stream = joined.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for k, frame in enumerate([*first.decode(video=0), *second.decode(video=0)]):
            jpeg = av.CodecContext.create("mjpeg", "w")
            jpeg.width, jpeg.height, jpeg.pix_fmt = frame.width, frame.height, "yuvj420p"
            jpeg.time_base = Fraction(1, 25)
            (packet,) = jpeg.encode(frame.reformat(format="yuvj420p"))
            packet.stream, packet.pts, packet.dts = stream, k, k
            packet.time_base = Fraction(1, 25)
            joined.mux(packet)
    pictures = read_video(tmp_path / "film.mkv")
    assert [p.shape for p in pictures] == [(48, 64, 3)] * 6
    assert [number_of(p) for p in pictures] == [0, 1, 2, 0, 1, 2]
