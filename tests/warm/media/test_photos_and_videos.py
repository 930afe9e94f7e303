"""Decoding of photos and videos of every kind to upright, opaque, 8-bit BGR pictures."""

import io
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.warm.sample_videos import Picture, as_frame, cut_off, film, number_of, numbered
from warm.media.photo import read_photo
from warm.media.sniff import DamagedMediaError, MediaError, UnknownMediaError, sniff
from warm.media.video import frames_at_rate, open_video
from warm.prepare.source import orientation_note

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
"""RGB."""


def corners() -> Picture:
    """(48, 64, 3) RGB with a different colour in each quarter."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32], picture[:24, 32:] = RED, GREEN
    picture[24:, :32], picture[24:, 32:] = BLUE, WHITE
    return picture


def quarters(picture: Picture) -> list[list[int]]:
    """RGB, rounded to 0 or 255, at the centres of a BGR picture's quarters, row by row."""
    height, width = picture.shape[:2]
    return [
        (np.round(picture[y * height // 4, x * width // 4, ::-1] / 255) * 255).astype(int).tolist()
        for y in (1, 3)
        for x in (1, 3)
    ]


def read_video(path: Path, *, fps: int = 25, max_side: int = 1280) -> list[Picture]:
    with open_video(path, fps=fps, max_side=max_side) as video:
        return list(video.frames())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_for_every_exif_orientation(orientation: int, tmp_path: Path) -> None:
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = Image.fromarray(corners())
    stored = image if undo is None else image.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95, subsampling=0)
    photo = read_photo(tmp_path / "photo.jpg", max_side=1280)
    assert photo.picture.shape == (48, 64, 3)
    assert quarters(photo.picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


def test_transparent_parts_are_composited_over_white(tmp_path: Path) -> None:
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:, :4] = (200, 100, 0, 0)
    rgba[:, 4:] = (200, 100, 0, 128)
    Image.fromarray(rgba).save(tmp_path / "photo.png")
    picture = read_photo(tmp_path / "photo.png", max_side=1280).picture
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert np.abs(picture[0, 7].astype(int) - [127, 177, 227]).max() <= 1


def test_a_palette_with_a_transparent_colour_is_composited_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 4, 8))
    image.save(tmp_path / "photo.png", transparency=0)
    picture = read_photo(tmp_path / "photo.png", max_side=1280).picture
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[0, 7].tolist() == [255, 0, 0]


def test_sixteen_bit_greys_are_scaled_to_eight_bits(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    cv2.imwrite(str(tmp_path / "grey.png"), ramp)
    cv2.imwrite(str(tmp_path / "colour.png"), np.dstack([ramp, ramp // 2, ramp // 4]))
    grey = read_photo(tmp_path / "grey.png", max_side=1280).picture[0].astype(float)
    colour = read_photo(tmp_path / "colour.png", max_side=1280).picture[0].astype(float)
    expected = np.linspace(0, 255, 64)
    assert np.abs(grey - expected[:, None]).max() <= 1
    assert np.abs(colour - np.outer(expected, [1, 0.5, 0.25])).max() <= 1.1


def test_a_grey_photo_has_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 10), 77, np.uint8)).save(tmp_path / "photo.bmp")
    picture = read_photo(tmp_path / "photo.bmp", max_side=1280).picture
    assert picture.shape == (8, 10, 3)
    assert (picture == 77).all()


def test_a_cmyk_photo_keeps_its_colours(tmp_path: Path) -> None:
    Image.fromarray(corners()).convert("CMYK").save(tmp_path / "photo.jpg", quality=95)
    picture = read_photo(tmp_path / "photo.jpg", max_side=1280).picture
    assert quarters(picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


def test_odd_sides_lose_one_row_or_column(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((33, 21, 3), np.uint8)).save(tmp_path / "photo.webp")
    photo = read_photo(tmp_path / "photo.webp", max_side=1280)
    assert photo.picture.shape == (32, 20, 3)
    assert photo.stored_size == (21, 33)


def test_a_large_photo_is_scaled_down_and_reports_its_stored_size(tmp_path: Path) -> None:
    big = np.asarray(Image.fromarray(corners()).resize((3840, 2160), Image.Resampling.NEAREST))
    Image.fromarray(big).save(tmp_path / "photo.jpg", subsampling=0)
    photo = read_photo(tmp_path / "photo.jpg", max_side=1280)
    assert photo.picture.shape == (720, 1280, 3)
    assert photo.stored_size == (3840, 2160)
    assert quarters(photo.picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_a_truncated_photo_is_refused(suffix: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / f"whole{suffix}")
    cut = cut_off(tmp_path / f"whole{suffix}", tmp_path / f"cut{suffix}", 0.5)
    with pytest.raises(DamagedMediaError, match="Send the file again"):
        read_photo(cut, max_side=1280)


def test_a_huge_photo_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "photo.png")
    with pytest.raises(MediaError, match=r"more than 89 megapixels.*Scale it down"):
        read_photo(tmp_path / "photo.png", max_side=1280)


def test_a_tiny_picture_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 9)).save(tmp_path / "line.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    for name, size in (("line.png", "2000x9"), ("dot.png", "1x1")):
        with pytest.raises(MediaError, match=rf"{size} pixels.*at least 8 pixels"):
            read_photo(tmp_path / name, max_side=1280)


def test_a_colour_profile_is_applied_and_an_invalid_one_is_noted(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(corners())
    image.save(tmp_path / "good.png", icc_profile=srgb)
    image.save(tmp_path / "bad.png", icc_profile=b"no profile at all")
    image.convert("CMYK").save(tmp_path / "wrong.jpg", icc_profile=srgb, quality=95)
    good, bad, wrong = (
        read_photo(tmp_path / name, max_side=1280) for name in ("good.png", "bad.png", "wrong.jpg")
    )
    for photo in (good, bad, wrong):
        assert quarters(photo.picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]
    assert good.notes == ()
    assert "colour profile is invalid" in bad.notes[0] and bad.notes == wrong.notes


def test_the_format_follows_from_the_content_and_not_from_the_name(tmp_path: Path) -> None:
    Image.fromarray(corners()).save(tmp_path / "photo.png")
    (tmp_path / "photo.png").rename(tmp_path / "video.mp4")
    assert sniff(tmp_path / "video.mp4").kind == "photo"
    assert read_photo(tmp_path / "video.mp4", max_side=99).picture.shape == (48, 64, 3)
    film(tmp_path / "film.mp4", numbered(3)).rename(tmp_path / "film.jpg")
    assert sniff(tmp_path / "film.jpg").kind == "video"
    assert len(read_video(tmp_path / "film.jpg")) == 3


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", DamagedMediaError, "empty"),
        (b"%PDF-1.7 not a face", UnknownMediaError, "25 50 44 46.*JPEG, PNG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", UnknownMediaError, "HEIF or AVIF.*JPEG"),
    ],
)
def test_unsupported_files_are_refused_with_advice(
    content: bytes, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(error, match=message):
        sniff(tmp_path / "photo.jpg")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"There is no file .*gone\.jpg"):
        sniff(tmp_path / "gone.jpg")
    with pytest.raises(MediaError, match="is a folder"):
        sniff(tmp_path)


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
    stored = np.ascontiguousarray(np.rot90(corners(), -rotation // 90)[..., ::-1])
    film(tmp_path / "film.mp4", [stored] * 2, rotation=rotation)
    picture = read_video(tmp_path / "film.mp4")[0]
    assert picture.shape == (48, 64, 3)
    assert quarters(picture) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


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
    stored = np.ascontiguousarray(storing(corners())[..., ::-1])
    with open_video(
        marked(tmp_path / f"film.{suffix}", stored, matrix), fps=25, max_side=1280
    ) as video:
        pictures = list(video.frames())
        assert video.stored_size == (64, 48)
        assert not video.orientation.note
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 2
    assert quarters(pictures[0]) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


@pytest.mark.parametrize("matrix", [(0.5, 0.866, -0.866, 0.5), (0, 0, 0, 0), (1, 0, 1, 0)])
def test_a_matrix_that_is_no_right_angled_rotation_is_noted(
    matrix: tuple[float, float, float, float], tmp_path: Path
) -> None:
    path = marked(tmp_path / "film.mp4", np.ascontiguousarray(corners()[..., ::-1]), matrix)
    with open_video(path, fps=25, max_side=1280) as video:
        shape = next(video.frames()).shape
        assert shape == ((64, 48, 3) if matrix[1] else (48, 64, 3))
        (note,) = orientation_note(video)
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
            Image.fromarray(corners()).save(data, "jpeg", quality=95, exif=exif)
            packet = av.Packet(data.getvalue())
            packet.stream, packet.pts, packet.dts = stream, k, k
            packet.time_base = Fraction(1, 25)
            container.mux(packet)
    pictures = read_video(tmp_path / "film.mov")
    assert [picture.shape for picture in pictures] == [(48, 64, 3)] * 4
    assert quarters(pictures[1]) == [[*RED], [*GREEN], [*BLUE], [*WHITE]]
    assert quarters(pictures[2]) == [[*BLUE], [*RED], [*WHITE], [*GREEN]]
    assert quarters(pictures[3]) == [[*GREEN], [*RED], [*WHITE], [*BLUE]]


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
        frame = av.VideoFrame.from_ndarray(corners(), format="rgb24").reformat(format="yuv420p")
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


def test_a_video_that_ends_before_its_announced_end_is_truncated(
    tmp_path: Path,
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), np.uint8)
    whole = film(tmp_path / "whole.mp4", list(noise), faststart=True)
    cut = cut_off(whole, tmp_path / "cut.mp4", 0.6)
    with pytest.raises(DamagedMediaError, match="truncated"):
        read_video(cut)


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
