"""A relay of datagrams that loses some of them, in both directions."""

import select
import socket
import threading


class LossyRelay:
    """Passes datagrams of one client to a port of this machine; used as a context manager."""

    def __init__(self, target: int, *, lose_each: int) -> None:
        """One datagram in `lose_each` is lost."""
        self.lost = 0
        self._lose_each = lose_each
        self._inner = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._inner.connect(("127.0.0.1", target))
        self._outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._outer.bind(("127.0.0.1", 0))
        self.port: int = self._outer.getsockname()[1]
        self._is_closing = False
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "LossyRelay":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._is_closing = True
        self._thread.join()
        self._inner.close()
        self._outer.close()

    def _run(self) -> None:
        client, count = None, 0
        while not self._is_closing:
            ready, _, _ = select.select([self._inner, self._outer], [], [], 0.1)
            for each in ready:
                try:
                    data, address = each.recvfrom(2048)
                except ConnectionError:  # the target is not there any more
                    continue
                client = address if each is self._outer else client
                count += 1
                if count % self._lose_each == 0:
                    self.lost += 1
                elif each is self._outer:
                    self._inner.send(data)
                elif client is not None:
                    self._outer.sendto(data, client)
