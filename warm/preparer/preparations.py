"""Preparations that clients have asked for: submitted as jobs, one at a time for each avatar."""

import threading
from collections.abc import Callable

from warm.jobs.job import Job
from warm.jobs.jobs import Jobs
from warm.preparer.errors import AvatarBeingPrepared
from warm.preparer.handler import PrepareRequest

SURFACE = "avatars"
KEY = "idempotency_key"
"""Member of `Job.extra`."""
POLL_S = 0.5
MAX_JOBS = 1000
UPLOADS = {"upload", "background_upload", "actions"}
"""Members of a request that name files; repetitions of it have other ids."""


class Preparations:
    """The jobs of kind `prepare`. Any thread."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._submitting = threading.Lock()

    def submit(
        self,
        request: PrepareRequest,
        *,
        sha256: str,
        remarks: list[str],
        owner: str,
        idempotency_key: str | None,
        max_queued: int | None,
    ) -> Job:
        """Queue a preparation; raises AvatarBeingPrepared and the errors of `Jobs.submit`.

        `sha256`: digest of the source's content, by which repetitions of a request are recognised;
        `remarks` are kept with the job.
        """
        with self._submitting:
            pending = self.pending(request.avatar_id)
            is_repeated = pending and idempotency_key and pending.extra[KEY] == idempotency_key
            if pending is not None and not is_repeated:
                raise AvatarBeingPrepared(request.avatar_id)
            return self._jobs.submit(
                "prepare",
                request.model_dump(),
                surface=SURFACE,
                owner=owner,
                extra={KEY: idempotency_key, "remarks": remarks},
                idempotency_key=idempotency_key,
                identity={
                    **request.model_dump(exclude=UPLOADS),
                    **({"actions": sorted(request.actions)} if request.actions else {}),
                    "sha256": sha256,
                },
                max_queued=max_queued,
            )

    def latest(self, avatar_id: str) -> Job | None:
        """Return the last preparation of an avatar by a job; raises JobStoreError."""
        jobs, _ = self._jobs.list(SURFACE, limit=MAX_JOBS)
        return next((job for job in jobs if job.request["avatar_id"] == avatar_id), None)

    def pending(self, avatar_id: str) -> Job | None:
        """Return the preparation of an avatar that has not ended; raises JobStoreError."""
        found = (job for job in self._jobs.unfinished() if job.kind == "prepare")
        return next((job for job in found if job.request["avatar_id"] == avatar_id), None)

    def wait(self, avatar_id: str, check: Callable[[], None]) -> None:
        """Wait until no preparation of an avatar is running; queued ones may run after the caller.

        `check` is called twice a second, and may raise an error to end the wait.
        """
        while (job := self.pending(avatar_id)) is not None and job.state == "running":
            check()
            self._jobs.wait(job.id, POLL_S)
