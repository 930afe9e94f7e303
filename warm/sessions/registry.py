"""Registry of the sessions, shared by all threads."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Condition

from session.factory import Film
from session.film import WriterKind
from warm.sessions.ownership import Ownership
from warm.sessions.paths import check_session_id, film_path, stored_ids
from warm.sessions.record_file import RecordDamaged, SessionRecord, read_record
from warm.sessions.session import Session
from warm.sessions.voice_choice import Choices

MAX_EVICTED = 10_000
"""Records of removed empty sessions that are remembered."""


class SessionRegistry:
    """Sessions by id. Threads that wait are woken when a session or its film changes.

    A session that does not exist yet is a `Session` that is not registered; `publish` registers it.
    """

    def __init__(
        self,
        results: Path,
        *,
        writer: WriterKind = "fragments",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`writer`: kind of the films' writer."""
        self.results = results
        self.ownership = Ownership()
        """The sessions that belong to this server; set before the registry is used."""
        self._writer = writer
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._evicted: OrderedDict[str, SessionRecord] = OrderedDict()
        """Records of sessions that made room; they apply again if the session is used again."""
        self._watched: Counter[str] = Counter()
        """Number of threads that wait for the film of a session."""
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, session_id: str) -> bool:
        with self._changed:
            return session_id in self._sessions

    def lookup(self, session_id: str, client: str = "") -> Session:
        """Return the session of this id, or a new one of `client` that is not registered.

        The session then belongs to this server. Raises BadSessionId, and the errors of
        `Ownership.claim`.
        """
        check_session_id(session_id)
        self.ownership.claim(session_id)
        return self._get(session_id) or self.new(session_id, client)

    def peek(self, session_id: str) -> Session:
        """Return a session as this server knows it, even if it belongs to another server."""
        return self._get(session_id) or self.new(session_id)

    def current(self, session: Session) -> Session:
        """Return the session that has this id now.

        It differs from `session` if two requests created it, or if it was removed meanwhile.
        """
        if session.is_removed:
            return self._get(session.id) or self.new(session.id, session.client)
        return self._get(session.id) or session

    def all(self) -> list[Session]:
        """Return all registered sessions, by id."""
        with self._changed:
            return [session for _, session in sorted(self._sessions.items())]

    def choices_of_all(self) -> list[tuple[str, Choices]]:
        """Return the choices of all sessions, with their ids; those of other servers as they are on
        disk."""
        own = [(session.id, session.choices) for session in self.all()]
        if not self.ownership.is_shared:
            return own
        return own + [
            (session_id, record.choices)
            for session_id in stored_ids(self.results)
            if session_id not in self and (record := self._stored_record(session_id)) is not None
        ]

    def film(self, session: Session) -> Film | None:
        """Return the film that a session has now; None if it has none or is not registered.

        Raises UnusableSession if the film exists and cannot be read.
        """
        known = self._get(session.id)
        if known is None:
            return None
        if known.load_error is not None and known.film is None:
            raise known.load_error
        return known.film

    def films(self) -> list[Film]:
        """Return the films of all sessions that have one."""
        return [session.film for session in self.all() if session.film is not None]

    def wait_for_film(self, session: Session, timeout_s: float) -> Film | None:
        """Wait up to `timeout_s` for an open film; return what `film` returns."""

        def is_open() -> bool:
            film = self.film(session)
            return film is not None and not film.is_closed

        with self._changed:
            self._watched[session.id] += 1
            self._changed.wait_for(is_open, timeout_s)
            self._watched -= Counter({session.id: 1})
        return self.film(session)

    def is_watched(self, session: Session) -> bool:
        """Return True if a thread waits for the film of a session."""
        with self._changed:
            return self._watched[session.id] > 0

    def new(self, session_id: str, client: str = "") -> Session:
        """Return a new session of `client` that is not registered; the id must be valid."""
        session = Session(
            session_id,
            film_path(self.results, session_id),
            under=self.results,
            writer=self._writer,
        )
        session.client, session.idle_since_s = client, self._clock()
        with self._changed:
            session.record = self._evicted.get(session_id, session.record)
        return session

    def publish(self, session: Session) -> Session:
        """Register a session unless its id is registered; return the registered one."""
        with self._changed:
            known = self._sessions.setdefault(session.id, session)
            self._evicted.pop(session.id, None)
            self._changed.notify_all()
            return known

    def remove(self, session: Session) -> None:
        """Remove a session from the registry."""
        with self._changed:
            del self._sessions[session.id]
            self._changed.notify_all()

    def evict(self, session: Session) -> None:
        """Remove an empty session, but remember its record."""
        self.remove(session)
        with self._changed:
            self._evicted[session.id] = session.record
            if len(self._evicted) > MAX_EVICTED:
                self._evicted.popitem(last=False)

    def notify(self) -> None:
        """Wake the waiting threads."""
        with self._changed:
            self._changed.notify_all()

    def _stored_record(self, session_id: str) -> SessionRecord | None:
        try:
            return read_record(film_path(self.results, session_id))
        except (RecordDamaged, OSError):
            return None

    def _get(self, session_id: str) -> Session | None:
        with self._changed:
            return self._sessions.get(session_id)
