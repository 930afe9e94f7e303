"""Clients that watch the films of the sessions."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

RECENT_S = 10.0
"""Time after its last request for which a client counts as watching: players reload a playlist
every few seconds, and a stream that was lost is requested again."""


class Audience:
    """Open responses of viewers, and the last request of each session's viewers. Any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._open: Counter[str] = Counter()
        """Open responses, by session."""
        self._seen_s: dict[str, float] = {}
        """Time of the last request, by session; those older than `RECENT_S` are removed."""

    @contextmanager
    def watching(self, session_id: str, *, lingers: bool = True) -> Iterator[None]:
        """Count a viewer for the duration of the block, and as a recent one after it."""
        with self._lock:
            self._open[session_id] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[session_id] -= 1
                self._open += Counter()  # removes zeros
            if lingers:
                self.note(session_id)

    def note(self, session_id: str) -> None:
        """Note a short request of a viewer."""
        with self._lock:
            now_s = self._clock()
            self._seen_s[session_id] = now_s
            self._seen_s = {
                each: seen_s for each, seen_s in self._seen_s.items() if now_s - seen_s <= RECENT_S
            }

    def is_watched(self, session_id: str) -> bool:
        """True if a client of this session watches now, or did within `RECENT_S`."""
        with self._lock:
            seen_s = self._seen_s.get(session_id, float("-inf"))
            return session_id in self._open or self._clock() - seen_s <= RECENT_S
