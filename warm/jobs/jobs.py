"""Jobs: submission, state, cancellation, deletion."""

import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from warm.jobs.changes import Changes
from warm.jobs.database import Database
from warm.jobs.errors import (
    BadIdempotencyKey,
    BadJobToken,
    IdempotencyMismatch,
    JobQueueFull,
    JobRunning,
    JobStoreError,
    ResultGone,
    ResultNotReady,
    UnknownJob,
)
from warm.jobs.files import JobFiles
from warm.jobs.handler import JobHandler
from warm.jobs.job import Job, JobEnd, JobError
from warm.jobs.limits import JobLimits
from warm.jobs.runner import JobRunner
from warm.jobs.table import EndHook, JobTable, NewJob
from warm.sessions.shares import Limit, client_share

ID_PATTERN = re.compile(r"([a-z]{1,16}_)?[0-9a-f]{32}")
KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")
TOKEN_PATTERN = re.compile(r"[0-9]{1,18}")
STATES = ("queued", "running", "done", "error", "cancelled")
MAX_PAGE = 1000
CANCEL_S = 2.0
"""Longest wait of `cancel` for a running job."""


class Jobs:
    """All jobs of a results folder. Any thread."""

    def __init__(
        self,
        results: Path,
        limits: JobLimits,
        *,
        describe: Callable[[Exception], JobError],
        now: Callable[[], float] = time.time,
    ) -> None:
        """`describe` returns the kind and the text of a handler's error."""
        self.database = Database(results)
        self._results, self._limits, self._now = results, limits, now
        self._files = JobFiles(results)
        self.database.on_begin = self._files.set_aside
        self._table = JobTable(self.database)
        self._changes = Changes()
        self._runner = JobRunner(
            self._table, self._files, limits, describe=describe, changes=self._changes, now=now
        )
        self._last_counts: dict[str, int] = {}

    def register(self, handler: JobHandler) -> None:
        """Have a handler run the jobs of its kind."""
        self._runner.handlers[handler.kind] = handler

    def on_ended(self, callback: Callable[[Job], None]) -> None:
        """Call `callback` after the end of each job is committed, on a thread of its own.

        A crash may happen in between; use `with_end` for data that must not be lost.
        """
        self._runner.ended_callbacks.append(callback)

    def with_end(self, hook: EndHook) -> None:
        """Call `hook` in the transaction that ends a job; it writes through its connection."""
        self._table.end_hooks.append(hook)

    def start(self) -> None:
        """Open the database, and run the jobs that are queued.

        Raises JobStoreNewer. Otherwise a database that cannot be opened is tried again later.
        """
        with suppress(JobStoreError):  # the runner logs it, and tries again
            self.database.open()
        self._runner.start()

    def stop(self) -> None:
        """Ask running jobs to end; they run again after the next start. Returns at once."""
        self._runner.stop()

    def close(self) -> None:
        """Stop, wait at most `stop_s` for the running jobs, and close the database."""
        self._runner.close()
        self.database.close()

    def submit(  # noqa: PLR0913 - each is a fact of the job
        self,
        kind: str,
        request: dict[str, Any],
        *,
        surface: str,
        owner: str = "",
        extra: dict[str, Any] | None = None,
        idempotency_key: str | None = None,
        id_prefix: str = "job_",
        identity: Mapping[str, Any] | None = None,
        max_queued: int | None = None,
    ) -> Job:
        """Queue a job; it is durable when this returns.

        With an idempotency key that the owner has used on this surface, the job of that request is
        returned. `identity` is compared instead of `request` and `extra` if these differ
        between repetitions of one request. `max_queued` limits the waiting jobs of the owner.

        Raises JobQueueFull, IdempotencyMismatch, BadIdempotencyKey, DiskNearlyFull and
        JobStoreError.
        """
        if kind not in self._runner.handlers:
            raise LookupError(f"no handler for jobs of kind {kind!r}")
        check_key(idempotency_key)
        extra = extra or {}
        new = NewJob(
            id=f"{id_prefix}{secrets.token_hex(16)}",
            kind=kind,
            surface=surface,
            owner=owner,
            request=request,
            extra=extra,
            secret=secrets.token_hex(16),
            digest=digest_of(kind, identity or {"request": request, "extra": extra}),
            idempotency_key=idempotency_key,
        )
        job, digest = self._table.insert(
            new, self._now(), check=lambda queued: self._check_room(owner, max_queued, queued)
        )
        if digest != new.digest:
            raise IdempotencyMismatch(idempotency_key or "")
        self._changes.note()
        self._runner.wake()
        return self._runner.live(job)

    def get(self, job_id: str, surface: str | None = None) -> Job:
        """Return a job; raises UnknownJob, also for one of another surface, and JobStoreError."""
        found = self._table.get(job_id) if ID_PATTERN.fullmatch(job_id) else None
        if found is None or surface not in (None, found.surface):
            raise UnknownJob(job_id)
        return self._runner.live(found)

    def list(
        self,
        surface: str | None = None,
        owner: str | None = None,
        limit: int = 100,
        token: str | None = None,
    ) -> tuple[Sequence[Job], str | None]:
        """Return jobs, the newest first, and the token of the next page; None on the last one.

        Raises BadJobToken and JobStoreError.
        """
        if token is not None and not TOKEN_PATTERN.fullmatch(token):
            raise BadJobToken(token)
        limit = min(max(limit, 1), MAX_PAGE)
        found = self._table.page(
            surface=surface, owner=owner, limit=limit + 1, before=int(token) if token else None
        )
        page = [self._runner.live(job) for job in found[:limit]]
        return page, str(page[-1].number) if len(found) > limit else None

    def unfinished(self) -> Sequence[Job]:
        """Return the queued and the running jobs; raises JobStoreError."""
        return [*self._table.queued(), *self._table.running()]

    def cancel(self, job_id: str, *, wait_s: float = CANCEL_S) -> Job:
        """Cancel a job; a queued one ends at once, a running one within a few seconds.

        Returns the job after at most `wait_s`. An ended job stays as it is. Raises UnknownJob and
        JobStoreError.
        """
        job = self.get(job_id)
        if job.state == "queued":
            self._cancel_queued(job)
        self._runner.cancel(job_id)
        return self.wait(job_id, wait_s)

    def delete(self, job_id: str) -> None:
        """Delete a job and its result; a queued one is cancelled first.

        Raises UnknownJob, JobRunning and JobStoreError.
        """
        job = self.get(job_id)
        if job.state == "queued":
            self._cancel_queued(job)
        if not self._table.delete(job_id):
            raise JobRunning(job_id)
        self._files.discard(job_id)
        self._changes.note()

    def folder(self, job: Job) -> Path:
        """Folder of a job's files, which need not exist; of the current attempt if it runs."""
        return self._files.part(job.id) if job.state == "running" else self._files.folder(job.id)

    def result_path(self, job: Job) -> Path:
        """Path of the result; raises ResultNotReady and ResultGone."""
        if job.state != "done":
            reason = "" if job.error is None else job.error.description
            raise ResultNotReady(job.id, job.state, reason)
        if job.result_file is None:
            raise ResultNotReady(job.id, job.state, f"jobs of kind {job.kind!r} have none")
        if job.is_expired:
            raise ResultGone(job.id)
        return self._files.folder(job.id) / job.result_file

    def wait(self, job_id: str, timeout_s: float) -> Job:
        """Return a job once it has ended or the time is up; raises UnknownJob, JobStoreError."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            seen = self._changes.count
            job = self.get(job_id)
            left_s = deadline_s - time.monotonic()
            if job.is_ended or left_s <= 0:
                return job
            self._changes.wait(seen, left_s)

    @property
    def changes(self) -> int:
        """Number of changes of all jobs so far."""
        return self._changes.count

    def wait_for_change(self, seen: int, timeout_s: float) -> None:
        """Return once there are more changes than `seen`, or the time is up."""
        self._changes.wait(seen, timeout_s)

    def counts(self) -> dict[str, int]:
        """Return the number of jobs by state; the last known one if the database is unusable."""
        if self.database.is_open:
            with suppress(JobStoreError):
                self._last_counts = self._table.counts()
        return {state: self._last_counts.get(state, 0) for state in STATES}

    def _cancel_queued(self, job: Job) -> None:
        """End a queued job, unless it has been started meanwhile."""
        ended = self._table.end(job, JobEnd(state="cancelled"), max(self._now(), job.created_s))
        if ended is not None:
            self._runner.note_end(ended)

    def _check_room(self, owner: str, max_queued: int | None, queued: Mapping[str, int]) -> None:
        """Raise JobQueueFull or DiskNearlyFull unless another job may wait."""
        self._limits.check_disk(self._results)
        total, used = self._limits.max_queue_size, sum(queued.values())
        mine = queued.get(owner, 0)
        share = client_share(total, used - mine) if owner else total
        share = share if max_queued is None else min(share, max_queued)
        limits = (
            Limit(setting="max_queue_size", value=total, scope="all", share=total, used=used),
            Limit(
                setting="max_queue_size", value=total, scope="client", share=share, used=mine,
                name=owner,
            ),
        )  # fmt: skip
        for limit in limits:
            if limit.used >= limit.share:
                raise JobQueueFull(limit, self._runner.retry_after_s())


def check_key(key: str | None) -> None:
    """Raise BadIdempotencyKey unless the value may be a key."""
    if key is not None and not KEY_PATTERN.fullmatch(key):
        raise BadIdempotencyKey(key)


def digest_of(kind: str, identity: Mapping[str, Any]) -> str:
    """Digest by which two requests are compared."""
    content = json.dumps([kind, identity], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()
