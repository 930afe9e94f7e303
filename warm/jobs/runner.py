"""Runs the queued jobs, each on a thread of its own, and records how they end."""

import json
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean
from threading import Event, Lock, Thread

from session.errors import disk_error, is_disk_fault, is_out_of_space
from session.serial_worker import SerialWorker
from warm.jobs.changes import Changes
from warm.jobs.errors import JobCancelled, JobInterrupted, JobStopped, JobStoreError, JobTimedOut
from warm.jobs.expiry import Expiry
from warm.jobs.files import JobFiles
from warm.jobs.handler import JobHandler
from warm.jobs.job import Job, JobEnd, JobError
from warm.jobs.limits import JobLimits
from warm.jobs.progress import JobProgress
from warm.jobs.table import JobTable
from warm.jobs.turns import Turns

TICK_S = 0.25
"""Interval of the checks while jobs run."""
IDLE_TICK_S = 5.0
"""Interval of the checks otherwise."""
STORE_S = 2.0
"""Interval at which progress is written to the database."""
EXPIRY_S = 30.0
"""Interval at which results are checked for their age and size."""
RETRY_S = 1.0
"""Pause after a failure of the database."""
GRACE_S = 10.0
"""Time that a handler has to end after it was asked to; then the job ends without it."""
STOP_S = 5.0
"""Longest wait for `stop` after a handler has noticed first that the server is stopping."""
MAX_CRASHES = 2
"""A job during which the server crashed this often is not run again."""
REMEMBERED_TIMES = 20
GUESSED_S = 30.0
"""Assumed time of a job before one has ended."""
MAX_RETRY_AFTER_S = 3600

CRASHED = JobError(
    "InternalError",
    f"the server's process ended {MAX_CRASHES} times while it ran this job, which is not tried"
    " again; see the server's log",
)

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Attempt:
    """A job that is running."""

    job: Job
    progress: JobProgress
    stored: tuple[float, str] = (0.0, "")
    """Progress in the database."""
    noted: tuple[float, str] = (0.0, "")
    """Progress that waiting threads were notified of."""

    @property
    def current(self) -> Job:
        """The job with the latest progress."""
        fraction, stage = self.progress.last
        return replace(self.job, progress=fraction, stage=stage)


class JobRunner:
    """Starts queued jobs while there are places. Any thread.

    One thread starts jobs and checks their times; each job has another one. A job is running if it
    is in `_attempts` and in that state in the table.
    """

    def __init__(
        self,
        table: JobTable,
        files: JobFiles,
        limits: JobLimits,
        *,
        describe: Callable[[Exception], JobError],
        changes: Changes,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`describe` returns the kind and the text of a handler's error."""
        self.handlers: dict[str, JobHandler] = {}
        self.ended_callbacks: list[Callable[[Job], None]] = []
        self._table, self._files, self._limits = table, files, limits
        self._describe, self._changes, self._now = describe, changes, now
        self._expiry = Expiry(table, files, limits)
        self._turns = Turns(limits.max_concurrent_jobs)
        self._lock = Lock()
        self._attempts: dict[str, Attempt] = {}
        self._times_s: deque[float] = deque(maxlen=REMEMBERED_TIMES)
        self._stopping, self._wake = Event(), Event()
        self._stop_s: float | None = None
        self._is_recovered = False
        self._stored_s = self._expired_s = float("-inf")
        self._thread: Thread | None = None
        self._callbacks = SerialWorker("jobs-ended")

    def start(self) -> None:
        """Start the thread; jobs that an earlier process left are run by it."""
        self._thread = Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask all jobs to end; they run again after the next start. Returns at once."""
        if self._stop_s is None:
            self._stop_s = time.monotonic()
        self._stopping.set()
        self._wake.set()

    def close(self) -> None:
        """Stop, and wait until all threads have ended, for at most `stop_s` since the stop."""
        self.stop()
        deadline_s = (self._stop_s or 0.0) + self._limits.stop_s
        if self._thread is not None:
            self._thread.join(max(0.0, deadline_s - time.monotonic()))
        while self.running() and time.monotonic() < deadline_s:
            self._changes.wait(self._changes.count, min(TICK_S, self._limits.stop_s))
        for attempt in self._all_attempts():
            log.error("a job did not stop in time", extra={"job": attempt.job.id})
            self._requeue(attempt)

    def wake(self) -> None:
        """Look for queued jobs now."""
        self._wake.set()

    @property
    def is_stopping(self) -> bool:
        """True if the jobs are being stopped."""
        return self._stopping.is_set()

    def running(self) -> list[Job]:
        """The running jobs."""
        return [attempt.job for attempt in self._all_attempts()]

    def live(self, job: Job) -> Job:
        """Return a running job with its current progress; raises JobStoreError."""
        if job.state != "running":
            return job
        attempt = self._attempts.get(job.id)
        if attempt is None:  # it has ended since it was read; the progress in the row is older
            return self._table.get(job.id) or job
        progress, stage = attempt.progress.last
        if attempt.progress.interruption is not None:
            stage = "ending"
        return replace(job, progress=progress, stage=stage)

    def cancel(self, job_id: str) -> None:
        """Ask the handler of a running job to end; no effect on others."""
        attempt = self._attempts.get(job_id)
        if attempt is not None:
            attempt.progress.cancel()

    def note_end(self, job: Job) -> None:
        """Call the callbacks for an end that is committed."""
        self._changes.note()
        for callback in self.ended_callbacks:
            self._callbacks.submit(partial(callback, job))

    def retry_after_s(self) -> int:
        """Estimated time until the next job is started, whole seconds."""
        usual_s = fmean(self._times_s) if self._times_s else GUESSED_S
        estimate_s = usual_s / self._limits.max_concurrent_jobs
        return min(max(1, round(estimate_s)), MAX_RETRY_AFTER_S)

    def recover(self) -> None:
        """Return jobs that an earlier process was running to the queue, and remove leftovers.

        Raises JobStoreError and OSError.
        """
        for job in self._table.running():
            crashes = job.crashes + 1
            if crashes < MAX_CRASHES:
                self._table.requeue(job, crashes=crashes)
                continue
            log.error("a job is not run again after crashes", extra={"job": job.id})
            ended = self._table.end(job, JobEnd(state="error", error=CRASHED), self._time_of(job))
            if ended is not None:
                self.note_end(ended)
        self._files.sweep({result.id for result in self._table.kept_results()})
        self._is_recovered = True

    def _all_attempts(self) -> list[Attempt]:
        with self._lock:
            return list(self._attempts.values())

    def _run(self) -> None:
        """Top of the thread."""
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self._step()
                pause_s = TICK_S if self._attempts else IDLE_TICK_S
            except (JobStoreError, OSError) as error:
                log.warning("the jobs wait for their database or disk: %s", error)
                pause_s = RETRY_S
            except Exception:
                log.exception("unexpected error in the job runner")
                pause_s = RETRY_S
            self._wake.wait(pause_s)
        for attempt in self._all_attempts():
            attempt.progress.stop()

    def _step(self) -> None:
        """Do everything that is due."""
        if not self._is_recovered:
            self.recover()
        for attempt in self._all_attempts():
            self._check(attempt)
        while not self._stopping.is_set() and self._start_one():
            pass
        now_s = time.monotonic()
        if now_s - self._stored_s >= STORE_S:
            self._stored_s = now_s
            self._store_progress()
        if now_s - self._expired_s >= EXPIRY_S:
            self._expired_s = now_s
            self._expiry.run(self._now())

    def _check(self, attempt: Attempt) -> None:
        """Check the time of an attempt, and note its progress."""
        progress = attempt.progress
        progress.check_time()
        if progress.overdue_s > GRACE_S:
            self._abandon(attempt)
        elif progress.last != attempt.noted:
            attempt.noted = progress.last
            self._changes.note()

    def _store_progress(self) -> None:
        """Write the progress that has changed to the database."""
        for attempt in self._all_attempts():
            last = attempt.progress.last
            if last != attempt.stored:
                self._table.report(attempt.job, *last, self._time_of(attempt.job))
                attempt.stored = last

    def _start_one(self) -> bool:
        """Start the next job; False if there is none, or no place for it."""
        if len(self._attempts) >= self._limits.max_concurrent_jobs:
            return False
        job = self._turns.choose(self._table.queued(), self.running())
        if job is None:
            return False
        progress = JobProgress(self._files.part(job.id), self._limits.job_timeout_seconds)
        attempt = Attempt(job, progress)
        with self._lock:
            self._attempts[job.id] = attempt  # before its start, so that it can be cancelled
        try:
            started = self._table.start(job, self._time_of(job))
        except BaseException:
            self._forget(attempt)
            raise
        if started is None:
            self._forget(attempt)
            return True
        attempt.job = started
        self._turns.record(started)
        self._changes.note()
        try:
            Thread(target=self._work, args=(attempt,), name="job", daemon=True).start()
        except RuntimeError:  # the system has no more threads
            self._requeue(attempt)
            raise
        return True

    def _work(self, attempt: Attempt) -> None:
        """Top of the thread of a job."""
        try:
            end = self._end_of(attempt)
            while not self._try_finish(attempt, end):
                if self._stopping.wait(RETRY_S):
                    break
        except Exception:
            log.exception("the end of a job could not be recorded")
        finally:
            self._forget(attempt)
            self._changes.note()
            self.wake()

    def _end_of(self, attempt: Attempt) -> JobEnd | None:
        """Run the handler; return the end of the job, None if it is run again later."""
        job, progress = attempt.job, attempt.progress
        try:
            self._files.begin(job.id)
            result = self._handler(job).run(job, progress)
            json.dumps(result, allow_nan=False)
            require_wanted(progress)
            published = self._files.publish(job.id)
        except BaseException as error:  # noqa: BLE001 - native panics are not Exceptions
            return self._failure(error, attempt)
        self._times_s.append(progress.elapsed_s)
        return JobEnd(
            state="done",
            result=result,
            result_file=published.file,
            result_bytes=published.bytes,
        )

    def _handler(self, job: Job) -> JobHandler:
        handler = self.handlers.get(job.kind)
        if handler is None:
            raise LookupError(f"no handler for jobs of kind {job.kind!r}")
        return handler

    def _failure(self, error: BaseException, attempt: Attempt) -> JobEnd | None:
        """Return the end after an error of the handler; its cause may be an interruption."""
        reason = attempt.progress.interruption
        if reason is None and isinstance(error, JobInterrupted):
            reason = error
        if isinstance(reason, JobStopped):
            self._stopping.wait(STOP_S)  # the handler has noticed the stop first
        if isinstance(reason, JobStopped) or reason is None:
            if self._stopping.is_set():
                return None
            return JobEnd(state="error", error=self._error(error))
        return interrupted(reason)

    def _error(self, error: BaseException) -> JobError:
        if isinstance(error, OSError) and (is_out_of_space(error) or is_disk_fault(error)):
            log.error("disk error in a job", exc_info=error)
            return JobError("StorageError", str(disk_error(error, self._files.root)))
        if not isinstance(error, Exception):
            error = RuntimeError(repr(error))
        return self._describe(error)

    def _try_finish(self, attempt: Attempt, end: JobEnd | None) -> bool:
        """Record the end of an attempt; False if the database cannot be written now."""
        if self._attempts.get(attempt.job.id) is not attempt:  # it was abandoned
            self._discard(attempt.job)
            return True
        if end is None or end.state != "done":
            self._discard(attempt.job)
        try:
            if end is None:
                self._table.requeue(attempt.job, crashes=attempt.job.crashes)
            else:
                self._finish(attempt, end)
        except JobStoreError as error:
            log.warning("the end of a job waits for the database: %s", error)
            return False
        return True

    def _finish(self, attempt: Attempt, end: JobEnd) -> None:
        ended = self._table.end(attempt.current, end, self._end_time(attempt))
        if ended is None:
            self._discard(attempt.job)
        else:
            self.note_end(ended)

    def _abandon(self, attempt: Attempt) -> None:
        """End a job whose handler does not end."""
        reason = attempt.progress.interruption
        assert reason is not None
        log.error("a job does not end; it is abandoned", extra={"job": attempt.job.id})
        ended = self._table.end(attempt.current, interrupted(reason), self._end_time(attempt))
        self._forget(attempt)
        if ended is not None:
            self.note_end(ended)

    def _requeue(self, attempt: Attempt) -> None:
        """Return an attempt that did not stop to the queue."""
        try:
            self._table.requeue(attempt.job, crashes=attempt.job.crashes)
        except JobStoreError:
            log.exception("a job could not be returned to the queue")
        self._forget(attempt)

    def _discard(self, job: Job) -> None:
        """Remove the files of a job that is not done; the next start removes what is left."""
        try:
            self._files.discard(job.id)
        except OSError:
            log.exception("the files of a job could not be removed", extra={"job": job.id})

    def _forget(self, attempt: Attempt) -> None:
        with self._lock:
            if self._attempts.get(attempt.job.id) is attempt:
                del self._attempts[attempt.job.id]

    def _time_of(self, job: Job) -> float:
        """The time of a change of a job, which is not before the earlier ones."""
        return max(self._now(), job.created_s, job.started_s or 0.0)

    def _end_time(self, attempt: Attempt) -> float:
        """The time of the end of an attempt; the clock may have been set since its start."""
        return (attempt.job.started_s or self._now()) + attempt.progress.elapsed_s


def require_wanted(progress: JobProgress) -> None:
    """Raise the interruption that makes a result useless, if there was one."""
    if isinstance(progress.interruption, JobCancelled | JobTimedOut):
        raise progress.interruption


def interrupted(reason: JobInterrupted) -> JobEnd:
    """Return the end of a job that was cancelled or took too long."""
    if isinstance(reason, JobCancelled):
        return JobEnd(state="cancelled")
    return JobEnd(state="error", error=JobError("TimeoutError", str(reason)))
