"""Acceptance of connections, which pauses when the system has no file descriptors left."""

import errno
import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence

from api.server.request_reader import Address

PAUSE_S = 0.5
ACCEPTS_AT_ONCE = 64
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = logging.getLogger(__name__)

Admit = Callable[[socket.socket, Address, Address], None]
"""Takes a connection, the address of its client and that of the listening socket."""


class Acceptor:
    """Accepts connections of all listening sockets. Owned by the event loop."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        listeners: Sequence[socket.socket],
        *,
        admit: Admit,
        make_room: Callable[[], object],
    ) -> None:
        self._selector = selector
        self._listeners = listeners
        self._admit = admit
        self._make_room = make_room
        self._is_on = False
        self._again_s = 0.0
        self._has_reported = False
        self._is_closed = False
        self._switch(is_on=True)

    def resume(self) -> None:
        """End a pause whose time is up."""
        if not self._is_closed and time.monotonic() >= self._again_s:
            self._switch(is_on=True)

    def close(self) -> None:
        """Close the listening sockets of this process."""
        self._switch(is_on=False)
        self._is_closed = True
        for listener in self._listeners:
            listener.close()

    def accept(self, listener: socket.socket) -> None:
        """Accept the connections that wait."""
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, client = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in OUT_OF_FILES:
                    self._pause(error)
                    return
                continue  # the client has closed it already
            self._has_reported = False
            self._admit(sock, client, listener.getsockname())

    def _pause(self, error: OSError) -> None:
        """Accept nothing for PAUSE_S, and close the connection that is used least."""
        if not self._has_reported:
            log.warning("connections cannot be accepted: %s; trying again", error.strerror)
        self._has_reported = True
        self._make_room()
        self._switch(is_on=False)
        self._again_s = time.monotonic() + PAUSE_S

    def _switch(self, *, is_on: bool) -> None:
        if is_on == self._is_on:
            return
        for listener in self._listeners:
            if is_on:
                listener.setblocking(False)
                self._selector.register(listener, selectors.EVENT_READ, self.accept)
            else:
                self._selector.unregister(listener)
        self._is_on = is_on
