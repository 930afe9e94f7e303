"""How a process of the server ends: at once and in order, or not by itself at all."""

import os
import signal
import sys
from contextlib import suppress
from multiprocessing import active_children
from types import FrameType
from typing import NoReturn

ASKED = (signal.SIGTERM, signal.SIGINT)
"""What asks a process to end."""


def leave(status: int) -> NoReturn:
    """End this process now; what is to be kept must be on disk.

    The interpreter is not taken down around threads that are inside of native libraries: it would
    end them where they stand, and C++ answers that with an abort.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, RuntimeError):  # closed, or interrupted in a write
            stream.flush()
    os._exit(status)


def leave_if_asked() -> None:
    """From here on, a signal that asks this process to end does so at once, with status 0."""
    for number in ASKED:
        signal.signal(number, leave_now)


def ignore_terminal() -> None:
    """Let the parent answer Ctrl-C: it ends its children."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def leave_now(_number: int, _frame: FrameType | None) -> None:
    """The signal handler of a process that has nothing to finish; its children end with it."""
    for child in active_children():
        child.terminate()
    leave(0)
