"""gunicorn's threaded worker, without its one wait on the accepting thread."""

import contextlib
import socket
import time

from gunicorn.workers.gthread import TConn, ThreadWorker

LINGER_S = 2.0
"""How long a closed connection may take to be closed by the client too."""


class PatientWorker(ThreadWorker):
    """Waits for clients to hang up on the thread that served them.

    gunicorn does so on its accepting thread, where one client that does not hang up holds up
    everybody else's requests.
    """

    def handle(self, conn: TConn) -> bool:
        """Serve one request; a connection that ends with it is hung up here."""
        kept = super().handle(conn)
        if kept is False:
            hang_up(conn.sock)
        return kept


def hang_up(sock: socket.socket) -> None:
    """Say that nothing more will be sent, and wait until the client says so too."""
    deadline = time.monotonic() + LINGER_S
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        while (left_s := deadline - time.monotonic()) > 0:
            sock.settimeout(left_s)
            if not sock.recv(4096):
                break
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
