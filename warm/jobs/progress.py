"""Progress of a running job, and the requests to end it."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from warm.jobs.errors import JobCancelled, JobInterrupted, JobStopped, JobTimedOut

log = logging.getLogger(__name__)


class JobProgress:
    """Connects the handler of one attempt with its job. Any thread."""

    def __init__(
        self,
        folder: Path,
        timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        """Working folder of this attempt; it becomes the job's folder when the job is done."""
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = Lock()
        self._started_s = clock()
        self._fraction, self._stage = 0.0, ""
        self._interruption: JobInterrupted | None = None
        self._interrupted_s = 0.0
        self._callbacks: list[Callable[[], None]] = []

    def report(self, fraction: float, stage: str) -> None:
        """Report the part that is done, 0 to 1, and the current step in words."""
        with self._lock:
            if 0 <= fraction <= 1:
                self._fraction = max(self._fraction, fraction)
            self._stage = stage

    def check(self) -> None:
        """Raise JobCancelled, JobTimedOut or JobStopped if the handler must end."""
        self.check_time()
        if self._interruption is not None:
            raise self._interruption

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the handler must end, or now if it must end already.

        It runs on another thread and must return at once.
        """
        with self._lock:
            is_late = self._interruption is not None
            if not is_late:
                self._callbacks.append(callback)
        if is_late:
            call(callback)

    @property
    def is_cancelled(self) -> bool:
        """True if the handler must end."""
        self.check_time()
        return self._interruption is not None

    @property
    def interruption(self) -> JobInterrupted | None:
        """The first reason to end, if there is one."""
        return self._interruption

    @property
    def last(self) -> tuple[float, str]:
        """The last report: fraction and stage."""
        with self._lock:
            return self._fraction, self._stage

    @property
    def elapsed_s(self) -> float:
        """Time since the start of the attempt."""
        return self._clock() - self._started_s

    @property
    def overdue_s(self) -> float:
        """Time since the handler was asked to end; 0 if it was not."""
        return 0.0 if self._interruption is None else self._clock() - self._interrupted_s

    def cancel(self) -> None:
        """Ask the handler to end because the job was cancelled."""
        self._interrupt(JobCancelled())

    def stop(self) -> None:
        """Ask the handler to end because the server stops."""
        self._interrupt(JobStopped())

    def check_time(self) -> None:
        """Ask the handler to end if its time is up."""
        if self._interruption is None and self.elapsed_s > self._timeout_s:
            self._interrupt(JobTimedOut(self._timeout_s))

    def _interrupt(self, reason: JobInterrupted) -> None:
        with self._lock:
            if self._interruption is not None:
                return
            self._interrupted_s = self._clock()
            self._interruption = reason
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            call(callback)


def call(callback: Callable[[], None]) -> None:
    """Call a callback of a handler; its error is logged, because the others must be called, too."""
    try:
        callback()
    except Exception:
        log.exception("a job could not be asked to end")
