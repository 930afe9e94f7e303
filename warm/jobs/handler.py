"""Interface of the code that runs jobs of one kind."""

from typing import Any, Protocol

from warm.jobs.job import Job
from warm.jobs.progress import JobProgress


class JobHandler(Protocol):
    """Runs jobs of one kind; several at once, each on a thread of its own."""

    @property
    def kind(self) -> str:
        """Kind of the jobs."""
        ...

    def run(self, job: Job, progress: JobProgress) -> dict[str, Any]:
        """Do the work, and return the facts of the result.

        The result, if there is one, is written to `progress.folder / "result.<suffix>"`. The method
        calls `progress.check` at least once a second, or registers `progress.on_cancel`, and
        raises an error if it fails. It may run again from the start after a restart of the server.
        """
        ...
