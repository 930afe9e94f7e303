"""Claims of one head: which sessions of the shared results folder belong to it."""

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from warm.heads.errors import HeldElsewhere, LocksNotShared, NotDistinct
from warm.heads.head import Head, decoded, encoded
from warm.heads.lock_file import LockFile, read_note, take

FOLDER = "claims"
SESSION = "session"
"""Member of the note: the session."""


class Claims:
    """Locks of the sessions that this head has. Any thread.

    The lock of a session's film exists only while the film is open; that of its claim covers its
    choices, its archive and its absence as well.
    """

    def __init__(
        self,
        results: Path,
        own: Head,
        *,
        holds: Callable[[Head, str], bool] = lambda _head, _session_id: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`holds` asks a head whether it has a session; False if it does not answer."""
        self.own = own
        self._results, self._folder = results, results / FOLDER
        self._holds, self._clock = holds, clock
        self._lock = Lock()
        self._held: dict[str, tuple[LockFile, float]] = {}

    def take(self, session_id: str) -> None:
        """Claim a session; raises HeldElsewhere, HeadNewer, LocksNotShared, NotDistinct and
        OSError."""
        with self._lock:
            if session_id in self._held:
                return
        path = self._folder / session_id
        lock = take(path, under=self._results)
        if lock is None:
            raise HeldElsewhere(session_id, self._holder(path, session_id))
        try:
            self._require_shared(lock, session_id)
            lock.write(encoded(self.own, **{SESSION: session_id}))
        except BaseException:
            lock.release(keeps_file=bool(lock.found))
            raise
        with self._lock:
            self._held[session_id] = (lock, self._clock())

    def release(self, session_id: str) -> None:
        """Release a session; no effect if it is not claimed."""
        with self._lock:
            lock, _ = self._held.pop(session_id, (None, 0.0))
        if lock is not None:
            lock.release()

    def held(self) -> list[str]:
        """Return the claimed sessions, sorted."""
        with self._lock:
            return sorted(self._held)

    def age_s(self, session_id: str) -> float | None:
        """Return the seconds since a session was claimed; None if it is not."""
        with self._lock:
            lock, since_s = self._held.get(session_id, (None, 0.0))
        return None if lock is None else self._clock() - since_s

    def _holder(self, path: Path, session_id: str) -> Head | None:
        """Return the head that holds a claim, by its note; None if the note is not there yet, or
        if it is an earlier process of this head, which is ending.

        Raises HeadNewer and NotDistinct.
        """
        found = decoded(read_note(path))
        if found is None:
            return None
        holder, more = found
        if (claimed := more.get(SESSION, session_id)) != session_id:
            raise NotDistinct(session_id, claimed)
        return None if holder.name == self.own.name else holder

    def _require_shared(self, lock: LockFile, session_id: str) -> None:
        """Raise LocksNotShared if the earlier holder still has the session, and HeadNewer.

        A holder that released it has removed the file, so one that is found was killed, or the
        lock does not reach its machine.
        """
        found = decoded(lock.found)
        if found is None or found[0].name == self.own.name:
            return
        if self._holds(found[0], session_id):
            raise LocksNotShared(f"session_id = {session_id!r}", found[0])
