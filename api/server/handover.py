"""Hand-over of a connection: after its response it speaks another protocol, elsewhere."""

import logging
import socket
from collections.abc import Callable
from wsgiref.types import WSGIEnvironment

HANDOVER = "warmtalk.handover"
"""Key of the environment under which a server that can hand over a connection has a `Handover`."""

Receiver = Callable[[socket.socket, bytes], None]
"""Takes a connected socket, which is closed when it returns, and the bytes that were received
after the request. It is called once, by a thread that may wait for some seconds."""

log = logging.getLogger(__name__)


class Handover:
    """A view's request to hand over the connection."""

    def __init__(self) -> None:
        self.receiver: Receiver | None = None
        """Receives the connection once the response, with status 101, is sent."""
        self.abandon: Callable[[], None] = lambda: None
        """Called instead if the connection ends before that."""

    @property
    def is_wanted(self) -> bool:
        """True if the connection is to be handed over."""
        return self.receiver is not None

    def complete(self, sock: socket.socket, received: bytes) -> None:
        """Pass the connection on, and close this process's descriptor of it."""
        receiver, self.receiver = self.receiver, None
        assert receiver is not None
        try:
            receiver(sock, received)
        except Exception:
            log.exception("a connection could not be handed over")
        finally:
            sock.close()

    def cancel(self) -> None:
        """Note that the connection has ended, unless it was passed on."""
        if self.receiver is not None:
            self.receiver = None
            self.abandon()


def handover_of(environ: WSGIEnvironment) -> Handover | None:
    """Return the hand-over of a request; None if its server cannot hand over connections."""
    found = environ.get(HANDOVER)
    return found if isinstance(found, Handover) else None
