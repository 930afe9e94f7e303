"""Films are exported to ordinary MP4 files, judged by decoders and by their bytes."""

import os
import resource
import shutil
import stat
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from session.errors import (
    CopyFailedError,
    FilmDamagedError,
    FilmExistsError,
    FilmFullError,
    FilmMissingError,
)
from session.fragmented.boxes import iter_boxes
from session.fragmented.writer import FilmWriter
from session.mp4 import remux
from session.mp4.export import export_film, open_export
from tests.session.sample_films import SPEC, watch, watch_with_ffmpeg, write

FIND_OUT = 'for each; do case "$each" in *.new) out=$each;; esac; done'
"""Shell code that finds the output file among the arguments of ffmpeg."""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    with FilmWriter.create(path, SPEC) as writer:
        for counts in ([2, 4, 8], [1, 12]):
            clip = writer.begin("a clip")
            for count in counts:
                write(clip, writer.committed.frames, count)
            clip.finish()
    return path


def test_an_export_has_exactly_the_pictures_and_sound_of_the_film(film: Path) -> None:
    out = film.with_name("out.mp4")
    export_film(film, out)
    original, copy = watch(film), watch(out)
    assert copy.numbers == original.numbers == list(range(27))
    assert copy.picture_ticks == original.picture_ticks
    assert copy.sample_starts == original.sample_starts
    assert np.array_equal(copy.samples, original.samples)
    numbers, samples = watch_with_ffmpeg(out)
    assert numbers == original.numbers
    assert len(samples) == len(original.samples)


def test_an_export_is_an_ordinary_file_that_plays_from_its_first_bytes(film: Path) -> None:
    out = film.with_name("out.mp4")
    export_film(film, out)
    kinds = [kind for kind, *_ in iter_boxes(out.read_bytes())]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    assert b"moof" not in kinds
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(out.stat().st_mode) == 0o666 & ~umask


def test_a_growing_film_is_exported_up_to_its_committed_end(tmp_path: Path) -> None:
    path, out = tmp_path / "film.mp4", tmp_path / "out.mp4"
    with FilmWriter.create(path, SPEC) as writer:
        clip = writer.begin("a clip")
        for total in (12, 24):
            write(clip, writer.committed.frames, 12)
            with path.open("ab") as file:
                file.write(b"\0\0\4\0moof of an unfinished fragment")
            assert export_film(path, out).video.packets == total
            assert watch(out).numbers == list(range(total))
            os.truncate(path, writer.committed.bytes)


def test_the_target_is_unchanged_when_a_copy_fails(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ffmpeg exits with 0 on a full disk; a program that writes half a file simulates it."""
    out, real = film.with_name("out.mp4"), imageio_ffmpeg.get_ffmpeg_exe()
    out.write_bytes(b"before")
    program = film.with_name("half-ffmpeg")
    program.write_text(f'#!/bin/sh\n{real} "$@"\n{FIND_OUT}\ntruncate -s -500 "$out"\nexit 0\n')
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(CopyFailedError, match="past the end"):
        export_film(film, out)
    program.write_text("#!/bin/sh\necho No space left on device >&2\nexit 0\n")
    with pytest.raises(FilmFullError, match="make room"):
        export_film(film, out)
    assert out.read_bytes() == b"before"
    assert not list(film.parent.glob(".*"))


def test_a_copy_that_lacks_a_packet_is_rejected(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, out = imageio_ffmpeg.get_ffmpeg_exe(), film.with_name("out.mp4")
    short = film.with_name("short.mp4")
    with FilmWriter.create(short, SPEC) as writer:
        write(writer.begin("shorter"), 0, 26)
    program = film.with_name("other-ffmpeg")
    program.write_text(
        f'#!/bin/sh\n{FIND_OUT}\n{real} -v error -i "{short}" -c copy -f mp4 "$out"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(CopyFailedError, match=r"26 video packets .* instead of 27"):
        export_film(film, out)
    assert not out.exists()


def test_an_export_never_replaces_a_film(film: Path) -> None:
    other = film.with_name("other.mp4")
    FilmWriter.create(other, SPEC).close()
    before = film.read_bytes(), other.read_bytes()
    link = film.with_name("link.mp4")
    os.link(film, link)
    for out in (film, other, link):
        with pytest.raises(FilmExistsError, match="another path"):
            export_film(film, out)
    assert (film.read_bytes(), other.read_bytes()) == before


def test_a_file_that_is_not_a_film_is_refused(film: Path) -> None:
    out = film.with_name("out.mp4")
    with pytest.raises(FilmMissingError, match="no film at"):
        export_film(film.with_name("missing.mp4"), out)
    ordinary = film.with_name("ordinary.mp4")
    export_film(film, ordinary)
    with pytest.raises(FilmDamagedError):
        export_film(ordinary, out)


def test_a_film_without_its_journal_is_exported_too(film: Path) -> None:
    alone = film.with_name("alone.mp4")
    shutil.copy(film, alone)
    out = film.with_name("out.mp4")
    assert export_film(alone, out).video.packets == 27
    assert [path.name for path in film.parent.glob("alone*")] == ["alone.mp4"]


def test_an_unnamed_export_is_the_same_and_leaves_no_file(film: Path) -> None:
    existing = set(film.parent.iterdir())
    with open_export(film) as file:
        assert set(film.parent.iterdir()) == existing
        file.seek(0)
        copy = file.read()
    assert set(film.parent.iterdir()) == existing
    out = film.with_name("out.mp4")
    export_film(film, out)
    assert copy == out.read_bytes()


def test_an_export_to_a_full_disk_is_reported_and_leaves_no_file(film: Path) -> None:
    existing = set(film.parent.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(FilmFullError):
            open_export(film)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert set(film.parent.iterdir()) == existing


def test_a_copy_that_does_not_end_is_stopped_and_leaves_nothing(
    film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Catches an export that waits for a disk forever."""
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o700)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(program))
    monkeypatch.setattr(remux, "COPY_TIMEOUT_S", 0.2)
    out = film.with_name("out.mp4")
    with pytest.raises(CopyFailedError, match="was stopped"):
        export_film(film, out)
    assert not out.exists()
    assert not list(film.parent.glob("*.new"))
