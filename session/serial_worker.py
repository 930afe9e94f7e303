"""One background thread for tasks that may wait for the disk, one after the other."""

import logging
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread

_log = logging.getLogger(__name__)


class SerialWorker:
    """Runs tasks in order on one daemon thread, which ends when there are none. Any thread.

    The threads of a `ThreadPoolExecutor` would delay the exit of the process until a long film is
    read to its end.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._tasks: deque[Callable[[], None]] = deque()
        self._is_running = False

    def submit(self, task: Callable[[], None]) -> None:
        """Run a task after those that wait; returns at once."""
        with self._lock:
            self._tasks.append(task)
            if self._is_running:
                return
            self._is_running = True
        Thread(target=self._run, name=self._name, daemon=True).start()

    def _next_task(self) -> Callable[[], None] | None:
        with self._lock:
            self._is_running = bool(self._tasks)
            return self._tasks.popleft() if self._tasks else None

    def _run(self) -> None:
        while (task := self._next_task()) is not None:
            try:
                task()
            except Exception:  # noqa: BLE001 - the tasks after it belong to others
                _log.exception("a background task failed")


VERIFICATION = SerialWorker("verification")
"""Compares long films with their checksums: one at a time, so that the disk stays responsive."""
