"""Tasks of one session's live clients, run in order by one thread."""

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

Task = Callable[[], None]
POLL_S = 0.05
"""Interval at which `check` is called."""

log = logging.getLogger(__name__)


class SessionTasks:
    """Tasks of one session. Its thread ends when none is left and `check` finds nothing."""

    def __init__(self, name: str, *, check: Callable[[], int], most_at_once: int) -> None:
        """`check` is called often between two tasks; it returns how many results of tasks are not
        complete. While there are `most_at_once`, no further task begins."""
        self._name, self._check, self._most = name, check, most_at_once
        self._tasks: deque[Task] = deque()
        self._urgent: Task | None = None
        self._changed = Condition()
        self._has_thread = False

    @property
    def has_thread(self) -> bool:
        """True from the first task until the thread ends."""
        return self._has_thread

    def add(self, task: Task) -> None:
        """Add a task. Any thread."""
        with self._changed:
            self._tasks.append(task)
            self._wake()

    def replace_all(self, task: Task) -> None:
        """Drop the tasks that wait, and run this one when the current one is done."""
        with self._changed:
            self._tasks.clear()
            self._urgent = task
            self._wake()

    def _wake(self) -> None:
        self._changed.notify()
        if not self._has_thread:
            self._has_thread = True
            Thread(target=self._run, name=f"live-speech-{self._name}", daemon=True).start()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            try:
                task()
            except Exception:
                log.exception("a request of a live client failed")

    def _next(self) -> Task | None:
        """Wait for a task; None if the thread is to end."""
        while True:
            begun = self._check()
            with self._changed:
                if self._urgent is not None:
                    urgent, self._urgent = self._urgent, None
                    return urgent
                if self._tasks and begun < self._most:
                    return self._tasks.popleft()
                if not self._tasks and not begun:
                    self._has_thread = False
                    return None
                self._changed.wait(POLL_S)
