"""Videos with transparency, wrong or missing lengths, other streams and damage are used."""

import struct
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from tests.warm.media.interlaced_films import FFMPEG, encode, moving
from tests.warm.media.pictures import read_video
from tests.warm.sample_videos import Picture, cut_off, film, number_of, numbered
from warm.media.sniff import DamagedMediaError, MediaError
from warm.media.video import Video, open_video

TONE = ["-f", "lavfi", "-i", "sine=frequency=440:duration=5"]


def ffmpeg(*arguments: str | Path) -> None:
    command = [FFMPEG, "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=120)


def read_with_notes(path: Path) -> tuple[list[Picture], list[str]]:
    with open_video(path, fps=25, max_side=1280) as video:
        return list(video.frames()), video.notes


def opened(path: Path) -> Video:
    """Return a video after it was read to its end."""
    with open_video(path, fps=25, max_side=1280) as video:
        for _ in video.frames():
            pass
        return video


@pytest.mark.parametrize("codec", ["libvpx", "libvpx-vp9", "prores_ks", "qtrle", "png", "ffv1"])
def test_a_transparent_video_is_shown_over_white_and_noted(codec: str, tmp_path: Path) -> None:
    picture = np.zeros((96, 128, 4), np.uint8)
    picture[:, 64:] = (0, 0, 255, 255)
    suffix, pix_fmt, extra = {
        "libvpx": ("webm", "yuva420p", ["-auto-alt-ref", "0", "-b:v", "1M"]),
        "libvpx-vp9": ("webm", "yuva420p", ["-b:v", "1M"]),
        "prores_ks": ("mov", "yuva444p10le", ["-profile:v", "4444"]),
        "qtrle": ("mov", "argb", []),
        "png": ("mov", "rgba", []),
        "ffv1": ("mkv", "yuva420p", []),
    }[codec]
    path = tmp_path / f"film.{suffix}"
    raw = ["-f", "rawvideo", "-pix_fmt", "bgra", "-s", "128x96", "-r", "25", "-i", "-"]
    command = [FFMPEG, "-v", "error", *raw, "-c:v", codec, "-pix_fmt", pix_fmt, *extra, str(path)]
    subprocess.run(command, input=picture.tobytes() * 4, check=True, timeout=60)
    frames, notes = read_with_notes(path)
    assert len(frames) == 4
    for frame in frames:
        assert np.abs(frame[48, 16].astype(int) - 255).max() <= 3
        assert np.abs(frame[48, 112].astype(int) - [0, 0, 255]).max() <= 12
    assert "The video is transparent; it is shown over white." in notes


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4", "avi"])
def test_sound_that_outlasts_the_pictures_is_no_damage(suffix: str, tmp_path: Path) -> None:
    codecs = {"webm": ("libvpx", "libopus"), "avi": ("mpeg4", "mp3")}
    video, audio = codecs.get(suffix, ("libx264", "aac"))
    silent = film(tmp_path / f"film.{suffix}", numbered(25), codec=video)
    path = tmp_path / f"out.{suffix}"
    ffmpeg("-i", silent, *TONE, "-c:v", "copy", "-c:a", audio, path)
    numbers = [number_of(p) for p in read_video(path)]
    assert sorted(set(numbers)) == list(range(25))
    assert len(numbers) <= 26  # FFmpeg writes AVI with the second picture a frame late
    assert opened(path).notes == []


def test_a_matroska_file_without_its_tags_is_used_to_the_end_of_its_pictures(
    tmp_path: Path,
) -> None:
    film(tmp_path / "film.mkv", numbered(25))
    path = tmp_path / "out.mkv"
    live = ["-c:a", "aac", "-live", "1", path]
    ffmpeg("-i", tmp_path / "film.mkv", *TONE, "-c:v", "copy", *live)
    assert len(read_video(path)) == 25
    assert opened(path).notes == []


def test_subtitles_and_attachments_do_not_count(tmp_path: Path) -> None:
    film(tmp_path / "film.mkv", numbered(25))
    (tmp_path / "text.srt").write_text("1\n00:00:00,000 --> 00:01:00,000\nHello\n")
    ffmpeg("-f", "lavfi", "-i", "color=red:s=320x240", "-frames:v", "1", tmp_path / "cover.png")
    attached = ["-attach", tmp_path / "cover.png", "-metadata:s:t", "mimetype=image/png"]
    inputs = ["-i", tmp_path / "film.mkv", "-i", tmp_path / "text.srt"]
    ffmpeg(*inputs, "-c:v", "copy", "-c:s", "srt", *attached, tmp_path / "out.mkv")
    frames, notes = read_with_notes(tmp_path / "out.mkv")
    assert [number_of(p) for p in frames] == list(range(25)) and notes == []


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_cover_picture_before_the_video_is_not_the_video(suffix: str, tmp_path: Path) -> None:
    film(tmp_path / "film.mp4", numbered(10))
    ffmpeg("-f", "lavfi", "-i", "color=red:s=320x240", "-frames:v", "1", tmp_path / "cover.png")
    path = tmp_path / f"out.{suffix}"
    inputs = ["-i", tmp_path / "cover.png", "-i", tmp_path / "film.mp4", "-map", "0", "-map", "1"]
    ffmpeg(*inputs, "-c", "copy", "-disposition:v:0", "attached_pic", path)
    assert [number_of(p) for p in read_video(path)] == list(range(10))


def test_sound_with_a_cover_is_no_video(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=red:s=320x240", "-frames:v", "1", tmp_path / "cover.png")
    covers = ["-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic"]
    ffmpeg(*TONE, "-i", tmp_path / "cover.png", *covers, tmp_path / "out.m4a")
    with pytest.raises(MediaError, match="no video stream"):
        read_video(tmp_path / "out.m4a")


def test_a_placeholder_for_the_duration_of_the_last_frame_is_bounded(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", numbered(25))
    data = bytearray(path.read_bytes())
    at = data.index(b"stts")
    count, frames, ticks = struct.unpack_from(">3I", data, at + 8)
    assert (count, frames) == (1, 25)
    edit = data.index(b"elst")
    data[edit - 4 : edit + 4] = data[edit - 4 : edit] + b"free"
    two = struct.pack(">5I", 2, 24, ticks, 1, 0x7FFFFFFF)
    longer = data[: at + 8] + two + data[at + 8 + 12 :]
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stts"):
        box = longer.index(name) - 4
        (size,) = struct.unpack_from(">I", longer, box)
        struct.pack_into(">I", longer, box, size + 8)
    path.write_bytes(longer)
    pictures = read_video(path)
    assert [number_of(p) for p in pictures[:25]] == list(range(25))
    assert 25 <= len(pictures) <= 50


@pytest.mark.parametrize("duration", [0, 0xFFFFFFFF, 0x80000000])
def test_a_placeholder_for_the_duration_of_the_video_is_ignored(
    duration: int, tmp_path: Path
) -> None:
    path = film(tmp_path / "film.mp4", numbered(25))
    data = bytearray(path.read_bytes())
    for name, offset in ((b"mdhd", 20), (b"mvhd", 20), (b"tkhd", 24)):
        struct.pack_into(">I", data, data.index(name) + offset, duration)
    path.write_bytes(data)
    assert [number_of(p) for p in read_video(path)] == list(range(25))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "avi"])
def test_a_video_that_is_still_being_written_is_used_so_far(suffix: str, tmp_path: Path) -> None:
    codec = {"avi": ["-c:v", "mpeg4", "-q:v", "3"], "webm": ["-c:v", "libvpx", "-b:v", "2M"]}
    options = codec.get(suffix, ["-c:v", "libx264", "-crf", "16", "-g", "10"])
    if suffix == "mp4":
        options += ["-movflags", "frag_keyframe+empty_moov+default_base_moof"]
    pictures = moving(50, (160, 120))
    whole = encode(tmp_path / f"whole.{suffix}", pictures, *options, "-pix_fmt", "yuv420p")
    cut = cut_off(whole, tmp_path / f"cut.{suffix}", 0.7)
    frames, notes = read_with_notes(cut)
    assert 20 <= len(frames) <= 48
    assert all(
        np.abs(found.astype(int) - expected).mean() < 12
        for found, expected in zip(frames[:20], pictures, strict=False)
    )
    assert len(notes) <= 2
    if suffix != "mp4":  # a fragmented file announces nothing
        assert "missing" in notes[-1] or "are announced" in notes[-1]


def test_pictures_after_a_damaged_part_are_used_and_the_damage_is_noted(tmp_path: Path) -> None:
    pictures = moving(60, (160, 120))
    options = ["-c:v", "libx264", "-g", "5", "-bf", "0", "-pix_fmt", "yuv420p"]
    path = encode(tmp_path / "film.mkv", pictures, *options)
    with av.open(str(path)) as container:
        at = [packet.pos for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for k in range(20, 24):
        data[at[k] + 12 : at[k] + 200] = bytes(188)
    path.write_bytes(data)
    frames, notes = read_with_notes(path)
    assert len(frames) == 60
    assert np.abs(frames[50].astype(int) - pictures[50]).mean() < 12
    assert "pictures of the video are damaged, first at 0." in notes[0]


def test_a_video_of_which_nothing_can_be_decoded_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", numbered(5))
    data = path.read_bytes()
    at = data.index(b"mdat") + 4
    size = int.from_bytes(data[at - 8 : at - 4]) - 8
    path.write_bytes(data[:at] + b"\xff" * size + data[at + size :])
    with pytest.raises(DamagedMediaError, match=r"no frame.*Send the file again"):
        read_video(path)


def test_a_video_of_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", numbered(5))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"nope"))
    with pytest.raises(MediaError, match=r"codec of the video .* is unknown.*Convert it"):
        read_video(path)


@pytest.mark.parametrize("length", [60, 400, 900, 1300])
def test_a_file_that_ends_before_its_index_is_refused_as_damaged(
    length: int, tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film(tmp_path / "whole.mp4", numbered(5)).read_bytes()[:length])
    with pytest.raises(DamagedMediaError, match=r"damaged or truncated.*Send the file again"):
        read_video(path)
