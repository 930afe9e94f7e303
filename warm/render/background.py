"""Threads for film work that waits for the disk: opening, closing, deleting."""

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from warm.engines.lifecycle import start_daemon
from warm.render.steps import Stage, Step, Steps

THREADS = 4
"""Tasks that run at the same time."""
STALLED_S = 0.5
"""A task that takes longer waits for the disk, and does not count as running any more: films on a
disk that does not respond delay no other film."""
POLL_S = 0.1

Result = TypeVar("Result")

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, kw_only=True)
class BackgroundTask:
    """A task that has not ended, or whose end has not been handled."""

    work: Callable[[], Any]
    on_done: Callable[["Future[Any]"], None]
    step: Step
    future: "Future[Any]"
    started_s: float | None = None
    """None: it waits for a thread."""


class BackgroundPool:
    """At most one task per session, each on a thread of its own.

    Owned by the render thread, which `notify` wakes at the end of each task.
    """

    def __init__(
        self,
        *,
        notify: Callable[[], None],
        steps: Steps,
        start_thread: Callable[[str, Callable[[], None]], None] = start_daemon,
    ) -> None:
        """`start_thread` runs a function on a new thread of this name."""
        self._notify, self._steps = notify, steps
        self._start_thread = start_thread
        self._tasks: dict[str, BackgroundTask] = {}
        self._waiting: deque[BackgroundTask] = deque()

    @property
    def sessions(self) -> set[str]:
        """Sessions with a task."""
        return set(self._tasks)

    def is_stalled(self, session_id: str) -> bool:
        """Return True if the task of a session waits for the disk."""
        task = self._tasks.get(session_id)
        if task is None or task.started_s is None:
            return False
        return self._steps.clock() - task.started_s >= STALLED_S

    def submit(
        self,
        session_id: str,
        work: Callable[[], Result],
        on_done: Callable[["Future[Result]"], None] = lambda _future: None,
        *,
        stage: Stage,
        request_id: str = "",
        subject: str = "",
    ) -> None:
        """Run `work` on a thread; `poll` then calls `on_done` on the render thread."""
        assert session_id not in self._tasks
        step = self._steps.begin(stage, session_id, request_id=request_id, subject=subject)
        task = BackgroundTask(work=work, on_done=on_done, step=step, future=Future())
        self._tasks[session_id] = task
        self._waiting.append(task)
        self._start_waiting()

    def poll(self) -> None:
        """Call `on_done` of the tasks that have ended, and start others."""
        ended = [(key, task) for key, task in self._tasks.items() if task.future.done()]
        for session_id, task in ended:
            del self._tasks[session_id]
            task.on_done(task.future)
        self._start_waiting()

    def close(self, timeout_s: float) -> None:
        """Wait for all tasks and call their `on_done`; those that take too long are abandoned."""
        deadline = time.monotonic() + timeout_s
        self.poll()
        while self._tasks and (left_s := deadline - time.monotonic()) > 0:
            futures = [task.future for task in self._tasks.values()]
            wait(futures, min(left_s, POLL_S), FIRST_COMPLETED)
            self.poll()
        for session_id, task in self._tasks.items():
            fields = {"session_id": session_id, "stage": task.step.stage}
            log.error("abandoned: the disk does not respond", extra=fields)

    def _start_waiting(self) -> None:
        while self._waiting and self._running() < THREADS:
            task = self._waiting.popleft()
            task.started_s = self._steps.clock()
            try:
                self._start_thread("background", partial(self._run, task))
            except RuntimeError as error:  # the system has no thread left
                self._steps.end(task.step)
                task.future.set_exception(error)

    def _running(self) -> int:
        """Tasks that occupy a thread and are not stalled."""
        now_s = self._steps.clock()
        return sum(
            task.started_s is not None
            and not task.future.done()
            and now_s - task.started_s < STALLED_S
            for task in self._tasks.values()
        )

    def _run(self, task: BackgroundTask) -> None:
        """Run a task. On its own thread."""
        try:
            task.future.set_result(task.work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is read
            task.future.set_exception(error)
        finally:
            self._steps.end(task.step)
            self._notify()
