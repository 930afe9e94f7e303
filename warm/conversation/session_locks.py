"""The locks of the sessions whose conversations are in use."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import WeakValueDictionary

from warm.sessions.errors import SessionBusy

LOCK_S = 30.0
"""Longest wait for another change of the same session."""


class SessionLocks:
    """A lock for each session; it exists while something refers to it. Any thread."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._finding = Lock()

    def of(self, session_id: str) -> Lock:
        """Return the lock of a session."""
        with self._finding:
            lock = self._locks.get(session_id)
            if lock is None:
                self._locks[session_id] = lock = Lock()
            return lock

    @contextmanager
    def held(self, session_id: str) -> Iterator[None]:
        """Hold the lock of a session; raises SessionBusy."""
        lock = self.of(session_id)
        if not lock.acquire(timeout=LOCK_S):
            raise SessionBusy(session_id, LOCK_S)
        try:
            yield
        finally:
            lock.release()
