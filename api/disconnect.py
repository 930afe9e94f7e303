"""Detection of clients that closed their connection while a response is pending."""

import select
import socket
from wsgiref.types import WSGIEnvironment

CLOSED = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


def is_disconnected(environ: WSGIEnvironment) -> bool:
    """True if the client closed its connection, or the sending side of it. Any thread.

    The system reports the end of a connection even if the client sent further requests before it.
    False under servers other than gunicorn.
    """
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        return False
    fd = connection.fileno()  # another thread may close the socket at any moment
    if fd < 0:
        return True
    poll = select.poll()
    poll.register(fd, select.POLLRDHUP)
    return any(events & CLOSED for _, events in poll.poll(0))
