"""Places for sessions: which client may have another one, and which empty session makes room."""

from collections import Counter
from collections.abc import Callable, Sequence

from warm.sessions.errors import TooManySessions
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.registry import SessionRegistry
from warm.sessions.session import Session
from warm.sessions.shares import Limit, client_share


class SessionPlaces:
    """At most `max_sessions` sessions, of which each client has its share. Any thread.

    `default` takes no place, so it can always be created.
    """

    def __init__(self, registry: SessionRegistry, max_sessions: int) -> None:
        self.is_wanted: Callable[[str], bool] = lambda _session_id: False
        """Returns True if a request waits for the session of this id. To be set before use."""
        self._registry = registry
        self._max_sessions = max_sessions

    def check(self, session: Session) -> None:
        """Raise TooManySessions if there is no place for a session and none can be made."""
        self.to_evict(session)

    def to_evict(self, session: Session) -> Session | None:
        """Return the empty session that makes room for `session`; None if it has a place.

        It is one of the same client if there is one, else one of the client with the most empty
        sessions; of these, the one that has been unused for longest. Raises TooManySessions.
        """
        if session.id == DEFAULT_SESSION or session.id in self._registry:
            return None
        others = [other for other in self._registry.all() if other.id != DEFAULT_SESSION]
        limit = self._limit_reached(session, others)
        if limit is None:
            return None
        own = [other for other in others if other.client == session.client]
        empty = self._evictable(own)
        if not empty and limit.scope == "all":
            empty = of_largest_client(self._evictable(others))
        if not empty:
            raise TooManySessions(limit)
        return min(empty, key=lambda other: (other.idle_since_s, other.record.created or ""))

    def _limit_reached(self, session: Session, others: Sequence[Session]) -> Limit | None:
        total, used = self._max_sessions, len(others)
        if used >= total:
            return Limit(setting="max_sessions", value=total, scope="all", share=total, used=used)
        own = sum(other.client == session.client for other in others)
        if not session.client or own < client_share(total, used - own):
            return None
        foreign = [other for other in others if other.client != session.client]
        share = client_share(total, len(foreign) - len(self._evictable(foreign)))
        if own < share:
            return None
        return Limit(
            setting="max_sessions", value=total, scope="client", share=share, used=own,
            name=session.client,
        )  # fmt: skip

    def _evictable(self, sessions: Sequence[Session]) -> list[Session]:
        """Sessions in which nothing was said, and which are not in use."""
        return [
            session
            for session in sessions
            if not session.is_in_use
            and not session.is_changing
            and not session.is_tentative
            and session.load_error is None
            and not session.has_spoken
            and not self.is_wanted(session.id)
            and not self._registry.is_watched(session)
        ]


def of_largest_client(sessions: Sequence[Session]) -> list[Session]:
    """The sessions of the client that has the most of them."""
    counts = Counter(session.client for session in sessions)
    largest = next((client for client, _ in counts.most_common(1)), None)
    return [session for session in sessions if session.client == largest]
