"""A lock that lets one fetch at a time write into a folder, across processes and threads."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from wheels.errors import FetchBusy, FetchCancelled

LOCK_NAME = ".fetch.lock"
POLL_S = 0.2
STALL_S = 120.0
"""Longest wait for a fetch of another process that receives nothing."""


@contextmanager
def exclusive_folder(
    folder: Path,
    *,
    arrived: Callable[[], int],
    is_cancelled: Callable[[], bool],
    stall_s: float = STALL_S,
) -> Iterator[None]:
    """Hold the lock of `folder`; wait for the fetch that holds it.

    `arrived` returns the bytes that the other fetch has received; it is called while waiting.
    Raises FetchBusy, FetchCancelled, and OSError. The kernel releases the lock of a process that
    ends.
    """
    with (folder / LOCK_NAME).open("ab") as lock:
        seen, changed_s = -1, time.monotonic()
        while not is_locked(lock):
            if (now := arrived()) != seen:
                seen, changed_s = now, time.monotonic()
            require_progress(folder, changed_s + stall_s, is_cancelled)
            time.sleep(POLL_S)
        yield


def is_locked(lock: IO[bytes]) -> bool:
    """Lock a file if it is free; return True if this succeeded."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def require_progress(folder: Path, deadline_s: float, is_cancelled: Callable[[], bool]) -> None:
    """Raise FetchCancelled, or FetchBusy after the deadline."""
    if is_cancelled():
        raise FetchCancelled("The download was cancelled; the next one continues it.")
    if time.monotonic() > deadline_s:
        raise FetchBusy(
            f"Another process has been fetching into {folder} and has received nothing for minutes."
            " End it, then try again."
        )
