"""Servers of this machine that the measured server must not, or may, connect to."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from bench.intruders.addresses import redirect_target

Respond = Callable[[socket.socket], None]


class Canary:
    """Counts the connections to a port that nothing should connect to."""

    def __init__(self) -> None:
        self.connections = 0

    def respond(self, _connection: socket.socket) -> None:
        """Count a connection."""
        self.connections += 1


@contextmanager
def listening(address: str, respond: Respond) -> Iterator[int]:
    """Serve on a free port of `address`, on IPv6 too if it is `::`; the block gets the port."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    both = family == socket.AF_INET6
    with socket.create_server((address, 0), family=family, dualstack_ipv6=both) as listener:
        thread = threading.Thread(target=serve, args=(listener, respond), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def serve(listener: socket.socket, respond: Respond) -> None:
    """Answer one connection after the other."""
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                respond(connection)


def redirecting(canary_port: int) -> Respond:
    """Return a server that redirects each path to a forbidden address."""

    def respond(connection: socket.socket) -> None:
        name = connection.recv(65_536).decode("latin-1").split(" ")[1].strip("/")
        target = redirect_target(name, canary_port)
        connection.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        )

    return respond
