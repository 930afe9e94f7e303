"""Reading of an input that is still arriving, in a process that was started beforehand."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from isolation.item import Item
from isolation.process import RequestCancelled, WorkerFailed, WorkerProcess, WorkerTimeout
from isolation.reading import (
    LIMITS,
    OutOfMemory,
    ReadFailed,
    ReadLimits,
    next_item,
)

PROGRAM = "isolation.arriving_worker"
"""Main program of the processes, for `Standby`."""
START_S = 30.0
"""Longest time for a process to start."""
PIECE_BYTES = 1 << 16

Reader = Callable[..., Iterator[Item]]
"""A function at the top level of a module. Its first argument is a file whose method `read` blocks;
the others are keyword arguments that JSON can express."""


class ArrivingRead:
    """One read of an input. One thread sends it, another one receives the items."""

    def __init__(
        self,
        worker: WorkerProcess,
        reader: Reader,
        *,
        raises: type[Exception],
        limits: ReadLimits = LIMITS,
        **arguments: Any,
    ) -> None:
        """Start the read in a process that is ready; raises ReadFailed."""
        self._worker, self._raises, self._limits = worker, raises, limits
        self._sent_s = time.monotonic()
        request = {
            "reader": [reader.__module__, reader.__qualname__],
            "arguments": arguments,
            "item_cpu_s": limits.item_cpu_s,
            "memory_bytes": limits.memory_bytes,
        }
        try:
            worker.wait_until_ready(START_S)
            worker.send(request)
        except WorkerFailed as error:
            raise failed(error) from error

    @property
    def has_item(self) -> bool:
        """True if an item, or the beginning of one, has arrived."""
        return self._worker.has_message

    def send(self, data: bytes) -> bool:
        """Send a part of the input; waits while the reader has no room.

        False if the reader has ended.
        """
        for start in range(0, len(data), PIECE_BYTES):
            if not self._send(data[start : start + PIECE_BYTES]):
                return False
        return True

    def finish(self) -> None:
        """Signal the end of the input."""
        self._send(b"", end=True)

    def next_item(self, is_cancelled: Callable[[], bool]) -> Item | None:
        """Wait for the next item; None after the last.

        Raises the errors of the reader that are of the type `raises`, ReadFailed, and
        RequestCancelled soon after `is_cancelled` becomes true.
        """
        try:
            return next_item(
                self._worker,
                self._raises,
                timeout_s=math.inf,
                is_cancelled=lambda: is_cancelled() or self._is_stuck(),
            )
        except RequestCancelled:
            if not is_cancelled():
                raise failed(WorkerTimeout(f"took longer than {self._limits.item_s:g} s")) from None
            raise
        except (WorkerFailed, OutOfMemory) as error:
            raise failed(error) from error

    def close(self) -> None:
        """End the process."""
        self._worker.interrupt()

    def dispose(self) -> None:
        """End the process and close its pipes; no other thread uses it any more."""
        self._worker.kill()

    def _send(self, data: bytes, **header: Any) -> bool:
        try:
            self._worker.send_bytes(data, **header)
        except (BrokenPipeError, ValueError):  # it has ended; its pipe may be closed already
            return False
        self._sent_s = time.monotonic()
        return True

    def _is_stuck(self) -> bool:
        """True if the reader has had the last part for too long without an item."""
        return time.monotonic() - self._sent_s > self._limits.item_s


def failed(error: Exception) -> ReadFailed:
    """Return the error of a process that reads an input."""
    if isinstance(error, OutOfMemory):
        return ReadFailed(
            "The recording needs too much memory to be read: its header is damaged. Send it again."
        )
    return ReadFailed(
        f"The process that read the recording {error}. The recording is damaged, or a decoder has "
        "a fault. Convert it with another program, and send the result."
    )
