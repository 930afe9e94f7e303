"""Sending of responses without waiting for the client."""

import socket
from collections import deque

MAX_PARTS = 16
"""Largest number of parts that one system call sends."""


class ClientGone(Exception):
    """The client has closed the connection."""


class Output:
    """Data to be sent to one client. One thread at a time.

    gunicorn's response writes to it as to a socket; `push` sends as much as the client receives.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parts: deque[memoryview] = deque()
        self.sent_bytes = 0
        """Number of bytes that the system has accepted for the client."""

    @property
    def is_blocked(self) -> bool:
        """True if something has not been sent."""
        return bool(self._parts)

    def sendall(self, data: bytes) -> None:
        """Add data."""
        if data:
            self._parts.append(memoryview(data))

    def push(self) -> None:
        """Send until nothing is left or the client cannot receive more; raises ClientGone."""
        while self._parts:
            try:
                taken = self._sock.sendmsg([self._parts[i] for i in range(self._count())])
            except BlockingIOError:
                return
            except OSError as error:
                raise ClientGone from error
            self.sent_bytes += taken
            self._drop(taken)

    def _count(self) -> int:
        return min(MAX_PARTS, len(self._parts))

    def _drop(self, size: int) -> None:
        """Remove the first `size` bytes."""
        while size:
            first = self._parts.popleft()
            if len(first) > size:
                self._parts.appendleft(first[size:])
                return
            size -= len(first)
