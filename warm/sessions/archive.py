"""Archive of the films of sessions that were reset, under `results/archive`."""

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock

from session.disk import make_folder, sync_folder
from session.factory import verify_film
from session.fragmented.journal import journal_path
from warm.sessions.trash import Trash

FOLDER = "archive"
STAMP = "%Y%m%dT%H%M%SZ"
NAME_PATTERN = re.compile(r"(?P<stamp>\d{8}T\d{6}Z)-[0-9a-z-]{1,64}\.mp4")

MAX_VERIFIED = 1024
"""Films that are remembered as intact."""

log = logging.getLogger(__name__)


class UnknownArchive(LookupError):
    """No archived film has this name."""

    def __init__(self, session_id: str, name: str) -> None:
        super().__init__(
            f"there is no archive {name!r} of session_id = {session_id!r}; GET /archives lists them"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedFilm:
    """An archived film, which never changes."""

    session_id: str
    name: str
    path: Path
    bytes: int
    archived: str
    """ISO 8601, UTC, by the system clock at that time."""


class Archive:
    """All archived films of a results folder, of which `drop_oldest` leaves `limit`. Any thread."""

    def __init__(self, results: Path, limit: int, trash: Trash) -> None:
        self._results = results
        self._trash = trash
        self._limit = limit
        self._changing = Lock()
        """Held while a folder is made or removed."""

    def add(self, session_id: str, film_id: str | None, move: Callable[[Path], None]) -> str:
        """Have `move` move a film to its new path; return its name there. Raises OSError.

        `film_id`: None for an unreadable film.
        """
        stamp = datetime.now(UTC).strftime(STAMP)
        name = f"{stamp}-{film_id or f'damaged-{secrets.token_hex(4)}'}.mp4"
        path = self._results / FOLDER / session_id / name
        with self._changing:
            make_folder(path.parent, under=self._results)
            move(path)
        return name

    def all(self, session_id: str | None = None) -> list[ArchivedFilm]:
        """Return the archived films of one session or of all, newest first."""
        paths = (self._results / FOLDER).glob(f"{session_id or '*'}/*.mp4")
        found = [archived for path in paths if (archived := read_archived(path))]
        return sorted(found, key=lambda film: film.name, reverse=True)

    def find(self, session_id: str, name: str) -> ArchivedFilm:
        """Return one archived film; raises UnknownArchive."""
        for film in self.all():
            if (film.session_id, film.name) == (session_id, name):
                return film
        raise UnknownArchive(session_id, name)

    def verify(self, film: ArchivedFilm) -> None:
        """Compare a film with its checksums, unless that was done since its last change.

        Raises FilmDamagedError and FileNotFoundError.
        """
        state = film.path.stat()
        verify_version(film.path, (state.st_ino, state.st_size, state.st_mtime_ns))

    def delete(self, session_id: str, name: str) -> None:
        """Delete one film; downloads in progress complete. Raises UnknownArchive and OSError."""
        self._delete(self.find(session_id, name))

    def drop_oldest(self, *, but: str) -> None:
        """Delete the oldest films beyond the limit, never the one named `but`.

        A film that cannot be deleted is retried at the next call.
        """
        others = [film for film in self.all() if film.name != but]
        for film in others[self._limit - 1 :]:
            context = {"session_id": film.session_id, "archive": film.name}
            try:
                self._delete(film)
                log.info("archive dropped", extra=context)
            except OSError:
                log.exception("archive not dropped", extra=context)

    def _delete(self, film: ArchivedFilm) -> None:
        self._trash.add(film.path)
        self._trash.add(journal_path(film.path))
        folder = film.path.parent
        with self._changing:
            if not folder.exists():
                return
            sync_folder(folder)
            if not any(folder.iterdir()):
                folder.rmdir()


@dataclass(frozen=True, slots=True)
class Disposal:
    """Destination of the films of sessions that are reset or removed."""

    trash: Trash
    archive: Archive | None = None
    """Destination at a reset; None: the trash."""


@lru_cache(MAX_VERIFIED)
def verify_version(path: Path, _version: tuple[int, int, int]) -> None:
    """Compare one version of a film with its checksums; remembered if it is intact."""
    verify_film(path)


def read_archived(path: Path) -> ArchivedFilm | None:
    """Return the archived film at a path; None if it is not one, or is gone."""
    match = NAME_PATTERN.fullmatch(path.name)
    if match is None:
        return None
    try:
        archived = datetime.strptime(match["stamp"], STAMP).replace(tzinfo=UTC)
        size = path.stat().st_size
    except (ValueError, FileNotFoundError):
        return None
    return ArchivedFilm(
        session_id=path.parent.name,
        name=path.name,
        path=path,
        bytes=size,
        archived=archived.isoformat(timespec="seconds"),
    )
