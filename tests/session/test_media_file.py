"""Files whose titles, comments and tags are not UTF-8 are opened like any other."""

import io
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from session.__main__ import main
from session.media_file import open_media
from session.mp4.concat_clips import concat_clips
from session.mp4.remux import read_media_length
from tests.session.mp4.sample_clips import clip, film
from tests.session.sample_films import watch
from warm.media.audio import examine_audio
from warm.media.video import open_video
from warm.offline.mp4_file import read_comment

TITLE, READ = "Käse aus Köln", "K\ufffdse aus K\ufffdln"
KINDS = {
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "aac"),
    "mkv": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "avi": ("mpeg4", "libmp3lame"),
    "wav": (None, "pcm_s16le"),
    "mp3": (None, "libmp3lame"),
    "ogg": (None, "libopus"),
    "flac": (None, "flac"),
    "m4a": (None, "aac"),
    "aiff": (None, "pcm_s16be"),
}
VIDEOS = [kind for kind, (video, _) in KINDS.items() if video]


def titled(path: Path, *, has_chapter: bool = True) -> Path:
    """Write one second of grey and of a tone, with Latin-1 in all tags that the format allows."""
    video, audio = KINDS[path.suffix[1:]]
    options = {"write_id3v1": "1", "id3v2_version": "0"} if path.suffix == ".mp3" else {}
    with av.open(str(path), "w", options=options, metadata_encoding="latin-1") as container:
        names = ("title", "artist", "comment", "encoder", "copyright")
        container.metadata.update(dict.fromkeys(names, TITLE))
        seen = container.add_stream(video, rate=25) if video else None
        if seen:
            seen.width, seen.height, seen.pix_fmt = 64, 64, "yuv420p"
        heard = container.add_stream(audio, rate=48_000, layout="mono")
        for stream in container.streams:
            stream.metadata.update(dict.fromkeys(("title", "handler_name", "encoder"), TITLE))
        if has_chapter and path.suffix in (".mp4", ".mov", ".mkv", ".m4a"):
            base = Fraction(1, 1000)
            chapter = {"id": 1, "start": 0, "end": 500, "time_base": base}
            container.set_chapters([{**chapter, "metadata": {"title": TITLE}}])
        for number in range(25 if seen else 0):
            grey = np.full((64, 64, 3), 100, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            container.mux(seen.encode(frame))
        container.mux(seen.encode() if seen else [])
        tone = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16)
        for start in range(0, 48_000, 960):
            block = av.AudioFrame.from_ndarray(tone[None, start : start + 960], "s16", "mono")
            block.sample_rate, block.pts = 48_000, start
            container.mux(heard.encode(block))
        container.mux(heard.encode())
    assert TITLE.encode("latin-1") in path.read_bytes()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_tags_that_are_not_utf8_are_read_with_replacement_characters(
    kind: str, tmp_path: Path
) -> None:
    path = titled(tmp_path / f"a.{kind}")
    with pytest.raises(UnicodeDecodeError), av.open(str(path)) as container:
        container.chapters()
    for source in (path, str(path), io.BytesIO(path.read_bytes())):
        with open_media(source) as container:
            tags = [container.metadata, *(stream.metadata for stream in container.streams)]
            assert READ in {value for each in tags for value in each.values()}
            assert all(each["metadata"]["title"] == READ for each in container.chapters())
            assert next(container.decode(audio=0)).samples


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "avi"])
def test_the_sound_of_such_files_is_decoded(kind: str, tmp_path: Path) -> None:
    facts = examine_audio(titled(tmp_path / f"a.{kind}"), rate_hz=48_000, longest_s=5)
    assert facts.seconds == pytest.approx(1, abs=0.06)
    assert facts.peak > 0.1


@pytest.mark.parametrize("kind", VIDEOS)
def test_the_pictures_of_such_files_are_decoded(kind: str, tmp_path: Path) -> None:
    with open_video(titled(tmp_path / f"a.{kind}"), fps=25, max_side=640) as video:
        pictures = list(video.frames())
    assert len(pictures) in (25, 26)
    assert abs(int(pictures[0].mean()) - 100) <= 2


@pytest.mark.parametrize("kind", VIDEOS)
def test_such_files_are_joined_with_other_clips(kind: str, tmp_path: Path) -> None:
    path, out = titled(tmp_path / f"a.{kind}"), tmp_path / "out.mp4"
    other = clip(tmp_path / "other.mp4", 6)
    joined = concat_clips([other, path], out, normalises=True)
    assert joined.frames in (31, 32)
    with open_media(out) as container:
        widths = [frame.width for frame in container.decode(video=0)]
    assert widths == [64] * joined.frames


def test_the_command_line_joins_checks_and_replaces_such_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = titled(tmp_path / "a.mp4", has_chapter=False), tmp_path / "b.mp4"
    shutil.copy(path, out)
    assert main(["concat", str(path), str(path), str(out)]) == 0
    assert main(["check", str(path)]) == 0
    assert main(["check", str(out)]) == 0
    assert "Traceback" not in capsys.readouterr().err
    assert read_media_length(out).video.packets == 50
    assert read_comment(path) == READ


def test_a_film_is_exported_over_such_a_file(tmp_path: Path) -> None:
    out = titled(tmp_path / "a.mp4")
    assert main(["export", str(film(tmp_path / "film.mp4", 6)), str(out)]) == 0
    assert watch(out).numbers == list(range(6))
