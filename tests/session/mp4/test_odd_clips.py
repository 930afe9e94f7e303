"""Clips that are interlaced, transparent, mirrored or begin with a cover, joined as players show
them."""

import subprocess
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from session.errors import ClipUnfitError
from session.mp4.concat_clips import concat_clips
from tests.session.mp4.sample_clips import FFMPEG, again, clip
from tests.warm.media.interlaced_films import combing, encode, moving, woven
from tests.warm.sample_videos import portrait

SIZE = (160, 120)


def frames_of(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def first_clip(path: Path) -> Path:
    return encode(path, moving(10, SIZE), "-c:v", "libx264", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize("is_marked", [True, False])
def test_an_interlaced_clip_is_deinterlaced(is_marked: bool, tmp_path: Path) -> None:
    pictures = moving(24, SIZE)
    marks = ["-vf", "setfield=tff", "-flags", "+ilme+ildct", "-x264-params", "tff=1"]
    options = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "12"]
    second = encode(tmp_path / "b.mkv", woven(pictures), *options, *(marks if is_marked else []))
    out = tmp_path / "out.mp4"
    result = concat_clips([first_clip(tmp_path / "a.mp4"), second], out, normalises=True)
    frames = frames_of(out)
    assert len(frames) == 22
    assert np.mean([combing(frame) for frame in frames[11:]]) < 1.5 * combing(pictures[0])
    assert f"{second}: The video is interlaced; it was deinterlaced." in result.notes


def test_a_transparent_clip_is_shown_over_white(tmp_path: Path) -> None:
    picture = np.zeros((120, 160, 4), np.uint8)
    picture[:, 80:] = (0, 0, 255, 255)
    raw = ["-f", "rawvideo", "-pix_fmt", "bgra", "-s", "160x120", "-r", "25", "-i", "-"]
    command = [FFMPEG, "-v", "error", *raw, "-c:v", "libvpx", "-pix_fmt", "yuva420p"]
    command += ["-auto-alt-ref", "0", "-b:v", "1M", str(tmp_path / "b.webm")]
    subprocess.run(command, input=picture.tobytes() * 5, check=True)
    out = tmp_path / "out.mp4"
    clips = [first_clip(tmp_path / "a.mp4"), tmp_path / "b.webm"]
    result = concat_clips(clips, out, normalises=True)
    last = frames_of(out)[-1]
    assert last[60, 20].min() > 245
    assert np.abs(last[60, 140].astype(int) - [0, 0, 255]).max() < 25
    assert any("is transparent; it is shown over white" in note for note in result.notes)


@pytest.mark.parametrize(
    ("matrix", "storing"),
    [
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
        ((0, 1, -1, 0), lambda p: np.rot90(p, 1)),
    ],
)
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(4, 3)])
def test_a_mirrored_anamorphic_interlaced_clip_is_upright(
    matrix: tuple[int, int, int, int], storing: object, aspect: Fraction, tmp_path: Path
) -> None:
    upright = np.asarray(cv2.resize(portrait(), SIZE), np.uint8)
    assert callable(storing)
    stored = np.ascontiguousarray(storing(upright))
    squeezed = cv2.resize(stored, (round(stored.shape[1] / aspect) & ~1, stored.shape[0]))
    a, b, c, d = (value << 16 for value in matrix)
    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "tff=1"})
        stream.height, stream.width = squeezed.shape[:2]
        stream.pix_fmt, stream.codec_context.sample_aspect_ratio = "yuv420p", aspect
        stream.set_display_matrix([a, b, 0, c, d, 0, 0, 0, 1 << 30])
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(squeezed, format="bgr24")))
        container.mux(stream.encode())
    out = tmp_path / "out.mp4"
    concat_clips([first_clip(tmp_path / "a.mp4"), path], out, normalises=True)
    last = frames_of(out)[-1]
    assert last.shape == (120, 160, 3)
    assert np.abs(last.astype(int) - upright).mean() < 14


def test_a_cover_picture_before_the_pictures_of_a_clip_is_ignored(tmp_path: Path) -> None:
    first = first_clip(tmp_path / "a.mp4")
    cover = tmp_path / "cover.png"
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "color=red:s=320x240"]
    subprocess.run([*command, "-frames:v", "1", str(cover)], check=True)
    options = ["-i", str(first), "-map", "0", "-map", "1", "-c", "copy"]
    again(cover, tmp_path / "b.mkv", *options, "-disposition:v:0", "attached_pic")
    out = tmp_path / "out.mp4"
    concat_clips([first, tmp_path / "b.mkv"], out, normalises=True)
    frames = frames_of(out)
    assert len(frames) == 20
    assert np.abs(frames[13].astype(int) - frames[3]).mean() < 6


@pytest.mark.parametrize("has_name", [True, False])
def test_a_clip_in_hd_keeps_its_colours(has_name: bool, tmp_path: Path) -> None:
    skin = np.full((720, 1280, 3), (120, 150, 200), np.uint8)
    frame = av.VideoFrame.from_ndarray(skin, format="bgr24")
    yuv = frame.reformat(format="yuv420p", dst_colorspace=1, dst_color_range=1)
    path = tmp_path / "b.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        if has_name:
            stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
        container.mux([*stream.encode(yuv), *stream.encode()])
    out = tmp_path / "out.mp4"
    concat_clips([first_clip(tmp_path / "a.mp4"), path], out, normalises=True)
    centre = frames_of(out)[-1][60, 80]
    assert np.abs(centre.astype(int) - [120, 150, 200]).max() <= 6


def test_a_clip_with_pictures_that_cannot_be_decoded_is_refused(tmp_path: Path) -> None:
    path = clip(tmp_path / "b.mp4", 30, "-r", "30", "-g", "1", "-movflags", "faststart")
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for at, size in places[10:14]:
        data[at + 4 : at + size] = b"\xff" * (size - 4)
    path.write_bytes(data)
    first = first_clip(tmp_path / "a.mp4")
    with pytest.raises(ClipUnfitError, match="cannot be decoded"):
        concat_clips([first, path], tmp_path / "out.mp4", normalises=True)
