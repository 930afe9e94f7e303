"""A network between browser and server that can be cut, or go silent without a word."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

CHUNK_BYTES = 1 << 16


class FlakyNetwork:
    """Carries connections to a port of this machine until it is told not to."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._works, self._carries = True, Event()
        self._carries.set()
        Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        """Close every connection; new ones are refused until `mend`."""
        self._works = False
        self._close_all()

    def go_silent(self) -> None:
        """The connections that are open now bring nothing any more, and are not closed."""
        self._carries.clear()
        self._carries = Event()
        self._carries.set()

    def mend(self) -> None:
        self._works = True

    def close(self) -> None:
        self._works = False
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._close_all()

    def _close_all(self) -> None:
        while self._sockets:
            one = self._sockets.pop()
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _listen(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                near, _ = self._listener.accept()
                if not self._works:
                    near.close()
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += (near, far)
                for one, other in ((near, far), (far, near)):
                    Thread(target=carry, args=(one, other, self._carries), daemon=True).start()


def carry(one: socket.socket, other: socket.socket, carries: Event) -> None:
    """Bytes from one to the other, as long as the network carries."""
    with suppress(OSError):
        while data := one.recv(CHUNK_BYTES):
            if not carries.is_set():
                return
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)


@contextmanager
def flaky_network(target: int) -> Iterator[FlakyNetwork]:
    """A network for one test."""
    network = FlakyNetwork(target)
    try:
        yield network
    finally:
        network.close()
