"""Queue for the exclusive use of the model, in the order of the requests."""

import threading
import time
from collections import deque
from collections.abc import Callable

from chat.errors import ModelBusy, ReplyCancelled

MAX_WAITING = 4
"""Maximum number of waiting replies; a further one is refused at once."""
WAIT_S = 20.0
"""Longest wait. The server itself sends nothing to a request that waits, not even headers."""


class Slot:
    """A first-come, first-served lock with a bounded queue. Thread-safe."""

    def __init__(self, condition: threading.Condition) -> None:
        """`condition` is notified when a reply is cancelled."""
        self._condition = condition
        self._queue: deque[object] = deque()
        """Tickets; the first one has the place."""

    @property
    def waiting(self) -> int:
        """Number of replies that wait for the place."""
        return max(0, len(self._queue) - 1)

    def acquire(self, ticket: object, is_cancelled: Callable[[], bool]) -> None:
        """Take the place; raises ModelBusy and ReplyCancelled."""
        with self._condition:
            if len(self._queue) > MAX_WAITING:
                raise busy()
            self._queue.append(ticket)
            try:
                self._wait(ticket, is_cancelled)
            except BaseException:
                self._queue.remove(ticket)
                raise

    def release(self, ticket: object) -> None:
        """Leave the place, if the ticket has it."""
        with self._condition:
            if ticket in self._queue:
                self._queue.remove(ticket)
            self._condition.notify_all()

    def _wait(self, ticket: object, is_cancelled: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while self._queue[0] is not ticket and not is_cancelled():
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise busy()
            self._condition.wait(left_s)
        if is_cancelled():
            raise ReplyCancelled("the reply was cancelled")


def busy() -> ModelBusy:
    """Return the error of a reply that finds no place."""
    return ModelBusy(
        "The embedded model writes one answer at a time, and others are waiting. Try again in a "
        "few seconds, or set chat_url to a server that answers several at once."
    )
