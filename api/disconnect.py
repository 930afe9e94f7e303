"""Detection of clients that closed their connection while a response is pending."""

import socket
from wsgiref.types import WSGIEnvironment


def is_disconnected(environ: WSGIEnvironment) -> bool:
    """True if the client closed its connection; False under servers other than gunicorn."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
