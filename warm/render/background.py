"""Thread pool for blocking film work, off the render thread: opening, ending, deleting."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

THREADS = 4
"""Sessions whose films can wait for the disk at the same time."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class BackgroundTask:
    """A running task."""

    future: "Future[Any]"
    on_done: Callable[["Future[Any]"], None]
    started_s: float


class BackgroundPool:
    """At most one task per session. Owned by the render thread, which `notify` wakes at the end of
    each task."""

    def __init__(
        self, *, notify: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._notify, self._clock = notify, clock
        self._threads = ThreadPoolExecutor(THREADS, "background")
        self._tasks: dict[str, BackgroundTask] = {}

    @property
    def sessions(self) -> set[str]:
        """Sessions with a running task."""
        return set(self._tasks)

    def submit(
        self,
        session_id: str,
        work: Callable[[], Result],
        on_done: Callable[["Future[Result]"], None] = lambda _future: None,
    ) -> None:
        """Run `work` on a thread of the pool; `poll` then calls `on_done` on the render thread."""
        future = self._threads.submit(work)
        self._tasks[session_id] = BackgroundTask(future, on_done, self._clock())
        future.add_done_callback(lambda _future: self._notify())

    def poll(self) -> None:
        """Call `on_done` of the tasks that have ended."""
        ended = [(key, task) for key, task in self._tasks.items() if task.future.done()]
        for session_id, task in ended:
            del self._tasks[session_id]
            task.on_done(task.future)

    def close(self) -> None:
        """Wait for all tasks and call their `on_done`."""
        self._threads.shutdown()
        self.poll()

    def busy_s(self) -> float:
        """Age of the oldest running task in seconds. Any thread."""
        now_s = self._clock()
        return max((now_s - task.started_s for task in list(self._tasks.values())), default=0.0)
