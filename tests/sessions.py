"""Sessions of a runtime by id."""

from session.factory import Film
from warm.runtime import Runtime
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session


def session_of(runtime: Runtime, session_id: str = DEFAULT_SESSION) -> Session:
    """Return the session of this id; a new one is not registered."""
    return runtime.sessions.registry.lookup(session_id)


def film_of(runtime: Runtime, session_id: str = DEFAULT_SESSION) -> Film:
    """Return the film of a session that has one."""
    film = runtime.sessions.registry.film(session_of(runtime, session_id))
    assert film is not None
    return film
