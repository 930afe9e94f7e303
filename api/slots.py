"""Slots for long-running responses: a semaphore that reports its use."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore


class Slots(BoundedSemaphore):
    """Bounded semaphore with a known limit. Any thread."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    @property
    def taken(self) -> int:
        """Number of slots in use."""
        return self.limit - self._value

    @contextmanager
    def hold(self, full: Exception) -> Iterator[None]:
        """Take a slot for the block; raise `full` if none is free."""
        if not self.acquire(blocking=False):
            raise full
        try:
            yield
        finally:
            self.release()
