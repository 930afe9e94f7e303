"""A film stays valid when the disk is full or fails."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from session.errors import FilmClosedError, FilmFullError
from session.fragmented.journal import journal_path
from session.fragmented.writer import FilmWriter
from tests.session.sample_films import SPEC, watch, watch_with_ffmpeg, write


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit the size of all files of this process to `size` bytes, enforced by the system."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "film.mp4"


@pytest.mark.parametrize("room", [0, 1, 7, 200, 900])
def test_a_full_disk_fails_the_request_and_the_next_works_when_there_is_room(
    path: Path, room: int
) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write(film.begin("before"), 0, 5)
        film.close()
    with FilmWriter.open(path) as film:
        before = path.read_bytes()
        journal = journal_path(path).read_bytes()
        clip = film.begin("no room")
        with largest_file(len(before) + room), pytest.raises(FilmFullError, match="make room") as e:
            write(clip, 5, 8)
        assert e.value.errno == errno.EFBIG
        assert path.read_bytes() == before
        assert journal_path(path).read_bytes() == journal
        assert film.committed.bytes == len(before)
        assert watch(path).numbers == list(range(5))
        assert clip.abandon() is None
        write(film.begin("room again"), 5, 4)
    shown = watch(path)
    assert shown.numbers == list(range(9))
    assert shown.sample_starts == [1024 * index for index in range(len(shown.sample_starts))]
    assert watch_with_ffmpeg(path)[0] == shown.numbers
    with FilmWriter.open(path) as film:
        assert [clip.text for clip in film.committed.clips] == ["before", "room again"]


def test_a_clip_may_repeat_the_fragment_that_did_not_fit(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("patient")
        write(clip, 0, 2)
        with largest_file(path.stat().st_size), pytest.raises(FilmFullError):
            write(clip, 2, 3)
        write(clip, 2, 3)
        clip.finish()
    assert watch(path).numbers == [0, 1, 2, 3, 4]


def test_a_full_disk_at_the_journal_rolls_the_fragment_back(path: Path) -> None:
    with FilmWriter.create(path, SPEC) as film:
        write(film.begin("x" * 20_000), 0, 1)  # the journal is the larger file
        film.close()
    with FilmWriter.open(path) as film:
        before = path.read_bytes()
        size = journal_path(path).stat().st_size
        assert size > len(before) + 8000
        clip = film.begin("y")
        with largest_file(size + 5), pytest.raises(FilmFullError):
            write(clip, 1, 1)
        assert (path.read_bytes(), journal_path(path).stat().st_size) == (before, size)
        write(clip, 1, 1)
    assert watch(path).numbers == [0, 1]


def test_a_film_that_cannot_be_created_leaves_no_file(path: Path) -> None:
    with largest_file(100), pytest.raises(OSError, match="File too large"):
        FilmWriter.create(path, SPEC)
    assert list(path.parent.iterdir()) == []
    FilmWriter.create(path, SPEC).close()


@pytest.mark.parametrize("failing_sync", [1, 2])
def test_a_failing_disk_closes_the_film_at_its_committed_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing_sync: int
) -> None:
    calls = 0

    def sync(fd: int) -> None:
        nonlocal calls
        calls += 1
        if calls == failing_sync:
            raise OSError(errno.EIO, "Input/output error")

    film = FilmWriter.create(path, SPEC)
    write(film.begin("before"), 0, 2)
    before = path.read_bytes()
    film.close()
    film = FilmWriter.open(path)
    clip = film.begin("lost")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        with pytest.raises(OSError, match="Input/output error"):
            write(clip, 2, 2)
    assert film.is_closed
    with pytest.raises(FilmClosedError, match="open it again"):
        write(clip, 2, 2)
    assert path.read_bytes() == before
    with FilmWriter.open(path) as film:
        write(film.begin("after"), 2, 2)
    assert watch(path).numbers == [0, 1, 2, 3]


def test_an_interrupt_between_the_writes_changes_nothing_and_the_film_can_be_continued(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(fd: int) -> None:
        raise KeyboardInterrupt

    with FilmWriter.create(path, SPEC) as film:
        clip = film.begin("")
        write(clip, 0, 2)
        before = path.read_bytes()
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", interrupt)
            with pytest.raises(KeyboardInterrupt):
                write(clip, 2, 9)
        assert path.read_bytes() == before
        write(clip, 2, 1)
    assert watch(path).numbers == [0, 1, 2]


def test_a_disk_that_cannot_be_truncated_closes_the_film_and_recovery_repairs_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    film = FilmWriter.create(path, SPEC)
    write(film.begin("before"), 0, 2)
    before = path.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "ftruncate", refuse)
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="Input/output error"):
            write(film._clip, 2, 2)
    assert film.is_closed
    assert path.stat().st_size > len(before)
    FilmWriter.open(path).close()
    assert path.read_bytes() == before
