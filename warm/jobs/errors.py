"""Errors of jobs, one class per cause."""

from warm.sessions.shares import Limit

MAX_SHOWN_CHARS = 60


def shorten(value: str) -> str:
    """Return a received value in quotes, cut off after MAX_SHOWN_CHARS."""
    if len(value) <= MAX_SHOWN_CHARS:
        return repr(value)
    return f"{value[:MAX_SHOWN_CHARS]!r}… ({len(value)} characters)"


class UnknownJob(LookupError):
    """No job has this id, or it belongs to another caller."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"id = {shorten(job_id)}: no such job; GET /jobs lists those that exist")


class JobRunning(RuntimeError):
    """The job is running and cannot be deleted."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"id = {job_id!r}: is running; cancel it, and delete it once it has ended")


class ResultNotReady(RuntimeError):
    """The job has no result yet, or ended without one."""

    def __init__(self, job_id: str, state: str, reason: str = "") -> None:
        hint = reason or "ask again once its state is 'done'"
        super().__init__(f"id = {job_id!r}: is {state!r} and has no result file; {hint}")


class ResultGone(LookupError):
    """The result of the job was deleted."""

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"id = {job_id!r}: its result was deleted because of its age or size (job_ttl_s,"
            " max_jobs_mb); make a new job"
        )


class JobQueueFull(RuntimeError):
    """The queue of jobs, or the share that an owner has in it, is full."""

    def __init__(self, limit: Limit, retry_after_s: int) -> None:
        super().__init__(f"{limit.describe('jobs are waiting')}; try again in {retry_after_s} s")
        self.limit = limit
        self.retry_after_s = retry_after_s


class IdempotencyMismatch(ValueError):
    """The idempotency key belongs to another request."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key = {shorten(key)}: was used with another request; repeat that request"
            " unchanged, or use a new key"
        )


class BadIdempotencyKey(ValueError):
    """The value cannot be an idempotency key."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Idempotency-Key = {shorten(key)}: must be 1 to 255 visible ASCII characters"
        )


class BadJobToken(ValueError):
    """The value is not the token of a page of jobs."""

    def __init__(self, token: str) -> None:
        super().__init__(f"token = {shorten(token)}: must be the token of an earlier list")


class JobInterrupted(Exception):
    """The handler must end now. Raised by `JobProgress.check`."""


class JobCancelled(JobInterrupted):
    """The job was cancelled."""

    def __init__(self) -> None:
        super().__init__("the job was cancelled")


class JobTimedOut(JobInterrupted):
    """The job has taken longer than `job_timeout_seconds`."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"the job did not end within job_timeout_seconds = {limit_s:g}; send less at once, or"
            " raise the setting"
        )


class JobStopped(JobInterrupted):
    """The server is stopping; the job runs again after the next start."""

    def __init__(self) -> None:
        super().__init__("the server is stopping; the job runs again after its next start")


class JobStoreError(RuntimeError):
    """The database of the jobs cannot be used now."""


class JobStoreBusy(JobStoreError):
    """Another process or thread has the database locked."""

    def __init__(self, path: object, waited_s: float) -> None:
        super().__init__(
            f"{path}: has been locked for {waited_s:g} s; end the program that has it open, such as"
            " a sqlite3 shell, and try again"
        )


class JobStoreFull(JobStoreError):
    """The disk of the database is full."""

    def __init__(self, path: object) -> None:
        super().__init__(f"{path}: the disk is full; make room and try again")


class JobStoreUnavailable(JobStoreError):
    """The database cannot be opened, read or written."""

    def __init__(self, path: object, reason: object) -> None:
        super().__init__(
            f"{path}: cannot be used ({reason}); check the disk and the permissions of the file and"
            " its folder, and try again"
        )


class JobStoreDamaged(JobStoreError):
    """The content of the database is damaged."""

    def __init__(self, path: object, reason: object) -> None:
        super().__init__(
            f"{path}: is damaged ({reason}); try again: it is set aside, and a new one is made"
        )


class JobStoreNewer(RuntimeError):
    """A newer release has written the database."""

    def __init__(self, path: object, component: str, version: int, known: int) -> None:
        super().__init__(
            f"{path}: version {version} of its {component} is from a newer release of Warmtalk;"
            f" this one knows up to {known}. Use that release, or move the file away to begin"
            " without jobs"
        )
