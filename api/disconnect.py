"""Whether the reader of a long answer is still there."""

import socket
from wsgiref.types import WSGIEnvironment


def is_gone(environ: WSGIEnvironment) -> bool:
    """Whether the client closed its connection; False under servers that do not tell."""
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
