"""Handle of the live process in the worker: starts it, holds its sockets, ends it."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from isolation.process import ROOT
from warm.live.wire.control import pack_control, send_control

BOOT = (
    "import os, sys; sys.path.insert(0, sys.argv[1]); "
    "os.environ.update(OPENBLAS_NUM_THREADS='1', OMP_NUM_THREADS='1', OPENCV_FOR_THREADS_NUM='1'); "
    "from warm.live.process.live_worker import main; main()"
)
EXIT_S = 1.5
"""Time for the process to exit by itself after its control socket is closed."""


class LiveProcess:
    """A running live process. It inherits no socket or file but its two ends.

    It ends when `control` is closed, and the kernel kills it when the thread that started it ends.
    """

    def __init__(self) -> None:
        """Start the process; raises OSError."""
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.media, media = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        descriptors = control.fileno(), media.fileno()
        arguments = (str(ROOT), *map(str, descriptors), str(os.getpid()))
        try:
            with control, media:
                self._process = subprocess.Popen(
                    (sys.executable, "-P", "-c", BOOT, *arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=descriptors,
                    start_new_session=True,
                )
        except BaseException:
            self._close_sockets()
            raise

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def send(self, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send a call without waiting; raises BlockingIOError, OSError and MessageTooLong."""
        send_control(self.control, pack_control(message), descriptors)

    def kill(self) -> None:
        """Kill the process. Any thread."""
        with suppress(ProcessLookupError):
            self._process.kill()

    def end(self) -> int:
        """Close the sockets and wait for the process, which is killed after `EXIT_S`.

        Returns its exit status.
        """
        with suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        with suppress(OSError):
            self.media.shutdown(socket.SHUT_RDWR)
        self._close_sockets()
        return self._process.returncode

    def _close_sockets(self) -> None:
        self.control.close()
        self.media.close()
