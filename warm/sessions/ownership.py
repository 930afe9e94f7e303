"""Ownership of the sessions by this server, if several servers share their folder."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from weakref import WeakValueDictionary

from warm.heads.claims import Claims

LINGER_S = 15.0
MAX_UNUSED = 256
"""Time for which claims of sessions that do not exist are kept, and their largest number."""
SETTLED_S = 2.0
"""Time for which a session stays with the head that has just claimed it."""


class Ownership:
    """The sessions that belong to this server: those that it has claimed, or all. Any thread.

    A claimed session is registered if it exists. `load` registers it; `is_needed` is True for a
    session that is registered or awaited.
    """

    def __init__(
        self,
        claims: Claims | None = None,
        *,
        load: Callable[[str], None] = lambda _session_id: None,
        is_needed: Callable[[str], bool] = lambda _session_id: True,
    ) -> None:
        """`claims`: None if no other server uses the folder."""
        self.on_claimed: Callable[[str], None] = lambda _session_id: None
        """Called after a session has come to this server and was loaded."""
        self._claims, self._load, self._is_needed = claims, load, is_needed
        self._owned: dict[str, float] = {}
        """Claimed and loaded sessions, with the time of their last use."""
        self._uses: Counter[str] = Counter()
        """Requests that may change a session."""
        self._locks: WeakValueDictionary[str, Lock] = WeakValueDictionary()
        self._finding = Lock()

    @property
    def is_shared(self) -> bool:
        """True if other servers may have sessions of this folder."""
        return self._claims is not None

    def owns(self, session_id: str) -> bool:
        """Return True if a session belongs to this server now."""
        return self._claims is None or session_id in self._owned

    def claim(self, session_id: str) -> None:
        """Claim a session for this server, and load it, unless that has been done.

        Raises HeldElsewhere, LocksNotShared, NotDistinct and OSError.
        """
        if self._claims is None:
            return
        if session_id in self._owned:
            self._owned[session_id] = time.monotonic()
            return
        self._release_unused()
        with self._lock_of(session_id):
            if session_id in self._owned:
                return
            self._claims.take(session_id)
            try:
                self._load(session_id)
                self.on_claimed(session_id)
            except BaseException:
                self._claims.release(session_id)
                raise
            self._owned[session_id] = time.monotonic()

    @contextmanager
    def using(self, session_id: str) -> Iterator[None]:
        """Keep a session here for the duration of the block, if it belongs to this server."""
        self.add_use(session_id)
        try:
            yield
        finally:
            self.end_use(session_id)

    def add_use(self, session_id: str) -> None:
        """Note a request that may change a session; `end_use` must follow."""
        with self._finding:
            self._uses[session_id] += 1

    def end_use(self, session_id: str) -> None:
        """Note the end of such a request."""
        with self._finding:
            self._uses[session_id] -= 1
            self._uses += Counter()  # removes zeros

    def is_used(self, session_id: str) -> bool:
        """Return True while a request may change a session."""
        return self._uses[session_id] > 0

    def is_settled(self, session_id: str) -> bool:
        """Return True if a session was not claimed just now."""
        age_s = None if self._claims is None else self._claims.age_s(session_id)
        return age_s is None or age_s >= SETTLED_S

    def owned(self) -> list[str]:
        """Return the claimed sessions, sorted."""
        return sorted(self._owned)

    @contextmanager
    def changing(self, session_id: str) -> Iterator[None]:
        """Keep others from claiming a session for the duration of the block."""
        with self._lock_of(session_id):
            yield

    def disown(self, session_id: str) -> None:
        """Require a new claim before the next use of a session, which stays locked.

        Only within `changing`.
        """
        self._owned.pop(session_id, None)

    def release(self, session_id: str) -> None:
        """Leave a session to other servers, within `changing`."""
        self._owned.pop(session_id, None)
        if self._claims is not None:
            self._claims.release(session_id)

    def _release_unused(self) -> None:
        """Release the claims of sessions that do not exist and are no longer requested."""
        now_s = time.monotonic()
        unused = sorted(
            (used_s, session_id)
            for session_id, used_s in [*self._owned.items()]
            if not (self.is_used(session_id) or self._is_needed(session_id))
        )
        for number, (used_s, session_id) in enumerate(reversed(unused)):
            if number < MAX_UNUSED and now_s - used_s < LINGER_S:
                continue
            with self._lock_of(session_id):
                if self._owned.get(session_id) == used_s:
                    self.release(session_id)

    def _lock_of(self, session_id: str) -> Lock:
        with self._finding:
            lock = self._locks.get(session_id)
            if lock is None:
                self._locks[session_id] = lock = Lock()
            return lock
