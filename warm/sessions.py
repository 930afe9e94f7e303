"""The sessions on disk: which there are, where their films lie, who may touch them."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from threading import Condition

from session.errors import FilmDamagedError, FilmMismatchError, FilmMissingError
from session.film import FilmSpec
from session.reel import delete_film
from session.writer import FilmWriter
from warm.settings import ID_PATTERN

DEFAULT_SESSION = "default"
FILM_NAME = "full_session.mp4"

log = logging.getLogger(__name__)


class BadSessionId(ValueError):
    """Not a name that a session can have."""

    def __init__(self, received: object) -> None:
        super().__init__(f"session_id = {received!r}: must be 1 to 64 letters, digits, '-' or '_'")


class UnknownSession(LookupError):
    """There is no session of that name."""

    def __init__(self, session_id: str) -> None:
        super().__init__(f"session_id = {session_id!r}: nothing has been said in this session yet")


class TooManySessions(RuntimeError):
    """The limit of sessions is reached."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} sessions exist, which is the limit (max_sessions); delete one first"
        )


class UnusableSession(RuntimeError):
    """A film on disk that cannot be continued: damaged, or of another size or frame rate."""

    def __init__(self, session_id: str, reason: str) -> None:
        super().__init__(
            f"session_id = {session_id!r} cannot be continued: {reason}; reset it to begin anew"
        )


class Sessions:
    """All sessions under one results folder, each with its open film.

    Threads: the render thread opens, creates and removes; any thread may look. Films are known
    to lookers from their first clip on.
    """

    def __init__(self, results: Path, spec: FilmSpec, limit: int) -> None:
        self.spec = spec
        self._results = results
        self._limit = limit
        self._films: dict[str, FilmWriter] = {}
        self._unusable: dict[str, UnusableSession] = {}
        self._changed = Condition()

    def recover(self) -> None:
        """Open every film on disk, cutting what a death left behind the last committed fragment.

        What cannot be continued is set aside until it is reset. Raises FilmBusyError when another
        process works in this folder.
        """
        for session_id in self._on_disk():
            try:
                self._publish(session_id, self._open_film(session_id))
            except UnusableSession as unusable:
                log.exception("session set aside", extra={"session_id": session_id})
                with self._changed:
                    self._unusable[session_id] = unusable

    def path(self, session_id: str) -> Path:
        """Where the film of a session lies or will lie; raises BadSessionId."""
        if not re.fullmatch(ID_PATTERN, session_id):
            raise BadSessionId(session_id)
        if session_id == DEFAULT_SESSION:
            return self._results / FILM_NAME
        return self._results / "sessions" / session_id / FILM_NAME

    def get(self, session_id: str) -> FilmWriter | None:
        """The film of a session, if there is one; raises BadSessionId and UnusableSession."""
        self.path(session_id)
        with self._changed:
            self._refuse_unusable(session_id)
            return self._films.get(session_id)

    def find(self, session_id: str) -> FilmWriter:
        """The film of a session; also raises UnknownSession."""
        film = self.get(session_id)
        if film is None:
            raise UnknownSession(session_id)
        return film

    def exists(self, session_id: str) -> bool:
        """Whether there is anything to remove; raises BadSessionId."""
        return self.path(session_id).exists()

    def all(self) -> list[tuple[str, FilmWriter]]:
        """Every session with its film, by name."""
        with self._changed:
            return sorted(self._films.items())

    def wait_for(self, session_id: str, timeout_s: float) -> FilmWriter | None:
        """As `get`, but waits for a film to come for `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self.get(session_id) is not None, timeout_s)
            return self.get(session_id)

    def check_room(self, session_id: str) -> None:
        """Raise what `open` would raise before any work is done for it."""
        if self.get(session_id) is None and len(self._films) >= self._limit:
            raise TooManySessions(self._limit)

    def open(self, session_id: str) -> FilmWriter:
        """The film of a session, made when there is none. Render thread only.

        Raises what `check_room` raises, and OSError.
        """
        self.check_room(session_id)
        film = self._films.get(session_id)
        if film is None or film.is_closed:
            film = self._open_film(session_id)
            self._publish(session_id, film)
        return film

    def remove(self, session_id: str) -> None:
        """Close the film and delete it, if there is one. Render thread only; raises OSError."""
        path = self.path(session_id)
        with self._changed:
            film = self._films.pop(session_id, None)
            self._unusable.pop(session_id, None)
            self._changed.notify_all()
        if film is not None:
            film.close()
        if path.exists():
            delete_film(path)
        self._discard_folder(session_id)

    def close(self) -> None:
        """Close all films; they stay on disk."""
        for _, film in self.all():
            film.close()

    def _on_disk(self) -> Iterator[str]:
        if self.path(DEFAULT_SESSION).exists():
            yield DEFAULT_SESSION
        for path in sorted(self._results.glob(f"sessions/*/{FILM_NAME}")):
            if re.fullmatch(ID_PATTERN, path.parent.name):
                yield path.parent.name

    def _publish(self, session_id: str, film: FilmWriter) -> None:
        with self._changed:
            self._films[session_id] = film
            self._changed.notify_all()

    def _refuse_unusable(self, session_id: str) -> None:
        if session_id in self._unusable:
            raise self._unusable[session_id]

    def _open_film(self, session_id: str) -> FilmWriter:
        """Continue the film on disk, or begin one; raises UnusableSession."""
        path = self.path(session_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            film = FilmWriter.open(path)
        except FilmMissingError:
            return self._create_film(session_id)
        except (FilmDamagedError, FilmMismatchError) as error:
            raise UnusableSession(session_id, str(error)) from error
        if film.spec != self.spec:
            film.close()
            raise UnusableSession(session_id, f"it is {film.spec}, the avatar now is {self.spec}")
        return film

    def _create_film(self, session_id: str) -> FilmWriter:
        try:
            return FilmWriter.create(self.path(session_id), self.spec)
        except OSError:
            self._discard_folder(session_id)
            raise

    def _discard_folder(self, session_id: str) -> None:
        """Remove the folder of a session without a film, unless somebody put something there."""
        folder = self.path(session_id).parent
        if session_id != DEFAULT_SESSION and folder.exists() and not any(folder.iterdir()):
            folder.rmdir()
