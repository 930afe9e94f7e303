"""People who watch a film that grows: a place for each, and waiting for what comes next."""

from collections.abc import Iterator
from contextlib import contextmanager
from wsgiref.types import WSGIEnvironment

from flask import request
from werkzeug.exceptions import ClientDisconnected

from api.context import running
from api.disconnect import is_gone
from api.problem import FilmReplaced, TooManyWatchers
from session.factory import Film, live_film, require_live_writer
from session.fragmented.writer import FilmWriter
from warm.runtime import Runtime
from warm.sessions.errors import UnknownSession
from warm.sessions.session import Session

LOOK_S = 1.0
"""How often who waits looks whether its reader, and the server, are still there."""


@contextmanager
def place() -> Iterator[None]:
    """One of `max_watchers` places, for an answer that waits; raises TooManyWatchers."""
    parts = running()
    if not parts.watchers.take():
        raise TooManyWatchers(parts.settings.max_watchers)
    try:
        yield
    finally:
        parts.watchers.give_back()


def find_film(session: Session) -> Film:
    """The film of a session, which must be the one that `?film=` names.

    Raises UnknownSession, and NotReady where it may yet be found: at the server's start.
    """
    runtime = running().runtime
    film: Film | None = runtime.sessions.registry.film(session)
    if film is None:
        runtime.check_ready()
        raise UnknownSession(session.id)
    return require_wanted(film)


def require_wanted(film: Film) -> Film:
    """Raise FilmReplaced where the request wants another film than this: one that was reset."""
    wanted = request.args.get("film")
    if wanted not in (None, film.film_id):
        raise FilmReplaced(str(wanted))
    return film


def wait_for_film(session: Session) -> FilmWriter:
    """The film of a session, once it exists."""
    runtime = running().runtime
    require_live_writer(running().settings.writer)
    film: Film | None = runtime.sessions.registry.film(session)
    while film is None:
        film = runtime.sessions.registry.wait_for_film(session, LOOK_S)
        runtime.check_ready()
        if is_gone(request.environ):
            raise ClientDisconnected
    return live_film(require_wanted(film))


class Watched:
    """One film that somebody watches: followed through every closing until it is over.

    A film is closed when its session has been silent for long, when the disk failed and when the
    server stops; it may go on after that. It is over when the session was reset or deleted.
    """

    def __init__(
        self, session: Session, film: FilmWriter, runtime: Runtime, environ: WSGIEnvironment
    ) -> None:
        self.film = film
        """Who writes it, or wrote it last."""
        self._session = session
        self._runtime = runtime
        self._environ = environ

    @property
    def is_over(self) -> bool:
        """Whether the film will never go on."""
        current = self._runtime.sessions.registry.film(self._session)
        return current is None or current.film_id != self.film.film_id

    @property
    def is_left(self) -> bool:
        """Whether its watcher went away, or the server stops."""
        return self._runtime.is_stopping or is_gone(self._environ)

    def wait_past(self, end: int, timeout_s: float = LOOK_S) -> int:
        """The committed end: more than `end`, unless the time is up or the film is over."""
        reached = self.film.wait_past(end, timeout_s)
        if reached > end or not self.film.is_closed or self.is_over:
            return reached
        opened = self._runtime.sessions.registry.wait_for_film(self._session, timeout_s)
        if opened is not None and opened.film_id == self.film.film_id:
            self.film = live_film(opened)
        return self.film.wait_past(end, 0)
