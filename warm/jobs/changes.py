"""Notification of changes of any job."""

from threading import Condition


class Changes:
    """Counts changes, and lets threads wait for the next one. Any thread."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """Number of changes so far."""
        return self._count

    def note(self) -> None:
        """Note a change."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, timeout_s: float) -> None:
        """Return once there are more changes than `seen`, or the time is up."""
        with self._condition:
            self._condition.wait_for(lambda: self._count > seen, timeout_s)
