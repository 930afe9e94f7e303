"""Bounded queue between HTTP threads and the render thread."""

from collections import deque
from collections.abc import Callable
from threading import Event, Lock
from typing import Generic, TypeVar

JobT = TypeVar("JobT")
CommandT = TypeVar("CommandT")


class QueueFull(RuntimeError):
    """The queue is full; `retry_after_s` estimates when it will have room."""

    def __init__(self, limit: int, retry_after_s: int) -> None:
        super().__init__(
            f"{limit} requests are waiting, which is the limit (max_queue); "
            f"try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s


class WorkQueue(Generic[JobT, CommandT]):
    """At most `limit` jobs, in order, and any number of commands, which are short and go first.

    Any thread may call any method. `wakeup` is set when something is added.
    """

    def __init__(self, limit: int, wakeup: Event) -> None:
        self.limit = limit
        self._wakeup = wakeup
        self._jobs: deque[JobT] = deque()
        self._commands: list[CommandT] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: JobT, *, retry_after_s: int = 1) -> None:
        """Add a job at the end; raises QueueFull."""
        with self._lock:
            if len(self._jobs) >= self.limit:
                raise QueueFull(self.limit, retry_after_s)
            self._jobs.append(job)
        self._wakeup.set()

    def put_command(
        self, command: CommandT, *, drop: Callable[[JobT], bool] = lambda _job: False
    ) -> list[JobT]:
        """Add a command, and remove and return the waiting jobs for which `drop` is true.

        Jobs that are added later run after the command.
        """
        with self._lock:
            dropped = [job for job in self._jobs if drop(job)]
            self._jobs = deque(job for job in self._jobs if not drop(job))
            self._commands.append(command)
        self._wakeup.set()
        return dropped

    def take_commands(self) -> list[CommandT]:
        """Remove and return all commands."""
        with self._lock:
            commands, self._commands = self._commands, []
        return commands

    def take(self, accepts: Callable[[JobT], bool] = lambda _job: True) -> JobT | None:
        """Remove and return the first job for which `accepts` is true; None if there is none."""
        with self._lock:
            for index, job in enumerate(self._jobs):
                if accepts(job):
                    del self._jobs[index]
                    return job
        return None

    def jobs(self) -> list[JobT]:
        """The waiting jobs, in order."""
        with self._lock:
            return list(self._jobs)

    def drain(self) -> list[JobT | CommandT]:
        """Remove and return everything."""
        with self._lock:
            everything: list[JobT | CommandT] = [*self._commands, *self._jobs]
            self._commands.clear()
            self._jobs.clear()
        return everything
