"""A client that misbehaves on many connections, in a process of its own.

`python -m bench.crowd.crowd_process PORT PATH`. Some connections send one byte of a header a
second, some request PATH, a finished film, and read nothing of it, and some are silent. One that
the server closes is opened again. The process ends with standard input.
"""

import select
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

SLOW_SENDERS = 60
READERS_OF_NOTHING = 60
SILENT = 300
TICK_S = 1.0
SETTLE_TICKS = 2
"""Ticks after which the server has closed the connections that it does not keep."""
CLOSED = select.POLLRDHUP | select.POLLHUP | select.POLLERR
HEAD = "GET {} HTTP/1.1\r\nHost: localhost\r\n"


class Nuisance:
    """One connection that is opened again and again. It sends `first`, then a byte each second."""

    def __init__(self, port: int, first: bytes = b"", each_tick: bytes = b"") -> None:
        self._port = port
        self._first = first
        self._each_tick = each_tick
        self._unsent = b""
        self._connect()

    def tick(self) -> None:
        """Send what is due; connect again if the server has closed the connection."""
        if self._is_closed():
            self._sock.close()
            self._connect()
        with suppress(OSError):  # not connected yet
            self._sock.send(self._unsent or self._each_tick)
            self._unsent = b""

    def _connect(self) -> None:
        self._sock = socket.socket()
        self._sock.setblocking(False)
        self._sock.connect_ex(("127.0.0.1", self._port))
        self._unsent = self._first

    def _is_closed(self) -> bool:
        poll = select.poll()
        poll.register(self._sock, select.POLLRDHUP)
        return any(events & CLOSED for _, events in poll.poll(0))


def crowd(port: int, path: str) -> Iterator[Nuisance]:
    """Yield all connections."""
    for _ in range(SLOW_SENDERS):
        yield Nuisance(port, HEAD.format("/health").encode() + b"X: ", b"x")
    for _ in range(READERS_OF_NOTHING):
        yield Nuisance(port, HEAD.format(path).encode() + b"\r\n")
    for _ in range(SILENT):
        yield Nuisance(port)


def main(port: str, path: str) -> None:
    """Keep the server busy until standard input ends."""
    connections = list(crowd(int(port), path))
    for number in count():
        for each in connections:
            each.tick()
        if number == SETTLE_TICKS:
            print("crowded", flush=True)
        if select.select([sys.stdin], [], [], TICK_S)[0]:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
