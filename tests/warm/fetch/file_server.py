"""A small server on this machine whose answers a test chooses."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Answer = Callable[[str], Iterator[bytes]]
"""Yields the bytes of the response to a path, head included."""


@contextmanager
def file_server(answer: Answer) -> Iterator[str]:
    """Serve on a port of 127.0.0.1; the block gets the beginning of its addresses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener, answer), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def serve(listener: socket.socket, answer: Answer) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                head = connection.recv(65_536).decode("latin-1")
                for piece in answer(head.split(" ")[1]):
                    connection.sendall(piece)


def whole(body: bytes, head: str = "") -> Iterator[bytes]:
    """A response of status 200; `head` has further lines."""
    yield f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def redirect(location: str, status: int = 302) -> Iterator[bytes]:
    yield f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def dripping(head: bytes) -> Iterator[bytes]:
    """A response that goes on forever, one byte after the other."""
    yield head
    while True:
        time.sleep(0.05)
        yield b"a"
