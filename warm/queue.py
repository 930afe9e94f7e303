"""The bounded queue between HTTP threads and the render thread."""

from collections import deque
from collections.abc import Callable
from threading import Condition
from typing import Generic, TypeVar

Work = TypeVar("Work")


class QueueFull(RuntimeError):
    """There is no room for one more request.

    `retry_after_s` is when there is likely to be some.
    """

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(
            f"{limit} requests are waiting, which is the limit (max_queue); "
            f"try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s


class WorkQueue(Generic[Work]):
    """First in, first out, at most `limit` long; any thread may call anything."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.current: Work | None = None
        """What was taken last, until it is `done`."""
        self._waiting: deque[Work] = deque()
        self._urgent: deque[Work] = deque()
        self._is_closed = False
        self._changed = Condition()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, work: Work, *, retry_after_s: int = 1) -> None:
        """Queue `work`; raises QueueFull."""
        with self._changed:
            if len(self._waiting) >= self.limit:
                raise QueueFull(self.limit, retry_after_s)
            self._waiting.append(work)
            self._changed.notify()

    def put_first(self, work: Work) -> None:
        """Queue `work` before all that waits, whatever the limit.

        For work that takes no time and of which a caller never has more than one.
        """
        with self._changed:
            self._urgent.append(work)
            self._changed.notify()

    def take(self, timeout_s: float) -> Work | None:
        """The next piece of work; None when there was none for `timeout_s`, or at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._urgent or self._waiting or self._is_closed, timeout_s
            )
            source = self._urgent or self._waiting
            self.current = source.popleft() if source else None
            return self.current

    def done(self) -> None:
        """What was taken last is finished."""
        self.current = None

    def drop(self, unwanted: Callable[[Work], bool]) -> list[Work]:
        """Take out all waiting work that is `unwanted`, in order.

        Work put before is either among it, or `current`, or done.
        """
        with self._changed:
            dropped = [work for work in self._waiting if unwanted(work)]
            kept = [work for work in self._waiting if not unwanted(work)]
            self._waiting = deque(kept)
        return dropped

    def close(self) -> None:
        """Let nobody wait for work any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def drain(self) -> list[Work]:
        """Take out everything."""
        with self._changed:
            everything = [*self._urgent, *self._waiting]
            self._urgent.clear()
            self._waiting.clear()
        return everything
