"""A TCP proxy between browser and server that can cut or stall connections."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

CHUNK_BYTES = 1 << 16


class FlakyNetwork:
    """Forwards connections to a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._is_up = True
        self._forwards = Event()
        self._forwards.set()
        Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """Close every connection, and refuse new ones until `restore`."""
        self._is_up = False
        self._close_all()

    def stall(self) -> None:
        """Stop forwarding on the open connections without closing them; new ones work."""
        self._forwards.clear()
        self._forwards = Event()
        self._forwards.set()

    def restore(self) -> None:
        self._is_up = True

    def redirect(self, target: int) -> None:
        """Forward new connections to another port of this machine; the open ones are closed."""
        self._target = target
        self._close_all()

    def close(self) -> None:
        self._is_up = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._close_all()

    def _close_all(self) -> None:
        while self._sockets:
            connection = self._sockets.pop()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _listen(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                client, _ = self._listener.accept()
                if not self._is_up:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += (client, server)
                for source, target in ((client, server), (server, client)):
                    arguments = source, target, self._forwards
                    Thread(target=forward, args=arguments, daemon=True).start()


def forward(source: socket.socket, target: socket.socket, forwards: Event) -> None:
    """Copy bytes from one socket to the other while the event is set."""
    with suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            if not forwards.is_set():
                return
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def flaky_network(target: int) -> Iterator[FlakyNetwork]:
    """A proxy to the port `target`, closed when the block ends."""
    network = FlakyNetwork(target)
    try:
        yield network
    finally:
        network.close()
