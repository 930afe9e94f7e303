"""Display matrices of every kind are read exactly, and clips are joined as players show them."""

import io
import struct
import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from session.errors import ClipUnfitError, CopyFailedError
from session.mp4.concat_clips import concat_clips
from session.mp4.concat_demuxer import verify_boundaries
from session.orientation import AS_STORED, Orientation, OrientationReader, orientation_of
from tests.session.mp4.sample_clips import again, clip

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ONE = 1 << 16
Matrix = tuple[int, int, int, int]
EIGHT: list[Matrix] = [
    (x * first, x * second, y * second, y * first)
    for first, second in ((1, 0), (0, 1))
    for x in (1, -1)
    for y in (1, -1)
]
"""(a, b, c, d) of the eight right-angled matrices."""
TURNS = [(rotate, flip) for rotate in (0, 90, 180, 270) for flip in ("", "horizontal", "vertical")]


def stored(width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return a grey picture with a different level in each quarter."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2], picture[: height // 2, width // 2 :] = 40, 90
    picture[height // 2 :, : width // 2], picture[height // 2 :, width // 2 :] = 150, 210
    return picture


def marked(path: Path, matrix: Sequence[float], codec: str = "libx264") -> Path:
    """Write a short film with (a, b, c, d), in units of 1, as its display matrix."""
    a, b, c, d = (round(value * ONE) for value in matrix)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        frame = av.VideoFrame.from_ndarray(stored(), format="bgr24")
        for _ in range(3):
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return path


def as_read(path: Path) -> tuple[Orientation, NDArray[np.uint8]]:
    """Return the orientation of a film's first picture, and the picture upright."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        orientation = OrientationReader().read(frame)
        return orientation, orientation.applied(frame.to_ndarray(format="gray"))


def as_shown(path: Path, number: int = 0) -> NDArray[np.uint8]:
    """Decode one picture as the ffmpeg program shows it."""
    command = [FFMPEG, "-v", "error", "-i", str(path), "-vf", f"select=eq(n\\,{number})"]
    command += ["-frames:v", "1", "-f", "image2pipe", "-c:v", "png", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return np.asarray(Image.open(io.BytesIO(done.stdout)).convert("L"))


def are_alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    return one.shape == other.shape and np.abs(one.astype(int) - other).mean() < 6


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("matrix", EIGHT)
def test_all_eight_orientations_are_those_of_ffmpeg(
    matrix: Matrix, suffix: str, tmp_path: Path
) -> None:
    path = marked(tmp_path / f"film.{suffix}", matrix)
    orientation, upright = as_read(path)
    assert orientation.inexact is None
    assert are_alike(upright, as_shown(path))


@pytest.mark.parametrize(("rotate", "flip"), TURNS)
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_an_orientation_within_the_h264_stream_is_that_of_ffmpeg(
    rotate: int, flip: str, suffix: str, tmp_path: Path
) -> None:
    plain = marked(tmp_path / "plain.mp4", (1, 0, 0, 1))
    bitstream_filter = f"h264_metadata=display_orientation=insert:rotate={rotate}"
    bitstream_filter += f":flip={flip}" if flip else ""
    path = again(plain, tmp_path / f"film.{suffix}", "-c", "copy", "-bsf:v", bitstream_filter)
    orientation, upright = as_read(path)
    assert (orientation == AS_STORED) == (rotate == 0 and not flip)
    assert are_alike(upright, as_shown(path))


def packed(path: Path, codec: str, pix_fmt: str, pictures: list[bytes]) -> Path:
    """Write a film with these bytes as its encoded pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        container.start_encoding()
        for number, data in enumerate(pictures):
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            packet.is_keyframe = True
            container.mux(packet)
    return path


@pytest.mark.parametrize("mark", range(1, 9))
def test_an_exif_orientation_of_a_motion_jpeg_is_that_of_ffmpeg(mark: int, tmp_path: Path) -> None:
    """PyAV's own side data raises ValueError here."""
    exif, data = Image.Exif(), io.BytesIO()
    exif[0x112] = mark
    Image.fromarray(stored()).save(data, "jpeg", quality=95, exif=exif)
    path = packed(tmp_path / "film.mov", "mjpeg", "yuvj420p", [data.getvalue()] * 2)
    assert are_alike(as_read(path)[1], as_shown(path))


def test_colour_profiles_in_the_pictures_do_not_end_the_process(tmp_path: Path) -> None:
    """PyAV's own side data frees the profile's name twice."""
    profile, data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")), io.BytesIO()
    Image.fromarray(stored()).save(data, "png", icc_profile=profile.tobytes())
    path = packed(tmp_path / "film.mov", "png", "rgb24", [data.getvalue()] * 5)
    reader = OrientationReader()
    with av.open(str(path)) as container:
        assert [reader.read(frame) for frame in container.decode(video=0)] == [AS_STORED] * 5


def bytes_of(matrix: Sequence[float]) -> bytes:
    a, b, c, d = (round(value * ONE) for value in matrix)
    return struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)


def turned(degrees: float, mirror: int = 1) -> tuple[float, float, float, float]:
    angle = np.radians(degrees)
    return mirror * np.cos(angle), mirror * np.sin(angle), -np.sin(angle), np.cos(angle)


@pytest.mark.parametrize("mirror", [1, -1])
@pytest.mark.parametrize("right", [0, 90, 180, 270])
def test_matrices_off_a_right_angle_give_the_nearest_and_a_note(right: int, mirror: int) -> None:
    exact = orientation_of(bytes_of(turned(right, mirror)))
    for off in (-0.9, 0.9):
        assert orientation_of(bytes_of(turned(right + off, mirror))) == exact
    for off in (-44, -5, 1.5, 30):
        found = orientation_of(bytes_of(turned(right + off, mirror)))
        shown = found.applied(stored())
        assert np.array_equal(shown, exact.applied(stored()))
        assert found.inexact is not None
        assert "is not a right-angled turn or mirror" in found.note
    assert not exact.note


@pytest.mark.parametrize("matrix", [(0, 0, 0, 0), (1, 0, 0, 0), (1, 1, 1, 1), (0, -1, 0, 1)])
def test_a_singular_matrix_leaves_the_pictures_as_stored_with_a_note(matrix: Matrix) -> None:
    found = orientation_of(bytes_of(matrix))
    assert np.array_equal(found.applied(stored()), stored())
    assert "used as stored" in found.note


@pytest.mark.parametrize("scale", [0.5, 2, 1000])
@pytest.mark.parametrize("matrix", EIGHT)
def test_a_scale_does_not_change_the_orientation(matrix: Matrix, scale: float) -> None:
    scaled = [value * scale for value in matrix]
    assert orientation_of(bytes_of(scaled)) == orientation_of(bytes_of(matrix))


def patched(path: Path, out: Path, matrix: Sequence[float]) -> Path:
    """Copy an MP4 with this matrix in the header of its video track."""
    data = bytearray(path.read_bytes())
    box = data.index(b"tkhd") + 4
    at = box + (52 if data[box] == 1 else 40)
    a, b, c, d = (round(value * ONE) for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    out.write_bytes(data)
    return out


def joined_pictures(path: Path) -> list[NDArray[np.uint8]]:
    reader = OrientationReader()
    with av.open(str(path)) as container:
        return [
            reader.read(frame).applied(frame.to_ndarray(format="gray"))
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize("matrix", EIGHT[1:])
def test_clips_of_another_orientation_are_not_copied_into_one_track(
    matrix: Matrix, tmp_path: Path
) -> None:
    first, out = clip(tmp_path / "first.mp4", 6), tmp_path / "out.mp4"
    other = patched(first, tmp_path / "other.mp4", matrix)
    for pair in ((first, other), (other, first)):
        with pytest.raises(ClipUnfitError, match=r"its orientation is .* instead of") as error:
            concat_clips(pair, out)
        assert "--normalise" in str(error.value)
        assert not out.exists()
        concat_clips(pair, out, normalises=True)
        shown = joined_pictures(out)
        assert are_alike(shown[1], as_shown(pair[0], 1))
        assert are_alike(shown[7], as_shown(pair[1], 1))
        out.unlink()


@pytest.mark.parametrize("matrix", EIGHT)
def test_clips_of_one_orientation_are_copied_and_keep_it(matrix: Matrix, tmp_path: Path) -> None:
    first, out = clip(tmp_path / "first.mp4", 6), tmp_path / "out.mp4"
    other = patched(first, tmp_path / "other.mp4", matrix)
    concat_clips([other, other], out)
    expected = as_shown(other, 1)
    assert all(are_alike(picture, expected) for picture in joined_pictures(out)[1::6])
    assert are_alike(as_shown(out, 7), expected)


def test_an_orientation_that_copying_loses_is_noticed(tmp_path: Path) -> None:
    """The first clip has it in its stream, the second in its track header, which copying drops."""
    plain, out = clip(tmp_path / "plain.mp4", 6), tmp_path / "out.mp4"
    bitstream_filter = "h264_metadata=display_orientation=insert:rotate=0:flip=horizontal"
    inner = again(plain, tmp_path / "inner.mp4", "-c", "copy", "-bsf:v", bitstream_filter)
    outer = patched(plain, tmp_path / "outer.mp4", (-1, 0, 0, 1))
    with pytest.raises(CopyFailedError, match="--normalise"):
        concat_clips([inner, outer], out)
    assert not out.exists()


def test_the_pictures_at_a_clip_boundary_must_have_the_expected_orientation(tmp_path: Path) -> None:
    path = marked(tmp_path / "film.mp4", (-1, 0, 0, 1))
    mirrored = Orientation(flips_x=True)
    verify_boundaries(path, [Fraction(0)], Fraction(25), mirrored)
    with pytest.raises(CopyFailedError, match="shown mirrored left to right instead of as stored"):
        verify_boundaries(path, [Fraction(0)], Fraction(25), AS_STORED)


@pytest.mark.parametrize("matrix", [turned(30), (0, 0, 0, 0)])
def test_joining_notes_a_matrix_that_cannot_be_followed(
    matrix: Sequence[float], tmp_path: Path
) -> None:
    first, out = clip(tmp_path / "first.mp4", 6), tmp_path / "out.mp4"
    other = patched(first, tmp_path / "other.mp4", matrix)
    with pytest.raises(ClipUnfitError, match="its orientation is"):
        concat_clips([first, other], out)
    joined = concat_clips([first, other], out, normalises=True)
    assert any("other.mp4: The display matrix" in note for note in joined.notes)
    shown = joined_pictures(out)
    assert are_alike(shown[7], shown[1])
