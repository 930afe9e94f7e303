"""One session: its choices, its film, and the files of both."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Literal

from session.disk import make_folder, sync_folder, translate_disk_errors
from session.errors import (
    FilmDamagedError,
    FilmMismatchError,
    FilmMissingError,
    is_out_of_space,
)
from session.factory import Film, create_film, move_film, open_film
from session.film import FilmSpec, WriterKind
from session.fragmented.recovery import saved_tails
from warm.avatars.avatar import Avatar
from warm.sessions.archive import Disposal
from warm.sessions.avatar_cache import AvatarFacts
from warm.sessions.errors import UnusableSession
from warm.sessions.paths import record_path, staged_path
from warm.sessions.record_file import RecordDamaged, SessionRecord, read_record, write_record
from warm.sessions.voice_choice import Choices

State = Literal["idle", "speaking", "closed", "unusable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """Snapshot of a session."""

    id: str
    choices: Choices
    avatar_id: str
    facts: AvatarFacts | None
    """None if the avatar is not available."""
    film: Film | None
    state: State
    problem: str
    """Reason why it is unusable; else empty."""
    created: str | None
    last_spoken: str | None


class Session:
    """One session. It is changed by the render thread, or by a thread with exclusive use of it.

    Any thread may call `continue_film` and `write_record`.
    """

    def __init__(self, session_id: str, path: Path, *, under: Path, writer: WriterKind) -> None:
        """`path`: of its film; `under`: the results folder; `writer`: kind of the film's writer."""
        self.id = session_id
        self.path = path
        self.client = ""
        """Name of the client that created it; empty if unknown, as it is after a restart."""
        self.record = SessionRecord()
        self.film: Film | None = None
        self.load_error: UnusableSession | None = None
        """Set if its film or its record cannot be read."""
        self.avatar: Avatar | None = None
        """Held while a clip is made."""
        self.frames_before_clip = 0
        """Length of the film before that clip."""
        self.is_in_use = False
        """Opened for a clip that has not ended."""
        self.changing = Lock()
        """Held while it is created, reset, cleaned up or removed, also while that waits for the
        disk."""
        self.is_tentative = False
        """Created by a request that has committed nothing yet; removed if the request fails."""
        self.last_spoken: str | None = None
        """ISO 8601, UTC; for display only."""
        self.idle_since_s = 0.0
        """By a monotonic clock."""
        self.is_removed = False
        """Another session may have its id and its path."""
        self._under = under
        self._writer = writer
        self._opening = Lock()

    @property
    def is_changing(self) -> bool:
        """True if a request is changing its choices, or resets it."""
        return self.changing.locked()

    @property
    def choices(self) -> Choices:
        """Its avatar and voice."""
        return self.record.choices

    @property
    def has_spoken(self) -> bool:
        """True if its film has a clip, or a clip is being made."""
        if self.avatar is not None:
            return True
        return bool(self.film.committed.frames) if self.film else self.path.exists()

    @property
    def is_open(self) -> bool:
        """True if clips can be added to its film at once."""
        return self.film is not None and not self.film.is_closed and self.film.is_in_place()

    def state(self, problem: str) -> State:
        """Return its state; `problem` is the reason why it is unusable, else empty."""
        if problem:
            return "unusable"
        if self.avatar is not None:
            return "speaking"
        return "closed" if self.film is not None and self.film.is_closed else "idle"

    def recover(self) -> None:
        """Read record and film from disk; set `load_error` if either cannot be read.

        Raises FilmBusyError if another process writes the film, and OSError.
        """
        try:
            self.record = read_record(self.path) or SessionRecord()
        except RecordDamaged as error:
            self.load_error = UnusableSession(self.id, str(error))
        try:
            self.continue_film()
        except UnusableSession as unusable:
            self.load_error = unusable

    def continue_film(self) -> None:
        """Open the film if it exists. Any thread.

        Raises UnusableSession, FilmBusyError and OSError.
        """
        with self._opening:
            if self.is_removed or self.is_open:
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

    def create_film(self, spec: FilmSpec) -> None:
        """Create an empty film; raises OSError."""
        with self._opening:
            make_folder(self.path.parent, under=self._under)
            self.film = create_film(self.path, spec, self._writer)

    def write_record(self, record: SessionRecord) -> None:
        """Write a record and apply it; raises OSError."""
        make_folder(self.path.parent, under=self._under)
        with translate_disk_errors(self.path):
            write_record(record_path(self.path), record)
        self.record = record

    @contextmanager
    def replacing_record(self, record: SessionRecord) -> Iterator[None]:
        """Apply a record if the block, which disposes of the film, succeeds.

        It is written before the block, so that a full disk stops a reset that changes choices
        before it changes anything. A reset that keeps them needs no room.
        """
        staged = staged_path(record_path(self.path))
        with translate_disk_errors(self.path):
            is_staged = self._stage(record, staged)
            try:
                yield
                if is_staged:
                    staged.replace(record_path(self.path))
                    sync_folder(staged.parent)
                elif self.load_error is not None:  # a damaged record would return at the next start
                    record_path(self.path).unlink(missing_ok=True)
            except BaseException:
                with suppress(OSError):  # the first error is the one to report
                    staged.unlink(missing_ok=True)
                raise
        self.record, self.load_error, self.last_spoken = record, None, None

    def _stage(self, record: SessionRecord, staged: Path) -> bool:
        """Write a record to its staged path; False if the disk is full and the choices stay."""
        try:
            make_folder(self.path.parent, under=self._under)
            write_record(staged, record)
        except OSError as error:
            if is_out_of_space(error) and record.choices == self.record.choices:
                return False
            raise
        return True

    def dispose_film(self, to: Disposal) -> str | None:
        """Move the film to the trash, or to the archive and return its name there.

        An unreadable film is archived too, an empty one is not. Raises OSError.
        """
        with self._opening, translate_disk_errors(self.path):
            film, self.film = self.film, None  # before it closes: viewers then look for the next
            try:
                return self._dispose(film, to)
            except BaseException:
                self.film = film
                raise

    def delete_empty_film(self) -> None:
        """Delete a film in which nothing was said; raises OSError."""
        if self.film is not None and not self.has_spoken:
            with self._opening, translate_disk_errors(self.path):
                film, self.film = self.film, None
                film.delete()

    def delete_files(self) -> None:
        """Delete the record, and the folder if it is empty then; raises OSError."""
        self.is_removed = True
        record, folder = record_path(self.path), self.path.parent
        with translate_disk_errors(self.path):
            for path in (record, staged_path(record)):
                path.unlink(missing_ok=True)
            if folder != self._under and folder.exists() and not any(folder.iterdir()):
                folder.rmdir()
            elif folder.exists():
                sync_folder(folder)

    def _dispose(self, film: Film | None, to: Disposal) -> str | None:
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
            return to.archive.add(self.id, film.film_id if film is not None else None, move)
        with to.trash.reserve() as destination:
            move(destination)
        for path in saved_tails(self.path):
            to.trash.add(path)
        sync_folder(self.path.parent)
        return None


def modified(path: Path) -> str:
    """Time of a file's last change, ISO 8601, UTC."""
    moment = datetime.fromtimestamp(os.stat(path).st_mtime, UTC)  # noqa: PTH116
    return moment.isoformat(timespec="seconds")
