"""Interlaced videos are deinterlaced, however they are marked; others stay as they are."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.warm.media.interlaced_films import FFMPEG, combing, encode, moving, woven
from tests.warm.media.pictures import read_video
from tests.warm.sample_videos import Picture, film, swaying
from warm.media.video import open_video

SIZE = (320, 240)
INTRA = ["-pix_fmt", "yuv420p", "-crf", "12"]
X264 = ["-c:v", "libx264", *INTRA, "-flags", "+ilme+ildct"]
MPEG2 = ["-c:v", "mpeg2video", "-pix_fmt", "yuv420p", "-q:v", "2", "-flags", "+ilme+ildct"]
MARKED_TOP, MARKED_BOTTOM = ["-vf", "setfield=tff"], ["-vf", "setfield=bff"]
BOTTOM_FIRST = True

KINDS = {
    "H.264 MBAFF": ("a.mp4", False, [*MARKED_TOP, *X264, "-x264-params", "tff=1"]),
    "H.264 bottom first": ("a.mp4", BOTTOM_FIRST, [*MARKED_BOTTOM, *X264, "-x264-params", "bff=1"]),
    "H.264 with the wrong order": (
        "a.mkv",
        False,
        [*MARKED_BOTTOM, *X264, "-x264-params", "bff=1"],
    ),
    "H.264 marked as progressive": ("a.mp4", False, ["-c:v", "libx264", *INTRA]),
    "bottom first marked as progressive": ("a.mov", BOTTOM_FIRST, ["-c:v", "libx264", *INTRA]),
    "H.264 fake-interlaced": (
        "a.mp4",
        False,
        ["-c:v", "libx264", *INTRA, "-x264-params", "fake-interlaced=1"],
    ),
    "MPEG-2": ("a.mov", False, [*MARKED_TOP, *MPEG2]),
    "MPEG-2 bottom first": ("a.mkv", BOTTOM_FIRST, [*MARKED_BOTTOM, *MPEG2]),
    "ProRes": ("a.mov", False, [*MARKED_TOP, "-c:v", "prores_ks", "-flags", "+ildct"]),
    "MJPEG": ("a.avi", False, [*MARKED_TOP, "-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-q:v", "2"]),
    "MPEG-4 ASP": (
        "a.avi",
        False,
        [*MARKED_TOP, "-c:v", "mpeg4", "-q:v", "2", "-flags", "+ilme+ildct"],
    ),
    "VP9": ("a.webm", False, ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-crf", "12"]),
}


def read_with_notes(path: Path) -> tuple[list[Picture], list[str]]:
    with open_video(path, fps=25, max_side=1280) as video:
        return list(video.frames()), video.notes


@pytest.mark.parametrize("kind", KINDS)
def test_an_interlaced_video_is_deinterlaced_and_noted(kind: str, tmp_path: Path) -> None:
    name, bottom_first, options = KINDS[kind]
    pictures = moving(24, SIZE)
    path = encode(tmp_path / name, woven(pictures, bottom_first=bottom_first), *options)
    frames, notes = read_with_notes(path)
    assert len(frames) == 12
    assert "The video is interlaced; it was deinterlaced." in notes
    progressive = np.mean([combing(picture) for picture in pictures])
    stored = np.mean([combing(picture) for picture in woven(pictures)])
    found = np.mean([combing(frame) for frame in frames[1:]])
    assert stored > 3 * progressive
    assert found < 1.5 * progressive


def test_a_dv_video_is_deinterlaced(tmp_path: Path) -> None:
    pictures = moving(20, (720, 576))
    options = ["-vf", "setfield=bff", "-c:v", "dvvideo", "-pix_fmt", "yuv420p", "-aspect", "4:3"]
    path = encode(tmp_path / "a.avi", woven(pictures, bottom_first=True), *options)
    frames, notes = read_with_notes(path)
    assert frames[0].shape == (576, 768, 3)
    assert "The video is interlaced; it was deinterlaced." in notes
    assert np.mean([combing(frame) for frame in frames[1:]]) < 1.5 * combing(pictures[0])


def test_the_times_of_deinterlaced_frames_stay(tmp_path: Path) -> None:
    pictures = moving(40, SIZE)
    options = [*MARKED_TOP, *X264, "-x264-params", "tff=1"]
    path = encode(tmp_path / "a.mp4", woven(pictures), *options, fps=25)
    frames, _ = read_with_notes(path)
    for k, frame in enumerate(frames[1:-1], start=1):
        distances = [np.abs(frame.astype(int) - each).mean() for each in pictures]
        assert int(np.argmin(distances)) in (2 * k, 2 * k + 1)


def test_a_video_that_is_interlaced_only_later_is_deinterlaced_from_there(tmp_path: Path) -> None:
    pictures = moving(200, (160, 120))
    mpeg2 = ["-c:v", "mpeg2video", "-pix_fmt", "yuv420p", "-q:v", "2"]
    first = encode(tmp_path / "a.mkv", pictures[:80], *mpeg2)
    second = encode(tmp_path / "b.mkv", woven(pictures[80:]), *MARKED_TOP, *MPEG2)
    (tmp_path / "list").write_text(f"file '{first.name}'\nfile '{second.name}'\n")
    command = [FFMPEG, "-v", "error", "-f", "concat", "-i", str(tmp_path / "list"), "-c", "copy"]
    subprocess.run([*command, str(tmp_path / "film.mkv")], check=True, timeout=60)
    frames, notes = read_with_notes(tmp_path / "film.mkv")
    assert "The video is interlaced; it was deinterlaced." in notes
    assert len(frames) >= 135
    assert np.mean([combing(frame) for frame in frames[82:]]) < 1.6 * combing(pictures[100])


@pytest.mark.parametrize("crf", ["10", "40"])
def test_a_progressive_video_is_not_changed(crf: str, tmp_path: Path) -> None:
    pictures = moving(40, SIZE)
    options = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", crf]
    frames, notes = read_with_notes(encode(tmp_path / "a.mp4", pictures, *options))
    assert notes == [] and len(frames) == 40
    still = film(tmp_path / "b.mp4", swaying(40))
    assert read_with_notes(still)[1] == []


def test_stripes_and_noise_are_not_taken_for_combing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stripes = np.zeros((240, 320, 3), np.uint8)
    stripes[::2] = 255
    moved = [np.roll(stripes, (k // 3, 4 * k), axis=(0, 1)) for k in range(40)]
    noise = [rng.integers(0, 255, (120, 160, 3), np.uint8) for _ in range(40)]
    for frames in (moved, noise):
        path = encode(tmp_path / "a.mp4", frames, "-c:v", "libx264", "-pix_fmt", "yuv420p")
        assert read_with_notes(path)[1] == []


def test_a_progressive_video_that_is_marked_as_interlaced_stays_sharp(tmp_path: Path) -> None:
    pictures = moving(30, SIZE)
    path = encode(tmp_path / "a.mp4", pictures, *MARKED_TOP, *X264, "-x264-params", "tff=1")
    frames = read_video(path)
    assert len(frames) == 30
    assert np.abs(frames[10].astype(int) - pictures[10]).mean() < 6
