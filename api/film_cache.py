"""Cache of objects that are derived from films and grow with them: playlists, transcripts."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from session.factory import Film
from warm.sessions.registry import SessionRegistry

Derived = TypeVar("Derived")
FilmKind = TypeVar("FilmKind", bound=Film)


class FilmCache(Generic[FilmKind, Derived]):
    """One derived object for each current film. Any thread."""

    def __init__(self, make: Callable[[FilmKind], Derived], sessions: SessionRegistry) -> None:
        self._make = make
        self._sessions = sessions
        self._lock = Lock()
        self._entries: dict[str, tuple[FilmKind, Derived]] = {}

    def of(self, film: FilmKind) -> Derived:
        """Return the object of `film`; drop those of films that no session has any more."""
        with self._lock:
            entry = self._entries.get(film.film_id)
            if entry is None or entry[0] is not film:
                current = {each.film_id for each in self._sessions.films()}
                self._entries = {key: kept for key, kept in self._entries.items() if key in current}
                entry = self._entries[film.film_id] = (film, self._make(film))
            return entry[1]
