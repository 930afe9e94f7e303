"""Requests of this head's clients that other heads work on."""

import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock, Thread
from wsgiref.types import WSGIEnvironment

from api.disconnect import is_disconnected
from warm.heads.head import Head
from warm.heads.peers import Peers

WATCH_S = 0.5
"""Interval at which waiting responses are checked."""
QUIET_S = 3.0
"""Time without a byte after which the other head is asked whether it is alive."""


@dataclass(slots=True, eq=False)
class Passage:
    """A request that another head works on."""

    head: Head
    peers: Peers
    environ: WSGIEnvironment
    sock: socket.socket
    active_s: float = field(default_factory=time.monotonic)
    """Time of the last byte received."""
    is_ended: bool = False

    def end(self) -> None:
        """End the connection, which ends all waits for it. Any thread."""
        self.is_ended = True
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class Passages:
    """All requests that other heads work on. Any thread; while there are any, another watches them.

    A passage ends when its client is gone or its head no longer answers.
    """

    def __init__(self) -> None:
        self._open: set[Passage] = set()
        self._lock = Lock()
        self._is_watched = False

    def add(self, passage: Passage) -> None:
        """Watch a passage."""
        with self._lock:
            self._open.add(passage)
            if self._is_watched:
                return
            self._is_watched = True
        Thread(target=self._watch, name="head-passages", daemon=True).start()

    def remove(self, passage: Passage) -> None:
        """Forget a passage, which has ended."""
        with self._lock:
            self._open.discard(passage)

    def _watch(self) -> None:
        while True:
            time.sleep(WATCH_S)
            with self._lock:
                passages = [*self._open]
                self._is_watched = bool(passages)
            if not passages:
                return
            for passage in passages:
                if is_disconnected(passage.environ) or is_lost(passage):
                    passage.end()


def is_lost(passage: Passage) -> bool:
    """True if the head of a passage neither sends nor answers."""
    now_s = time.monotonic()
    if now_s - passage.active_s < QUIET_S:
        return False
    passage.active_s = now_s
    return not passage.peers.is_running(passage.head) and passage.peers.is_silent(passage.head)
