"""Formats that cameras, phones and editors write keep their colours, lengths and shapes."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.warm.media.interlaced_films import FFMPEG
from tests.warm.media.pictures import BLUE, GREEN, RED, WHITE, colours_of, four_colours
from tests.warm.sample_videos import Picture, film, number_of, numbered
from warm.media.photo import read_photo
from warm.media.sniff import UnknownMediaError, sniff
from warm.media.video import open_video

UPRIGHT = [[*RED], [*GREEN], [*BLUE], [*WHITE]]
BARS = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", "25", "-i", "-"]
HLG = "setparams=color_trc=arib-std-b67:color_primaries=bt2020:colorspace=bt2020nc"


def encoded(path: Path, *options: str, count: int = 3) -> Path:
    """Encode the four colours with the ffmpeg program."""
    command = [FFMPEG, "-v", "error", "-y", *BARS, *options, str(path)]
    subprocess.run(command, input=four_colours().tobytes() * count, check=True, timeout=60)
    return path


def read_with_notes(path: Path) -> tuple[list[Picture], list[str]]:
    with open_video(path, fps=25, max_side=1280) as video:
        return list(video.frames()), video.notes


COLOURS = {
    "full range 709": ("mp4", "scale=out_range=pc:out_color_matrix=bt709,format=yuv420p", "libx264",
                       ["-color_range", "pc", "-colorspace", "bt709"]),
    "limited range 601": ("mp4", "scale=out_color_matrix=bt601,format=yuv420p", "libx264",
                          ["-colorspace", "smpte170m"]),
    "MJPEG 4:2:2": ("avi", "format=yuvj422p", "mjpeg", ["-q:v", "2"]),
    "RGB H.264": ("mp4", "format=gbrp", "libx264rgb", ["-pix_fmt", "rgb24"]),
    "palette": ("mov", "format=pal8", "qtrle", []),
    "10 bits HEVC 4:2:2": ("mp4", "scale=out_color_matrix=bt709,format=yuv422p10le", "libx265",
                           ["-colorspace", "bt709", "-x265-params", "log-level=none"]),
    "ProRes": ("mov", "scale=out_color_matrix=bt709,format=yuv422p10le", "prores_ks",
               ["-colorspace", "bt709"]),
    "AV1": ("mkv", "scale=out_color_matrix=bt601,format=yuv420p", "libsvtav1",
            ["-svtav1-params", "fast-decode=1", "-preset", "10"]),
    "DivX": ("avi", "scale=out_color_matrix=bt601,format=yuv420p", "mpeg4",
             ["-vtag", "DX50", "-q:v", "2"]),
    "VP9": ("webm", "scale=out_color_matrix=bt601,format=yuv420p", "libvpx-vp9", []),
}  # fmt: skip


@pytest.mark.parametrize("name", COLOURS)
def test_colours_are_right(name: str, tmp_path: Path) -> None:
    suffix, filters, codec, options = COLOURS[name]
    path = encoded(tmp_path / f"film.{suffix}", "-vf", filters, "-c:v", codec, *options)
    frames, notes = read_with_notes(path)
    assert len(frames) == 3 and notes == []
    assert colours_of(frames[1]) == UPRIGHT
    for y, x, expected in ((12, 16, RED), (12, 48, GREEN), (36, 16, BLUE), (36, 48, WHITE)):
        assert np.abs(frames[1][y, x, ::-1].astype(int) - expected).max() <= 16


def test_a_grey_video_is_grey(tmp_path: Path) -> None:
    options = ["-vf", "format=gray", "-c:v", "ffv1"]
    frames, _ = read_with_notes(encoded(tmp_path / "film.mkv", *options))
    assert np.ptp(frames[0].astype(int), axis=2).max() <= 1
    assert abs(int(frames[0][12, 16, 0]) - 76) <= 3  # the luma of red


def test_an_hlg_video_is_used_and_noted(tmp_path: Path) -> None:
    options = ["-c:v", "libx265", "-x265-params", "log-level=none"]
    options += ["-vf", f"format=yuv420p10le,{HLG}"]
    frames, notes = read_with_notes(encoded(tmp_path / "film.mp4", *options))
    assert len(frames) == 3
    assert notes == [
        "The video is HDR; its colours will look pale. Record or export it as SDR (Rec. 709)."
    ]


@pytest.mark.parametrize(("rate", "seconds"), [("60", 1.0), ("24000/1001", 1.001), ("15", 1.0)])
def test_videos_of_any_rate_keep_their_length(rate: str, seconds: float, tmp_path: Path) -> None:
    source = f"testsrc=s=64x48:r={rate}:d={seconds}"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    subprocess.run([*command, str(tmp_path / "film.mp4")], check=True, timeout=60)
    assert len(read_with_notes(tmp_path / "film.mp4")[0]) == round(25 * seconds)


def test_an_edit_list_hides_the_pictures_before_its_start(tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", numbered(50))
    cut = [FFMPEG, "-v", "error", "-ss", "0.4", "-i", str(tmp_path / "film.mp4"), "-c", "copy"]
    subprocess.run([*cut, str(tmp_path / "cut.mp4")], check=True, timeout=60)
    numbers = [number_of(p) for p in read_with_notes(tmp_path / "cut.mp4")[0]]
    assert numbers == list(range(10, 50))


def test_pictures_that_begin_late_begin_at_once(tmp_path: Path) -> None:
    film(tmp_path / "film.mkv", numbered(5), times=[2000, 2040, 2080, 2120, 2160])
    assert [number_of(p) for p in read_with_notes(tmp_path / "film.mkv")[0]] == list(range(5))


@pytest.mark.parametrize("size", [(65, 49), (64, 49), (65, 48)])
def test_odd_sides_lose_one_row_or_column(size: tuple[int, int], tmp_path: Path) -> None:
    source = f"testsrc=s={size[0]}x{size[1]}:r=25:d=0.2"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    command += ["-pix_fmt", "yuv444p", str(tmp_path / "film.mp4")]
    subprocess.run(command, check=True, timeout=60)
    assert read_with_notes(tmp_path / "film.mp4")[0][0].shape == (48, 64, 3)


@pytest.mark.parametrize(
    "mode", ["L", "LA", "1", "P", "PA", "RGBA", "RGBX", "YCbCr", "LAB", "CMYK"]
)
def test_photos_of_every_mode_keep_their_colours(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(four_colours())
    if mode == "LAB":
        profiles = [ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
        converted = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
        assert converted is not None
    else:
        converted = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    is_jpeg = mode in {"YCbCr", "CMYK"}
    path = tmp_path / ("photo.jpg" if is_jpeg else "photo.tiff")
    if mode == "PA":
        path = tmp_path / "photo.png"
        converted = image.convert("P")
        converted.save(path, transparency=bytes([255] * 256))
    else:
        converted.save(path, **({"quality": 95, "subsampling": 0} if is_jpeg else {}))
    picture = read_photo(path, max_side=1280).picture
    if mode in {"L", "LA", "1"}:
        assert np.ptp(picture.astype(int), axis=2).max() <= 1
        assert (picture[36, 48].min() >= 250 and picture[36, 16].max() <= 30) or mode == "1"
    else:
        assert colours_of(picture) == UPRIGHT


def test_a_wide_gamut_profile_is_converted(tmp_path: Path) -> None:
    """Swaps red and green by a profile whose primaries are swapped."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    for mode, name in (("RGB", "a.jpg"), ("RGBA", "a.png"), ("P", "b.png")):
        image = Image.fromarray(four_colours()).convert(mode)
        image.save(tmp_path / name, icc_profile=bytes(profile))
        photo = read_photo(tmp_path / name, max_side=1280)
        assert colours_of(photo.picture) == [[*GREEN], [*RED], [*BLUE], [*WHITE]]
        assert not photo.notes


def test_the_profile_of_a_colour_photo_does_not_concern_a_grey_one(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = Image.fromarray(np.full((48, 64), 140, np.uint8))
    grey.save(tmp_path / "photo.jpg", icc_profile=srgb, quality=95)
    photo = read_photo(tmp_path / "photo.jpg", max_side=1280)
    assert not photo.notes and (photo.picture == 140).all()


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"FLV\x01\x05\0\0\0\x09", "an FLV video"),
        (b"\0\0\x01\xba\x44\0\x04", "an MPEG video"),
        ((b"G" + bytes(187)) * 4, "an MPEG transport stream"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a WMV video"),
        (b"OggS\0\x02", "an OGG file"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"<svg xmlns=", "a text file"),
        (b"ID3\x04", "a sound file"),
    ],
)
def test_other_formats_are_named_when_they_are_refused(
    head: bytes, name: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(head)
    with pytest.raises(UnknownMediaError, match=f"is {name}.*Send JPEG, PNG"):
        sniff(tmp_path / "file")


def test_a_stereo_photo_and_a_photo_with_a_thumbnail_are_read_once(tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    Image.new("RGB", (16, 16)).save(thumbnail, "jpeg")
    data = io.BytesIO()
    image = Image.fromarray(four_colours())
    image.save(data, "jpeg", quality=95, exif=b"Exif\0\0" + thumbnail.getvalue())
    (tmp_path / "photo.jpg").write_bytes(data.getvalue())
    assert colours_of(read_photo(tmp_path / "photo.jpg", max_side=1280).picture) == UPRIGHT
