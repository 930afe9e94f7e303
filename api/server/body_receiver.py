"""Reception of a body while a thread runs its request."""

import os
import selectors
import socket
from collections.abc import Callable

from api.server.live_body import LiveBytes

RECEIVE_BYTES = 65_536


class BodyReceiver:
    """Passes the bytes of a connection to the body that is being read. Owned by the event loop.

    It watches a duplicate of the socket's descriptor, so that the loop can watch the socket itself
    for the response.
    """

    def __init__(
        self,
        sock: socket.socket,
        source: LiveBytes,
        selector: selectors.BaseSelector,
        defer: Callable[[Callable[[], None]], None],
    ) -> None:
        """`defer` runs a function in the event loop; any thread may call it."""
        self._sock, self._source, self._selector = sock, source, selector
        self._descriptor = os.dup(sock.fileno())
        self.on_first: Callable[[], None] = lambda: None
        """Called once, before anything is received: the application has asked for the body."""
        self._is_watching = self._is_closed = False
        source.on_room = lambda: defer(self._receive)

    def close(self) -> None:
        """Stop receiving; a thread that waits for more of the body gets its end."""
        if self._is_closed:
            return
        self._is_closed = True
        self._watch(False)
        os.close(self._descriptor)
        self._source.end()

    def _receive(self, _descriptor: object = None) -> None:
        """Receive what has arrived."""
        if self._is_closed:
            return
        on_first, self.on_first = self.on_first, lambda: None
        on_first()
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            self._watch(True)
            return
        except OSError:
            data = b""
        if not data:
            self._source.end()
        self._watch(bool(data) and self._source.feed(data))

    def _watch(self, is_watching: bool) -> None:
        if is_watching == self._is_watching:
            return
        self._is_watching = is_watching
        if is_watching:
            self._selector.register(self._descriptor, selectors.EVENT_READ, self._receive)
        else:
            self._selector.unregister(self._descriptor)
