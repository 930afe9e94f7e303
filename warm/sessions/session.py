"""One session: its choices, its film, and the files of both."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from session.disk import make_folder, sync_folder, translate_disk_errors
from session.errors import FilmDamagedError, FilmMismatchError, FilmMissingError
from session.factory import Film, create_film, move_film, open_film
from session.film import FilmSpec, WriterKind
from session.fragmented.recovery import saved_tails
from warm.avatars.avatar import Avatar
from warm.sessions.archive import Disposal
from warm.sessions.avatar_cache import AvatarFacts
from warm.sessions.errors import UnusableSession
from warm.sessions.record import (
    Choices,
    RecordDamaged,
    SessionRecord,
    now,
    read_record,
    record_path,
    write_record,
)

STAGED = ".next"
"""Ends the name of a record that comes into force when its film is gone."""

log = logging.getLogger(__name__)

State = Literal["idle", "speaking", "closed", "unusable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """What can be told of a session at one moment."""

    id: str
    choices: Choices
    avatar_id: str
    facts: AvatarFacts | None
    """None where the avatar cannot be had."""
    film: Film | None
    state: State
    problem: str
    """Why it is unusable; else empty."""
    created: str | None
    last_spoken: str | None


class Session:
    """One session. The render thread changes it, but for `continue_film` and `write_record`."""

    def __init__(self, session_id: str, path: Path, *, under: Path, writer: WriterKind) -> None:
        """`path`: of its film; `under`: the results folder; `writer`: what keeps the film."""
        self.id = session_id
        self.path = path
        self.record = SessionRecord()
        self.film: Film | None = None
        self.trouble: UnusableSession | None = None
        """Why its film or its record cannot be read."""
        self.avatar: Avatar | None = None
        """Held while a clip is being made."""
        self.said_frames = 0
        """Of the film before that clip."""
        self.is_wanted = False
        """Opened for a clip that has not ended."""
        self.is_tentative = False
        """Made by a request that has brought nothing yet: gone when that fails."""
        self.last_spoken: str | None = None
        """ISO 8601, UTC; told to people, used for nothing."""
        self.quiet_since = 0.0
        """By a clock that never jumps."""
        self.is_gone = False
        """Removed: its place may be another session's."""
        self._under = under
        self._writer = writer
        self._opening = Lock()

    @property
    def has_spoken(self) -> bool:
        """Whether something is in its film, or on its way there."""
        if self.avatar is not None:
            return True
        return bool(self.film.committed.frames) if self.film else self.path.exists()

    @property
    def is_open(self) -> bool:
        """Whether its film can be added to at once."""
        return self.film is not None and not self.film.is_closed and self.film.is_in_place()

    @property
    def spec(self) -> FilmSpec | None:
        """What its film is; None where there is none."""
        return self.film.spec if self.film is not None else None

    def state(self, problem: str) -> State:
        """What it is doing; `problem` is what keeps it from speaking."""
        if problem:
            return "unusable"
        if self.avatar is not None:
            return "speaking"
        return "closed" if self.film is not None and self.film.is_closed else "idle"

    def recover(self) -> None:
        """Read what is on disk; what cannot be read is this session's `trouble`.

        Raises FilmBusyError when another process writes the film, and OSError.
        """
        try:
            self.record = read_record(self.path) or SessionRecord(created=None)
        except RecordDamaged as error:
            self.trouble = UnusableSession(self.id, str(error))
        try:
            self.continue_film()
        except UnusableSession as unusable:
            self.trouble = unusable

    def continue_film(self) -> None:
        """Open the film where there is one; any thread.

        Raises as `recover`, and UnusableSession.
        """
        with self._opening:
            if self.is_gone or self.is_open:
                return
            if self.film is not None:
                self.film.close()
            try:
                self.film = open_film(self.path, self._writer)
                self.last_spoken = self.last_spoken or modified(self.path)
            except FilmMissingError:
                self.film = None
            except (FilmDamagedError, FilmMismatchError) as error:
                raise UnusableSession(self.id, str(error)) from error

    def begin_film(self, spec: FilmSpec) -> Film:
        """An empty film, where there is none; raises OSError."""
        with self._opening:
            make_folder(self.path.parent, under=self._under)
            self.film = create_film(self.path, spec, self._writer)
            return self.film

    def write_record(self, record: SessionRecord) -> None:
        """Put these choices into force; raises OSError."""
        make_folder(self.path.parent, under=self._under)
        with translate_disk_errors(self.path):
            write_record(record_path(self.path), record)
        self.record = record

    @contextmanager
    def renewing(self, record: SessionRecord) -> Iterator[None]:
        """Put these choices into force if the block, which takes the film away, ends well.

        They are on disk before it, so that a full disk stops a reset before it began.
        """
        staged = staged_path(record_path(self.path))
        make_folder(self.path.parent, under=self._under)
        with translate_disk_errors(self.path):
            write_record(staged, record)
            try:
                yield
                staged.replace(record_path(self.path))
                sync_folder(staged.parent)
            except BaseException:
                with suppress(OSError):  # the first error is the one to tell
                    staged.unlink(missing_ok=True)
                raise
        self.record, self.trouble, self.last_spoken = record, None, None

    def take_film_away(self, to: Disposal) -> str | None:
        """Move the film to the trash, or to the archive and return its name there; raises OSError.

        A film that nobody can read is kept as well; one that says nothing is not.
        """
        with self._opening, translate_disk_errors(self.path):
            film, self.film = self.film, None  # before it closes: watchers look where it has gone
            try:
                return self._away(film, to)
            except BaseException:
                self.film = film
                raise

    def drop_empty_film(self) -> None:
        """Delete a film in which nothing was said; raises OSError."""
        if self.film is not None and not self.has_spoken:
            with self._opening, translate_disk_errors(self.path):
                film, self.film = self.film, None
                film.delete()

    def discard(self) -> None:
        """Remove what is left beside the film, and the folder, unless somebody put something there.

        Raises OSError.
        """
        self.is_gone = True
        record, folder = record_path(self.path), self.path.parent
        with translate_disk_errors(self.path):
            for path in (record, staged_path(record)):
                path.unlink(missing_ok=True)
            if folder != self._under and folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
            elif folder.exists():
                sync_folder(folder)

    def _away(self, film: Film | None, to: Disposal) -> str | None:
        is_open = film is not None and not film.is_closed and film.is_in_place()
        if film is not None and not is_open:
            film.close()
        if not self.path.exists():
            if film is not None and is_open:
                film.delete()
            if self.path.parent.exists():  # a removal that failed may not be durable yet
                sync_folder(self.path.parent)
            return None
        move = film.move if film is not None and is_open else partial(move_film, self.path)
        if to.archive is not None and (film is None or not is_open or film.committed.frames):
            return to.archive.keep(self.id, film.film_id if film is not None else None, move)
        with to.trash.arrival() as place:
            move(place)
        for beside in saved_tails(self.path):
            to.trash.take(beside)
        sync_folder(self.path.parent)
        return None


def staged_path(record: Path) -> Path:
    """Where a record waits for its film to be gone."""
    return record.with_name(record.name + STAGED)


def changed(record: SessionRecord, named: Mapping[str, Any]) -> SessionRecord:
    """A record with the choices that are named, made now if it was not before."""
    return SessionRecord(choices=record.choices.changed(named), created=record.created or now())


def modified(path: Path) -> str:
    """When a file was written to last, ISO 8601, UTC."""
    moment = datetime.fromtimestamp(os.stat(path).st_mtime, UTC)  # noqa: PTH116
    return moment.isoformat(timespec="seconds")
