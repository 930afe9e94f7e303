"""gunicorn's threaded worker, which waits on no accepting thread and ends in order."""

import contextlib
import logging
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any, ClassVar, cast

from flask import Flask
from gunicorn.workers.gthread import TConn, ThreadWorker

from api.context import running
from api.server.bad_requests import refusal
from api.server.log import JsonFormatter
from api.server.shutdown import leave
from warm.runtime import Runtime

LINGER_S = 2.0
"""How long a closed connection may take to be closed by the client too."""
RECEIVE_S = 30
"""How long a request that has begun may bring nothing; then its thread is free again."""
SEND_S = 120
"""How long who is being answered may take nothing; then the connection is closed, and with it go a
thread and a watcher's place. A player that was paused asks for the rest from where it was."""
ANSWERS_END_S = 2.0
"""How long answers may take to end when the render thread has."""
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
"""What gunicorn's master, or a terminal, ends a worker with: all of them in the same order."""
SPAN_S = 600.0
LIVES_S = (0.0, 5.0, 30.0)
"""A worker whose device failed for good ends when it has lived so long: the first of the last
`SPAN_S` at once, each further one later, and more than these not."""
RENEWED = 75
"""Exit status of a worker that wants to be followed by a new one; EX_TEMPFAIL of sysexits.h."""

LEFT = "something did not end in time, and was left behind"

log = logging.getLogger(__name__)


class PatientWorker(ThreadWorker):
    """Waits for clients to hang up on the thread that served them.

    gunicorn does so on its accepting thread, where one client that does not hang up holds up
    everybody else's requests.
    """

    births: ClassVar[list[float]] = []
    """When the master made each worker of `SPAN_S`, by a clock that does not jump. A worker has
    the list as it was then, itself the last."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """In the master, before it forks."""
        super().__init__(*args, **kwargs)
        now_s = time.monotonic()
        self.births[:] = [*(born_s for born_s in self.births if now_s - born_s < SPAN_S), now_s]
        self._status = 0
        self._is_asked = False

    def init_signals(self) -> None:
        """A stop is the same by whichever signal: nothing is left half done."""
        super().init_signals()
        self.obey()

    def obey(self) -> None:
        """End when a signal asks for it."""
        for number in STOPPING:
            signal.signal(number, self.handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Have the render thread end its fragment, and every answer with it."""
        if not self.booted:
            leave(0)
        if self._is_asked:
            return
        self._is_asked = True
        self.runtime.stop()
        signal.signal(signal.SIGALRM, self._give_up)  # no thread: the one stopped may be making one
        stop_s = running(cast(Flask, self.wsgi)).settings.stop_s
        signal.setitimer(signal.ITIMER_REAL, stop_s + ANSWERS_END_S)
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """Wait for the fragment being made, close the films, and leave. In the worker's process."""
        if self.booted:
            self.runtime.stop()
            if self.runtime.is_warm:
                self.runtime.close()
        leave(self._status or status_of(sys.exc_info()[1]))

    def renew(self) -> bool:
        """Leave, so that the master puts a new worker in this one's place; the socket stays open
        meanwhile, and clients wait. False: not now, it was done too often. Any thread."""
        if self._is_asked or not may_end(self.births, time.monotonic(), lives_s=LIVES_S):
            return False
        log.error("this process ends; a new one takes its place")
        self._status = RENEWED
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    @property
    def runtime(self) -> Runtime:
        """What is served; once the worker is booted."""
        return running(cast(Flask, self.wsgi)).runtime

    def handle(self, conn: TConn) -> bool:
        """Serve one request; a connection that ends with it is hung up here."""
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", RECEIVE_S, 0))
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
        kept = super().handle(conn)
        if kept is False:
            hang_up(conn.sock)
        return kept

    def _give_up(self, _sig: int, _frame: FrameType | None) -> None:
        """The time is up: what is on disk is whole, and the rest is not waited for.

        Nor is the log, which may be what everybody waits for.
        """
        told = logging.makeLogRecord({"levelname": "ERROR", "name": __name__, "msg": LEFT})
        with contextlib.suppress(OSError):
            os.set_blocking(sys.stderr.fileno(), False)
            os.write(sys.stderr.fileno(), f"{JsonFormatter().format(told)}\n".encode())
        os._exit(self._status)

    def handle_error(
        self, _request: object, client: socket.socket, _address: object, error: BaseException
    ) -> None:
        """Answer what is no request."""
        with contextlib.suppress(OSError):
            client.sendall(refusal(error))


def status_of(error: BaseException | None) -> int:
    """With which status a process ends by this exception."""
    if error is None:
        return 0
    return int(error.code or 0) if isinstance(error, SystemExit) else 1


def may_end(births: Sequence[float], now_s: float, *, lives_s: Sequence[float] = LIVES_S) -> bool:
    """Whether the worker that was born last may leave its place to a new one."""
    *earlier, born_s = births
    before = sum(now_s - each_s <= SPAN_S for each_s in earlier)
    return before < len(lives_s) and now_s - born_s >= lives_s[before]


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
