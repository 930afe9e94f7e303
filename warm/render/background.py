"""What would hold up the render thread, done beside it: opening, ending and deleting of films."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

AT_ONCE = 4
"""Threads: what waits for the disk in one session seldom waits for that in another."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Something that is under way."""

    done: "Future[Any]"
    then: Callable[["Future[Any]"], None]
    begun_s: float


class BackgroundPool:
    """Owned by the render thread; one task a session. `ring` is called when one is done."""

    def __init__(
        self, *, ring: Callable[[], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ring, self._clock = ring, clock
        self._threads = ThreadPoolExecutor(AT_ONCE, "beside")
        self._tasks: dict[str, Task] = {}

    def is_at(self, session_id: str | None) -> bool:
        """Whether something of a session is under way."""
        return session_id in self._tasks

    @property
    def sessions(self) -> set[str]:
        """Those of which something is under way."""
        return set(self._tasks)

    def start(
        self,
        session_id: str,
        act: Callable[[], Result],
        then: Callable[["Future[Result]"], None] = lambda _done: None,
    ) -> None:
        """Do it; `then` is called by `advance`, on the render thread, with what came of it."""
        done = self._threads.submit(act)
        self._tasks[session_id] = Task(done, then, self._clock())
        done.add_done_callback(lambda _done: self._ring())

    def advance(self) -> None:
        """Go on with what is done."""
        ended = [(session_id, task) for session_id, task in self._tasks.items() if task.done.done()]
        for session_id, task in ended:
            del self._tasks[session_id]
            task.then(task.done)

    def end(self) -> None:
        """Wait for everything."""
        self._threads.shutdown()
        self.advance()

    def busy_s(self) -> float:
        """How long the slowest of what is under way has been. Any thread."""
        now_s = self._clock()
        return max((now_s - task.begun_s for task in list(self._tasks.values())), default=0.0)
