"""The demand for the engine: requests without an answer, and sessions that are being made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from warm.render.jobs import SpeakJob


class Demand:
    """Counts everything that wants the engine, from its arrival to its end. Any thread.

    A request counts until it is answered, whichever part of the server works on it: no part has to
    report it, so no request can be missed between two parts.
    """

    def __init__(self, ring: Callable[[], None] = lambda: None) -> None:
        """`ring` is called when there is new demand."""
        self._ring = ring
        self._lock = Lock()
        self._jobs: set[SpeakJob] = set()
        self._holds = 0
        self._was_held = False

    def add(self, job: SpeakJob) -> None:
        """Count a request until it is answered."""
        with self._lock:
            self._jobs.add(job)
        self._ring()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Demand for the duration of the block, seen by the next `look` even when that is later."""
        with self._lock:
            self._holds += 1
            self._was_held = True
        self._ring()
        try:
            yield
        finally:
            with self._lock:
                self._holds -= 1

    def look(self) -> bool:
        """Whether there is demand, or was a hold since the last look. Render thread."""
        with self._lock:
            self._jobs = {job for job in self._jobs if not job.is_over}
            was_held, self._was_held = self._was_held, False
            return bool(self._jobs or self._holds or was_held)

    def fail_all(self, error: Exception) -> None:
        """Answer every request that has no answer yet."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            job.fail(error)
