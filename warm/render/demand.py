"""Demand for the engine: unanswered requests, and sessions that are being created."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from warm.render.jobs import SpeakJob


class Demand:
    """Tracks everything that needs the engine, from its arrival to its answer. Any thread.

    A request counts until it is answered, whichever part of the server works on it. The parts do
    not report their requests here, so one on its way between two parts is counted as well.
    """

    def __init__(self, notify: Callable[[], None] = lambda: None) -> None:
        """`notify` is called when demand is added."""
        self._notify = notify
        self._lock = Lock()
        self._jobs: set[SpeakJob] = set()
        self._holds = 0
        self._was_held = False

    def add(self, job: SpeakJob) -> None:
        """Count a request until it is answered."""
        with self._lock:
            self._jobs.add(job)
        self._notify()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Demand for the duration of the block; the next `poll` reports it even after the block."""
        with self._lock:
            self._holds += 1
            self._was_held = True
        self._notify()
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def includes(self, session_id: str) -> bool:
        """Return True if a request of this session has no answer yet."""
        with self._lock:
            return any(job.session_id == session_id and not job.is_over for job in self._jobs)

    def poll(self) -> bool:
        """Return True if there is demand, or was a hold since the last call. Render thread."""
        with self._lock:
            self._jobs = {job for job in self._jobs if not job.is_over}
            was_held, self._was_held = self._was_held, False
            return bool(self._jobs or self._holds or was_held)

    def jobs(self) -> list[SpeakJob]:
        """Requests that have no answer yet."""
        with self._lock:
            return [job for job in self._jobs if not job.is_over]

    def fail_all(self, error: Exception) -> None:
        """Fail every request that has no answer yet."""
        for job in self.jobs():
            job.fail(error)
