"""Queue of jobs and commands between HTTP threads and the render thread."""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

JobT = TypeVar("JobT")
CommandT = TypeVar("CommandT")


class WorkQueue(Generic[JobT, CommandT]):
    """Jobs in order, and any number of commands, which are short and go first.

    Any thread may call any method. `wakeup` is set when something is added. The callbacks are
    called while the queue is locked.
    """

    def __init__(self, wakeup: Event) -> None:
        self._wakeup = wakeup
        self._jobs: deque[JobT] = deque()
        self._commands: list[CommandT] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._jobs)

    def put(self, job: JobT, *, check: Callable[[Sequence[JobT]], None]) -> None:
        """Add a job at the end. `check` gets the waiting jobs, and may raise to refuse the job."""
        with self._lock:
            check(self._jobs)
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

    def take(self, choose: Callable[[Sequence[JobT]], JobT | None]) -> JobT | None:
        """Remove and return the job that `choose` selects among the waiting ones; None if none."""
        with self._lock:
            job = choose(self._jobs)
            if job is not None:
                self._jobs.remove(job)
            return job

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
