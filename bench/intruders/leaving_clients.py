"""Clients that leave in the middle of a request, misstate it, or send slowly."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress

from bench.intruders.attempt import multipart
from bench.intruders.pictures import encoded
from bench.server_process import TIMEOUT_S

SLOW_PIECES, SLOW_PAUSE_S = 20, 0.05
MANY = 40
"""Clients that hold connections at the same time."""


def visits() -> Iterator[tuple[str, Callable[[int], None]]]:
    """Yield clients; each is called with the port of the server."""
    body, content_type = multipart("file", encoded("PNG", side=400), "a.png")
    head = head_of(content_type, len(body))
    cuts = (
        1,
        len(head) // 2,
        len(head),
        len(head) + 20,
        len(head) + 200,
        len(head) + len(body) - 1,
    )
    for cut in cuts:
        data = (head + body)[:cut]
        yield f"resets after {cut} bytes", lambda port, data=data: reset(port, data)  # type: ignore[misc]
        yield f"ends after {cut} bytes", lambda port, data=data: end(port, data)  # type: ignore[misc]
    chunked = head.replace(f"Content-Length: {len(body)}".encode(), b"Transfer-Encoding: chunked")
    for framing in (b"5\r\nhelloXX", b"zz\r\n", b"ffffffffffffff\r\n", b"5\r\nhel", b"-1\r\n\r\n"):
        yield f"frames {framing!r}", lambda port, data=chunked + framing: end(port, data)  # type: ignore[misc]
    yield "announces more", lambda port: end(port, head_of(content_type, 10 * len(body)) + body)
    yield "announces petabytes", lambda port: end(port, head_of(content_type, 10**15) + body)
    yield (
        "waits to be asked",
        lambda port: end(port, head_of(content_type, 10**10, "Expect: 100-continue\r\n")),
    )
    yield "sends slowly", lambda port: send_slowly(port, head + body)
    yield "holds many connections", lambda port: hold_many(port, head + body[:500])


def head_of(content_type: str, length: int, more: str = "") -> bytes:
    """Return the head of an upload."""
    return (
        f"POST /uploads HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\n{more}\r\n"
    ).encode()


def connect(port: int) -> socket.socket:
    """Open a connection."""
    return socket.create_connection(("127.0.0.1", port), TIMEOUT_S)


def reset(port: int, data: bytes) -> None:
    """Send data, then reset the connection."""
    with closing(connect(port)) as connection:
        connection.sendall(data)
        time.sleep(SLOW_PAUSE_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def end(port: int, data: bytes) -> None:
    """Send data, close the sending side, and read the answer."""
    with closing(connect(port)) as connection, suppress(OSError):
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass


def send_slowly(port: int, data: bytes) -> None:
    """Send data byte by byte for a while, then leave."""
    with closing(connect(port)) as connection, suppress(OSError):
        for place in range(SLOW_PIECES):
            connection.sendall(data[place : place + 1])
            time.sleep(SLOW_PAUSE_S)


def hold_many(port: int, data: bytes) -> None:
    """Hold many incomplete requests at once, then leave."""
    connections = [connect(port) for _ in range(MANY)]
    for connection in connections:
        connection.sendall(data)
    time.sleep(1)
    for connection in connections:
        connection.close()
