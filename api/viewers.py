"""Viewers of films: their slots, the film they asked for, and waiting for its growth."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from wsgiref.types import WSGIEnvironment

from flask import request
from pydantic import Field
from werkzeug.exceptions import ClientDisconnected

from api.body import MAX_NUMBER, LooseQuery, read_loose_query
from api.client_address import client_address
from api.context import context
from api.disconnect import is_disconnected
from api.problem import FilmReplaced, TooManyDownloads, TooManyViewers
from session.factory import Film, live_film, require_live_writer
from session.fragmented.writer import FilmWriter
from warm.heads.errors import HeldElsewhere
from warm.runtime import Runtime
from warm.sessions.errors import UnknownSession
from warm.sessions.session import Session

POLL_S = 1.0
"""Interval at which a waiting response checks that its client is connected and the server runs."""


class FilmQuery(LooseQuery):
    """The query of a request for a film."""

    film: str | None = Field(None, description="The expected film; 410 if it is another one now.")


class StartQuery(LooseQuery):
    """The query of a response that follows the growth of a film."""

    start: int | None = Field(
        None,
        alias="from",
        ge=0,
        le=MAX_NUMBER,
        description="A byte of the film to start at; without it, the next fragment.",
    )


@contextmanager
def viewer_slot(session: Session) -> Iterator[None]:
    """Hold one of `max_watchers` slots for a response that waits, and count its client as watching.

    Raises TooManyViewers.
    """
    app_context = context()
    slot = app_context.viewers.hold(client_address(), TooManyViewers)
    with slot, app_context.audience.watching(session.id):
        yield


def download_slot() -> AbstractContextManager[None]:
    """Hold one of `max_downloads` slots for a response that sends a film, or a part of it.

    Raises TooManyDownloads.
    """
    return context().downloads.hold(client_address(), TooManyDownloads)


def find_film(session: Session) -> Film:
    """Return the film of a session, which must be the one that `?film=` names, if given.

    Raises UnknownSession, FilmReplaced, and NotReady while the server starts.
    """
    runtime = context().runtime
    film = runtime.sessions.registry.film(session)
    if film is None:
        runtime.check_ready()
        raise UnknownSession(session.id)
    return require_requested(film)


def require_requested(film: Film) -> Film:
    """Return the film; raise FilmReplaced if the request names another one, which was reset."""
    requested = read_loose_query(FilmQuery).film
    if requested not in (None, film.film_id):
        raise FilmReplaced(str(requested))
    return film


def wait_for_film(session: Session) -> FilmWriter:
    """Return the film of a session, once it exists.

    Raises FilmReplaced, FilmNotLiveError, NotReady and ClientDisconnected.
    """
    runtime = context().runtime
    require_live_writer(context().settings.writer)
    film = runtime.sessions.registry.film(session)
    while film is None:
        require_here(session)
        film = runtime.sessions.registry.wait_for_film(session, POLL_S)
        runtime.check_ready()
        if is_disconnected(request.environ):
            raise ClientDisconnected
    return live_film(require_requested(film))


def require_here(session: Session) -> None:
    """Raise HeldElsewhere if a session has moved to another head."""
    if not context().runtime.sessions.registry.ownership.owns(session.id):
        raise HeldElsewhere(session.id, None)


class Viewer:
    """One client that follows one film.

    A film is closed when its session is idle, when the disk fails and when the server stops; it may
    continue after that. It is over when its session is reset or removed.
    """

    def __init__(
        self, session: Session, film: FilmWriter, runtime: Runtime, environ: WSGIEnvironment
    ) -> None:
        self.film = film
        """The writer of the film; a new one when the film continues after it was closed."""
        self.session = session
        self._runtime = runtime
        self._environ = environ

    @property
    def is_film_over(self) -> bool:
        """True if the film will not grow any more."""
        if self.has_moved:
            return False
        current = self._runtime.sessions.registry.film(self.session)
        return current is None or current.film_id != self.film.film_id

    @property
    def has_moved(self) -> bool:
        """True if the film grows at another head."""
        return not self._runtime.sessions.registry.ownership.owns(self.session.id)

    @property
    def is_gone(self) -> bool:
        """True if the client disconnected, the server is stopping or the session has moved."""
        return self._runtime.is_stopping or self.has_moved or is_disconnected(self._environ)

    def wait_past(self, end: int, timeout_s: float = POLL_S) -> int:
        """Return the committed end, once it is past `end`, the time is up or the film is over."""
        committed = self.film.wait_past(end, timeout_s)
        if committed > end or not self.film.is_closed or self.is_film_over:
            return committed
        opened = self._runtime.sessions.registry.wait_for_film(self.session, timeout_s)
        if opened is not None and opened.film_id == self.film.film_id:
            self.film = live_film(opened)
        return self.film.wait_past(end, 0)
