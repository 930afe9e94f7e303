"""Sessions and archives when the disk fails, a process dies in the middle, or a clock jumps."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from session.errors import FilmDiskError, FilmFullError
from session.fragmented.check import check_film
from session.fragmented.journal import journal_path
from tests.tiny_face import LoudnessEngine, tiny_avatar
from warm.avatars.store import AvatarStore
from warm.sessions.archive import Archive, Disposal, UnknownArchive
from warm.sessions.avatar_cache import AvatarCache, AvatarCacheLimits
from warm.sessions.choices import Choices
from warm.sessions.errors import DiskNearlyFull
from warm.sessions.limits import SessionLimits
from warm.sessions.paths import RECORD_NAME
from warm.sessions.sessions import Sessions, make_sessions
from warm.sessions.trash import Trash

LIMITS = SessionLimits(
    max_sessions=9, max_session_s=60, max_session_mb=60, session_idle_s=0, min_free_mb=0
)


class Died(BaseException):
    """The process ends here."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def begin(results: Path, tmp_path: Path) -> Iterator[Callable[[], Sessions]]:
    """Sessions as a server has them after its start; the ones before are closed."""
    open_now: list[tuple[Sessions, Trash]] = []

    def stop() -> None:
        while open_now:
            sessions, trash = open_now.pop()
            sessions.films.close()
            trash.close()

    def start() -> Sessions:
        stop()
        avatar_cache = AvatarCache(
            store=AvatarStore(results),
            engine=LoudnessEngine(),
            pinned=tiny_avatar(tmp_path),
            fps=25,
            limits=AvatarCacheLimits(max_bytes=10**9, ttl_s=0),
        )
        trash = Trash(results)
        disposal = Disposal(trash, Archive(results, 5, trash))
        sessions = make_sessions(
            results, avatar_cache=avatar_cache, limits=LIMITS, disposal=disposal
        )
        sessions.films.recover()
        open_now.append((sessions, trash))
        return sessions

    yield start
    stop()


def speak(sessions: Sessions, session_id: str = "bob") -> Path:
    """Four frames, as the render thread adds them."""
    session = sessions.films.open(sessions.registry.lookup(session_id))
    film, avatar = session.film, sessions.films.acquire_avatar(session)
    assert film is not None
    clip = film.begin("Four frames.")
    clip.write(list(avatar.frames[:4]), np.zeros(4 * 1920, np.float32))
    clip.finish()
    sessions.films.release(session)
    return film.path


def fail(monkeypatch: pytest.MonkeyPatch, name: str, path: Path, error: BaseException) -> None:
    """Have a function of `os` or a method of Path fail at one path."""
    place, function = (os, getattr(os, name)) if hasattr(os, name) else (Path, getattr(Path, name))

    def failing(first: object, *rest: object, **named: object) -> object:
        if str(first) == str(path):
            raise error
        return function(first, *rest, **named)

    monkeypatch.setattr(place, name, failing)


def whole(path: Path) -> int:
    """Frames of a film in which nothing is wrong."""
    checked = check_film(path)
    assert checked.faults == []
    return checked.frames


@pytest.mark.parametrize("moment", ["before the film is moved", "after it"])
def test_a_death_in_the_middle_of_a_reset_loses_nothing(
    begin: Callable[[], Sessions],
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    sessions = begin()
    film = speak(sessions)
    journal = journal_path(film).read_bytes()
    with monkeypatch.context() as dying:
        if moment == "after it":
            fail(dying, "unlink", journal_path(film), Died())
        else:
            fail(dying, "rename", film, Died())
        with pytest.raises(Died):
            sessions.lifecycle.reset(sessions.registry.lookup("bob"), {"speed": 1.5})
    again = begin()
    kept = Archive(results, 5, Trash(results)).all()
    if moment == "after it":
        assert again.registry.lookup("bob").film is None
        assert whole(kept[0].path) == 4
        assert journal_path(kept[0].path).read_bytes() == journal
    else:
        assert kept == []
        assert (whole(film), journal_path(film).read_bytes()) == (4, journal)
    assert again.registry.lookup("bob").choices == Choices()
    frames = 4 + 4 * (moment == "before the film is moved")
    assert whole(speak(again)) == frames


def test_a_disk_without_room_stops_a_reset_before_the_film_is_touched(
    begin: Callable[[], Sessions], monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = begin()
    film = speak(sessions)
    before = film.read_bytes()
    full = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as filled:
        filled.setattr("warm.sessions.session.write_record", lambda *_: (_ for _ in ()).throw(full))
        with pytest.raises(OSError, match="No space left"):
            sessions.lifecycle.reset(sessions.registry.lookup("bob"), {"speed": 1.5})
        with pytest.raises(OSError, match="No space left"):
            sessions.lifecycle.create(sessions.registry.lookup("new"), {})
    assert film.read_bytes() == before
    assert sessions.registry.lookup("bob").choices == Choices()
    assert [session.id for session in sessions.registry.all()] == ["bob"]
    assert whole(speak(sessions)) == 8
    assert sessions.lifecycle.reset(sessions.registry.lookup("bob"), {"speed": 1.5}) is not None
    assert sessions.registry.lookup("bob").choices == Choices(speed=1.5)


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.EROFS, FilmDiskError), (errno.ENOSPC, FilmFullError)]
)
def test_a_film_that_cannot_be_moved_stays_in_its_session(
    begin: Callable[[], Sessions],
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[OSError],
) -> None:
    sessions = begin()
    film = speak(sessions)
    with monkeypatch.context() as refusing:
        fail(refusing, "rename", film, OSError(code, os.strerror(code)))
        with pytest.raises(kind):
            sessions.lifecycle.reset(sessions.registry.lookup("bob"), {"speed": 1.5})
    assert sessions.registry.lookup("bob").choices == Choices()
    assert not list(film.parent.glob("*.next"))
    assert sessions.registry.lookup("bob").path == film
    assert whole(speak(sessions)) == 8
    assert Archive(results, 5, Trash(results)).all() == []


def test_a_closed_film_is_archived_and_deleted_like_an_open_one(
    begin: Callable[[], Sessions], results: Path
) -> None:
    sessions = begin()
    for session_id in ("bob", "eve"):
        speak(sessions, session_id)
        film = sessions.registry.lookup(session_id).film
        assert film is not None
        film.close()
    name = sessions.lifecycle.reset(sessions.registry.lookup("bob"), {})
    assert name is not None
    assert whole(results / "archive" / "bob" / name) == 4
    sessions.lifecycle.remove(sessions.registry.lookup("eve"))
    assert not (results / "sessions" / "eve").exists()


def test_archives_made_while_the_clock_runs_backwards_are_not_the_ones_to_go(
    results: Path,
) -> None:
    archive = Archive(results, 2, Trash(results))
    folder = results / "archive" / "bob"
    folder.mkdir(parents=True)
    for year in ("2098", "2099"):
        (folder / f"{year}0101T000000Z-{'f' * 32}.mp4").touch()
    name = archive.add("bob", "0" * 32, lambda path: path.touch())
    archive.drop_oldest(but=name)
    assert {film.name for film in archive.all()} == {name, f"20990101T000000Z-{'f' * 32}.mp4"}


def test_what_somebody_put_into_the_archive_is_left_alone(results: Path) -> None:
    archive = Archive(results, 1, Trash(results))
    strange = results / "archive" / "bob" / "holiday.mp4"
    strange.parent.mkdir(parents=True)
    strange.touch()
    name = archive.add("bob", "0" * 32, lambda path: path.touch())
    archive.drop_oldest(but=name)
    assert [film.name for film in archive.all("bob")] == [name]
    with pytest.raises(UnknownArchive, match=r"'holiday\.mp4'"):
        archive.delete("bob", "holiday.mp4")
    archive.delete("bob", name)
    assert strange.exists()


def test_a_death_before_a_new_session_has_a_film_leaves_a_session_that_can_speak(
    begin: Callable[[], Sessions], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = begin()
    with monkeypatch.context() as dying:
        dying.setattr("warm.sessions.session.create_film", lambda *_: (_ for _ in ()).throw(Died()))
        dying.setattr("warm.sessions.session.Session.delete_files", lambda _: None)
        with pytest.raises(Died):
            sessions.films.open(sessions.registry.lookup("bob"))
    assert (results / "sessions" / "bob" / RECORD_NAME).exists()
    again = begin()
    assert [session.id for session in again.registry.all()] == ["bob"]
    assert whole(speak(again)) == 4


def test_room_is_asked_of_the_disk_that_the_results_lie_on(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    free_mb = free.f_bavail * free.f_frsize / 1e6
    for wanted_mb in (free_mb / 2, 0):
        limits = SessionLimits(
            max_sessions=1,
            max_session_s=1,
            max_session_mb=1,
            session_idle_s=0,
            min_free_mb=wanted_mb,
        )
        limits.check_disk(tmp_path / "not yet")
    limits = SessionLimits(
        max_sessions=1, max_session_s=1, max_session_mb=1, session_idle_s=0, min_free_mb=2 * free_mb
    )
    with pytest.raises(DiskNearlyFull, match="min_free_mb is"):
        limits.check_disk(tmp_path)


def test_a_deleted_film_leaves_its_place_at_once_and_the_disk_when_there_is_time(
    begin: Callable[[], Sessions], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Would miss who waits while gigabytes are removed."""
    sessions = begin()
    film = speak(sessions)
    is_allowed, unlink = Event(), Path.unlink

    def wait(path: Path, **named: bool) -> None:
        if path.parent.name == "trash":
            assert is_allowed.wait(30)
        unlink(path, **named)

    monkeypatch.setattr(Path, "unlink", wait)
    sessions.lifecycle.remove(sessions.registry.lookup("bob"))
    assert not film.parent.exists()
    assert whole(speak(sessions)) == 4
    removed = {path.name.partition(".")[2] for path in (results / "trash").iterdir()}
    assert removed == {"mp4", "mp4.journal"}
    is_allowed.set()
    begin()
    assert list((results / "trash").iterdir()) == []
    assert whole(film) == 4


def test_what_is_on_its_way_to_the_trash_is_not_removed_under_way(results: Path) -> None:
    """Would miss a move that loses its journal to the removal of another film."""
    results.mkdir(exist_ok=True)
    trash = Trash(results)
    with trash.reserve() as place:
        half = place.with_name(place.name + ".journal.new")
        half.touch()
        trash.add(results / "nothing")
        (results / "other").touch()
        trash.add(results / "other")
        trash.close()
        assert [path.name for path in (results / "trash").iterdir()] == [half.name]
