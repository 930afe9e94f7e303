"""Films of conversations that were reset, kept under `results/archive`."""

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from session.disk import make_folder, sync_folder
from session.fragmented.journal import journal_path
from warm.sessions.trash import Trash

FOLDER = "archive"
STAMP = "%Y%m%dT%H%M%SZ"
NAME_PATTERN = re.compile(r"(?P<stamp>\d{8}T\d{6}Z)-[0-9a-z-]{1,64}\.mp4")

log = logging.getLogger(__name__)


class UnknownArchive(LookupError):
    """There is no archived film of that name."""

    def __init__(self, session_id: str, name: str) -> None:
        super().__init__(
            f"there is no archive {name!r} of session_id = {session_id!r}; GET /archives lists them"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFilm:
    """A film that nobody adds to any more."""

    session_id: str
    name: str
    path: Path
    bytes: int
    archived: str
    """ISO 8601, UTC, by the clock of that moment."""


class Archive:
    """All archived films of a results folder; `drop_oldest` leaves `limit` of them.

    Any thread may use it.
    """

    def __init__(self, results: Path, limit: int, trash: Trash) -> None:
        self._results = results
        self._trash = trash
        self._limit = limit
        self._changing = Lock()
        """Held by who makes or removes a folder."""

    def keep(self, session_id: str, film_id: str | None, move: Callable[[Path], None]) -> str:
        """Have `move` bring a film to its new path; returns its name there. Raises OSError.

        `film_id`: None for a film that could not be read.
        """
        stamp = datetime.now(UTC).strftime(STAMP)
        name = f"{stamp}-{film_id or f'damaged-{secrets.token_hex(4)}'}.mp4"
        path = self._results / FOLDER / session_id / name
        with self._changing:
            make_folder(path.parent, under=self._results)
            move(path)
        return name

    def all(self, session_id: str | None = None) -> list[ArchivedFilm]:
        """What is kept, of one session or of all, the newest first."""
        paths = (self._results / FOLDER).glob(f"{session_id or '*'}/*.mp4")
        found = [archived for path in paths if (archived := read(path))]
        return sorted(found, key=lambda film: film.name, reverse=True)

    def find(self, session_id: str, name: str) -> ArchivedFilm:
        """One archived film; raises UnknownArchive."""
        for film in self.all():
            if (film.session_id, film.name) == (session_id, name):
                return film
        raise UnknownArchive(session_id, name)

    def delete(self, session_id: str, name: str) -> None:
        """Remove one; who is reading it keeps it. Raises UnknownArchive and OSError."""
        self._remove(self.find(session_id, name))

    def drop_oldest(self, *, but: str) -> None:
        """Delete what is too much, never the one that was just made, named `but`.

        What cannot be deleted is tried again the next time.
        """
        others = [film for film in self.all() if film.name != but]
        for film in others[self._limit - 1 :]:
            told = {"session_id": film.session_id, "archive": film.name}
            try:
                self._remove(film)
                log.info("archive dropped", extra=told)
            except OSError:
                log.exception("archive not dropped", extra=told)

    def _remove(self, film: ArchivedFilm) -> None:
        self._trash.take(film.path)
        self._trash.take(journal_path(film.path))
        folder = film.path.parent
        with self._changing:
            if not folder.exists():
                return
            sync_folder(folder)
            if not any(folder.iterdir()):
                folder.rmdir()


@dataclass(frozen=True, slots=True)
class Disposal:
    """Where the film of a session goes that lets go of it."""

    trash: Trash
    archive: Archive | None = None
    """At a reset; None: to the trash."""


def read(path: Path) -> ArchivedFilm | None:
    """What the file system tells of an archived film; None for what is none, or is gone."""
    named = NAME_PATTERN.fullmatch(path.name)
    if named is None:
        return None
    try:
        moment = datetime.strptime(named["stamp"], STAMP).replace(tzinfo=UTC)
        size = path.stat().st_size
    except (ValueError, FileNotFoundError):
        return None
    return ArchivedFilm(
        session_id=path.parent.name,
        name=path.name,
        path=path,
        bytes=size,
        archived=moment.isoformat(timespec="seconds"),
    )
