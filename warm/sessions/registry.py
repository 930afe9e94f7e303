"""Which sessions there are, for every thread."""

from collections.abc import Callable
from threading import Condition

from warm.sessions.session import Session


class SessionRegistry:
    """Sessions by name; who waits for one is woken when something changes."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, session_id: str) -> Session | None:
        """The session of that name."""
        with self._changed:
            return self._sessions.get(session_id)

    def every(self) -> list[Session]:
        """All of them, by name."""
        with self._changed:
            return [session for _, session in sorted(self._sessions.items())]

    def publish(self, session: Session) -> Session:
        """Let everybody know of a session; returns the one that is known by that name."""
        with self._changed:
            known = self._sessions.setdefault(session.id, session)
            self._changed.notify_all()
            return known

    def remove(self, session: Session) -> None:
        """Nobody is to find it any more."""
        with self._changed:
            del self._sessions[session.id]
            self._changed.notify_all()

    def tell(self) -> None:
        """Wake who waits."""
        with self._changed:
            self._changed.notify_all()

    def wait_for(self, is_so: Callable[[], bool], timeout_s: float) -> None:
        """Until it is so, or the time is up."""
        with self._changed:
            self._changed.wait_for(is_so, timeout_s)
