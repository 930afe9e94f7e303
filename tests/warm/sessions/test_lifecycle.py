"""Sessions when the disk fails, or when the process dies in the middle of a change."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

import warm.sessions.lifecycle
from session.errors import FilmDiskError, FilmFullError
from session.fragmented.journal import journal_path
from tests.warm.sessions.clips import bob, complete_frames, speak
from tests.warm.sessions.conftest import close_films
from warm.sessions.archive import Archive, Disposal
from warm.sessions.errors import SessionBusy
from warm.sessions.paths import RECORD_NAME
from warm.sessions.session import Session
from warm.sessions.sessions import Sessions
from warm.sessions.trash import Trash
from warm.sessions.voice_choice import Choices

PATIENCE_S = 60


class Died(BaseException):
    """The process ends here."""


def die(*_: object) -> None:
    raise Died


def fail(monkeypatch: pytest.MonkeyPatch, name: str, path: Path, error: BaseException) -> None:
    """Have a function of `os` or a method of Path fail at one path."""
    owner, function = (os, getattr(os, name)) if hasattr(os, name) else (Path, getattr(Path, name))

    def failing(first: object, *args: object, **options: object) -> object:
        if str(first) == str(path):
            raise error
        return function(first, *args, **options)

    monkeypatch.setattr(owner, name, failing)


def test_a_crash_in_a_reset_before_the_film_is_moved_changes_nothing(
    start: Callable[[], Sessions], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = start()
    film = speak(sessions, bob(sessions))
    journal = journal_path(film).read_bytes()
    with monkeypatch.context() as dying:
        fail(dying, "rename", film, Died())
        with pytest.raises(Died):
            sessions.lifecycle.reset(bob(sessions), {"speed": 1.5})
    again = start()
    assert Archive(results, 5, Trash(results)).all() == []
    assert (complete_frames(film), journal_path(film).read_bytes()) == (4, journal)
    assert bob(again).choices == Choices()
    assert complete_frames(speak(again, bob(again))) == 8


def test_a_crash_in_a_reset_after_the_film_is_moved_keeps_the_archive(
    start: Callable[[], Sessions], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = start()
    film = speak(sessions, bob(sessions))
    journal = journal_path(film).read_bytes()
    with monkeypatch.context() as dying:
        fail(dying, "unlink", journal_path(film), Died())
        with pytest.raises(Died):
            sessions.lifecycle.reset(bob(sessions), {"speed": 1.5})
    again = start()
    (archived,) = Archive(results, 5, Trash(results)).all()
    assert again.registry.film(bob(again)) is None
    assert complete_frames(archived.path) == 4
    assert journal_path(archived.path).read_bytes() == journal
    assert bob(again).choices == Choices()
    assert complete_frames(speak(again, bob(again))) == 4


def test_a_full_disk_stops_a_reset_before_the_film_is_touched(
    start: Callable[[], Sessions], monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = start()
    film = speak(sessions, bob(sessions))
    before = film.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("warm.sessions.session.write_record", refuse)
        with pytest.raises(OSError, match="No space left"):
            sessions.lifecycle.reset(bob(sessions), {"speed": 1.5})
        with pytest.raises(OSError, match="No space left"):
            sessions.lifecycle.create(sessions.registry.lookup("new"), {})
    assert film.read_bytes() == before
    assert bob(sessions).choices == Choices()
    assert [session.id for session in sessions.registry.all()] == ["bob"]
    assert complete_frames(speak(sessions, bob(sessions))) == 8
    assert sessions.lifecycle.reset(bob(sessions), {"speed": 1.5}) is not None
    assert bob(sessions).choices == Choices(speed=1.5)


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.EROFS, FilmDiskError), (errno.ENOSPC, FilmFullError)]
)
def test_a_film_that_cannot_be_moved_stays_in_its_session(
    start: Callable[[], Sessions],
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    kind: type[OSError],
) -> None:
    sessions = start()
    film = speak(sessions, bob(sessions))
    with monkeypatch.context() as refusing:
        fail(refusing, "rename", film, OSError(code, os.strerror(code)))
        with pytest.raises(kind):
            sessions.lifecycle.reset(bob(sessions), {"speed": 1.5})
    assert bob(sessions).choices == Choices()
    assert not list(film.parent.glob("*.next"))
    assert sessions.registry.film(bob(sessions)) is not None
    assert complete_frames(speak(sessions, bob(sessions))) == 8
    assert Archive(results, 5, Trash(results)).all() == []


def test_a_closed_film_is_archived_and_deleted_like_an_open_one(
    start: Callable[[], Sessions], results: Path
) -> None:
    sessions = start()
    eve = sessions.registry.lookup("eve")
    speak(sessions, bob(sessions))
    speak(sessions, eve)
    close_films(sessions)
    name = sessions.lifecycle.reset(bob(sessions), {})
    assert name is not None
    assert complete_frames(results / "archive" / "bob" / name) == 4
    sessions.lifecycle.remove(eve)
    assert not (results / "sessions" / "eve").exists()


def test_a_crash_before_a_new_session_has_a_film_leaves_a_usable_session(
    start: Callable[[], Sessions], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions = start()
    with monkeypatch.context() as dying:
        dying.setattr("warm.sessions.session.create_film", die)
        dying.setattr("warm.sessions.session.Session.delete_files", lambda _: None)
        with pytest.raises(Died):
            sessions.films.open(bob(sessions))
    assert (results / "sessions" / "bob" / RECORD_NAME).exists()
    again = start()
    assert [session.id for session in again.registry.all()] == ["bob"]
    assert complete_frames(speak(again, bob(again))) == 4


def test_a_deleted_film_leaves_its_path_at_once_and_the_disk_later(
    start: Callable[[], Sessions], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a request that waits while gigabytes are unlinked."""
    sessions = start()
    film = speak(sessions, bob(sessions))
    is_allowed, unlink = Event(), Path.unlink

    def wait(path: Path, **options: bool) -> None:
        if path.parent.name == "trash":
            assert is_allowed.wait(PATIENCE_S)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", wait)
    sessions.lifecycle.remove(bob(sessions))
    assert not film.parent.exists()
    assert complete_frames(speak(sessions, bob(sessions))) == 4
    in_trash = {path.name.partition(".")[2] for path in (results / "trash").iterdir()}
    assert in_trash == {"mp4", "mp4.journal"}
    is_allowed.set()
    start()
    assert list((results / "trash").iterdir()) == []
    assert complete_frames(film) == 4


def test_a_change_that_waits_for_the_disk_delays_no_other_session(
    start: Callable[[], Sessions], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a lock that all sessions share."""
    sessions = start()
    eve = sessions.registry.lookup("eve")
    for session in (bob(sessions), eve):
        speak(sessions, session)
    reached, may_continue = Event(), Event()
    dispose = Session.dispose_film

    def held(session: Session, to: Disposal) -> str | None:
        if session.id == "bob":
            reached.set()
            assert may_continue.wait(PATIENCE_S)
        return dispose(session, to)

    monkeypatch.setattr(Session, "dispose_film", held)
    monkeypatch.setattr(warm.sessions.lifecycle, "CHANGE_TIMEOUT_S", 0.1)
    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(sessions.lifecycle.reset, bob(sessions), {})
        try:
            assert reached.wait(PATIENCE_S)
            sessions.lifecycle.reset(eve, {})
            assert sessions.lifecycle.create(sessions.registry.lookup("new"), {})[1]
            sessions.lifecycle.remove(eve)
            with pytest.raises(SessionBusy, match=r"'bob'.*waiting for the disk"):
                sessions.lifecycle.create(bob(sessions), {})
        finally:
            may_continue.set()
        hanging.result(PATIENCE_S)
    assert not sessions.lifecycle.create(bob(sessions), {})[1]
