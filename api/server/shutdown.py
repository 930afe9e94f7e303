"""Exit of the server's processes."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import active_children
from types import FrameType
from typing import NoReturn

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
"""Signals that ask a process to end."""


def exit_now(status: int) -> NoReturn:
    """End this process at once; all data must be on disk.

    The interpreter is not finalized: finalization would stop threads inside native libraries, which
    makes C++ abort.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, RuntimeError):  # closed, or interrupted in a write
            stream.flush()
    os._exit(status)


def exit_status(error: BaseException | None) -> int:
    """Return the status of a process that ends with this exception."""
    if error is None:
        return 0
    return int(error.code or 0) if isinstance(error, SystemExit) else 1


def exit_on_signals() -> None:
    """Have stop signals end this process at once, with status 0."""
    for number in STOP_SIGNALS:
        signal.signal(number, exit_from_signal)


@contextmanager
def stop_signals_deferred() -> Iterator[None]:
    """Defer stop signals while a child process is started.

    A child whose parent exits before it has sent the child's first data prints a traceback. The
    child starts with these signals blocked, too; `ignore_interrupts` unblocks them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def ignore_interrupts() -> None:
    """Ignore Ctrl-C in a child process, which its parent ends; unblock deferred stop signals."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def exit_from_signal(_number: int, _frame: FrameType | None) -> None:
    """End this process and its children: the signal handler while there is nothing to finish."""
    for child in active_children():
        child.terminate()
    exit_now(0)
