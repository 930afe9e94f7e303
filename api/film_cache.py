"""What is made once for each film and grows with it: its playlist, its transcript."""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from session.factory import Film
from warm.sessions.registry import SessionRegistry

Kept = TypeVar("Kept")
Kind = TypeVar("Kind", bound=Film)


class FilmCache(Generic[Kind, Kept]):
    """Something that is made once for each film and grows with it. Any thread."""

    def __init__(self, make: Callable[[Kind], Kept], sessions: SessionRegistry) -> None:
        self._make = make
        self._sessions = sessions
        self._looking = Lock()
        self._kept: dict[str, tuple[Kind, Kept]] = {}

    def of(self, film: Kind) -> Kept:
        """What belongs to `film`; what belongs to films that are over is let go."""
        with self._looking:
            found = self._kept.get(film.film_id)
            if found is None or found[0] is not film:
                living = {each.film_id for each in self._sessions.films()}
                self._kept = {name: kept for name, kept in self._kept.items() if name in living}
                found = self._kept[film.film_id] = (film, self._make(film))
            return found[1]
