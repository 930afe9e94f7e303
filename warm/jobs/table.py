"""The table of the jobs."""

import json
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from warm.jobs.database import Component, Database
from warm.jobs.job import Job, JobEnd, JobError, JobState

COLUMNS = (
    *("number", "id", "kind", "surface", "owner", "state", "request", "extra", "secret"),
    *("idempotency_key", "digest", "created_s", "started_s", "modified_s", "finished_s"),
    *("progress", "stage", "result", "result_file", "result_bytes", "is_expired", "kept_from_s"),
    *("error_kind", "error_description", "attempts", "crashes"),
)
CREATE = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    surface TEXT NOT NULL,
    owner TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'error', 'cancelled')),
    request TEXT NOT NULL CHECK (json_valid(request)),
    extra TEXT NOT NULL CHECK (json_valid(extra)),
    secret TEXT NOT NULL,
    idempotency_key TEXT,
    digest TEXT NOT NULL,
    created_s REAL NOT NULL,
    started_s REAL,
    modified_s REAL NOT NULL,
    finished_s REAL,
    progress REAL NOT NULL DEFAULT 0,
    stage TEXT NOT NULL DEFAULT '',
    result TEXT CHECK (result IS NULL OR json_valid(result)),
    result_file TEXT,
    result_bytes INTEGER NOT NULL DEFAULT 0,
    is_expired INTEGER NOT NULL DEFAULT 0,
    kept_from_s REAL,
    error_kind TEXT,
    error_description TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0
)
"""
JOBS = Component(
    name="jobs",
    migrations=(
        (
            CREATE,
            "CREATE INDEX jobs_by_state ON jobs (state, number)",
            "CREATE INDEX jobs_by_owner ON jobs (owner, surface, number)",
            "CREATE UNIQUE INDEX jobs_by_key ON jobs (owner, surface, idempotency_key)"
            " WHERE idempotency_key IS NOT NULL",
        ),
    ),
    check=f"SELECT {', '.join(COLUMNS)} FROM jobs LIMIT 1",
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM jobs"
ENDED = "state IN ('done', 'error', 'cancelled')"
END = """
UPDATE jobs SET state = :state, result = :result, result_file = :result_file,
    result_bytes = :result_bytes, error_kind = :error_kind,
    error_description = :error_description, finished_s = :now_s, modified_s = :now_s,
    kept_from_s = :now_s, progress = CASE :state WHEN 'done' THEN 1.0 ELSE :progress END,
    stage = CASE :state WHEN 'done' THEN '' ELSE :stage END
WHERE id = :id AND state = :was AND attempts = :attempts
"""

log = logging.getLogger(__name__)

EndHook = Callable[[sqlite3.Connection, Job], None]
"""Called in the transaction that ends a job; what it writes is committed with the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job to insert."""

    id: str
    kind: str
    surface: str
    owner: str
    request: dict[str, Any]
    extra: dict[str, Any]
    secret: str
    digest: str
    idempotency_key: str | None = None


class KeptResult(NamedTuple):
    """A result on disk."""

    id: str
    kept_from_s: float
    """Time from which its age counts."""
    bytes: int


class JobTable:
    """Rows of jobs, and their changes of state. Any thread.

    A state changes only from the state and attempt that the caller has seen, so each job has
    exactly one end.
    """

    def __init__(self, database: Database) -> None:
        database.register(JOBS)
        self._database = database
        self.end_hooks: list[EndHook] = []

    def insert(
        self, new: NewJob, now_s: float, *, check: Callable[[Mapping[str, int]], None]
    ) -> tuple[Job, str]:
        """Insert a job unless its key exists; return the job of the key, and its digest.

        `check` may raise an error; it is called with the number of queued jobs of each owner before
        a job is inserted.
        """
        with self._database.write() as connection:
            found = find_key(connection, new)
            if found is not None:
                return job_of(found), str(found["digest"])
            check(queued_by_owner(connection))
            connection.execute(
                "INSERT INTO jobs (id, kind, surface, owner, state, request, extra, secret,"
                " idempotency_key, digest, created_s, modified_s)"
                " VALUES (?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(new.id, new.kind, new.surface, new.owner),
                    *(json.dumps(new.request), json.dumps(new.extra), new.secret),
                    *(new.idempotency_key, new.digest, now_s, now_s),
                ),
            )
            return require(connection, new.id), new.digest

    def get(self, job_id: str) -> Job | None:
        """Return a job; None if there is none."""
        with self._database.read() as connection:
            return find(connection, job_id)

    def page(
        self, *, surface: str | None, owner: str | None, limit: int, before: int | None
    ) -> list[Job]:
        """Return jobs from the newest to the oldest; `before`: only those below this number."""
        wheres: list[tuple[str, object]] = []
        if surface is not None:
            wheres.append(("surface = ?", surface))
        if owner is not None:
            wheres.append(("owner = ?", owner))
        if before is not None:
            wheres.append(("number < ?", before))
        where = " AND ".join(["1", *(text for text, _ in wheres)])
        with self._database.read() as connection:
            rows = connection.execute(
                f"{SELECT} WHERE {where} ORDER BY number DESC LIMIT ?",
                (*(value for _, value in wheres), limit),
            )
            return [job_of(row) for row in rows]

    def queued(self) -> list[Job]:
        """Return the queued jobs, the oldest first."""
        with self._database.read() as connection:
            return queued_jobs(connection)

    def running(self) -> list[Job]:
        """Return the running jobs, the oldest first."""
        with self._database.read() as connection:
            return list(jobs_where(connection, "state = 'running' ORDER BY number"))

    def counts(self) -> dict[str, int]:
        """Return the number of jobs in each state that has any."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT state, count(*) FROM jobs GROUP BY state")
            return {str(state): int(count) for state, count in rows}

    def start(self, job: Job, now_s: float) -> Job | None:
        """Begin an attempt of a queued job; None if it is not queued any more."""
        with self._database.write() as connection:
            changed = connection.execute(
                "UPDATE jobs SET state = 'running', attempts = attempts + 1, started_s = ?,"
                " modified_s = ?, progress = 0, stage = '' WHERE id = ? AND state = 'queued'",
                (now_s, now_s, job.id),
            )
            return require(connection, job.id) if changed.rowcount else None

    def report(self, job: Job, fraction: float, stage: str, now_s: float) -> None:
        """Store the progress of a running attempt."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET progress = ?, stage = ?, modified_s = max(modified_s, ?)"
                " WHERE id = ? AND state = 'running' AND attempts = ?",
                (fraction, text_of(stage), now_s, job.id, job.attempts),
            )

    def end(self, job: Job, end: JobEnd, now_s: float) -> Job | None:
        """End a job that is still in this state and attempt; None if it is not.

        A job that does not succeed keeps the progress of `job`.
        """
        with self._database.write() as connection:
            return self._end(connection, job, end, now_s)

    def requeue(self, job: Job, *, crashes: int) -> bool:
        """Return a running attempt to the queue; False if it has ended."""
        with self._database.write() as connection:
            changed = connection.execute(
                "UPDATE jobs SET state = 'queued', crashes = ?, progress = 0, stage = ''"
                " WHERE id = ? AND state = 'running' AND attempts = ?",
                (crashes, job.id, job.attempts),
            )
            return bool(changed.rowcount)

    def delete(self, job_id: str) -> bool:
        """Delete an ended job; False if it has not ended."""
        with self._database.write() as connection:
            found = find(connection, job_id)
            if found is not None and not found.is_ended:
                return False
            connection.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
            return True

    def kept_results(self) -> list[KeptResult]:
        """Return the results that are not deleted yet, the oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT id, kept_from_s, result_bytes FROM jobs"
                " WHERE state = 'done' AND NOT is_expired ORDER BY kept_from_s, number"
            )
            return [KeptResult(*row) for row in rows]

    def expire(self, job_id: str) -> None:
        """Note that the result of a job is deleted."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE jobs SET is_expired = 1, result_bytes = 0 WHERE id = ?", (job_id,)
            )

    def limit_age(self, now_s: float) -> None:
        """Count the age of jobs that ended in the future from now on: the clock was set back."""
        with self._database.read() as connection:
            future = connection.execute(
                f"SELECT 1 FROM jobs WHERE {ENDED} AND kept_from_s > ?", (now_s,)
            ).fetchone()
        if future is not None:
            with self._database.write() as connection:
                connection.execute(
                    "UPDATE jobs SET kept_from_s = ? WHERE kept_from_s > ?", (now_s, now_s)
                )

    def forget(self, *, before_s: float, most: int) -> None:
        """Delete rows of ended jobs without a folder: older ones, and the oldest beyond `most`."""
        ended = f"{ENDED} AND (is_expired OR state != 'done')"
        with self._database.read() as connection:
            old = connection.execute(
                f"SELECT number FROM jobs WHERE {ended} AND kept_from_s < ?", (before_s,)
            ).fetchall()
            many = connection.execute(
                f"SELECT number FROM jobs WHERE {ended} ORDER BY number DESC LIMIT -1 OFFSET ?",
                (most,),
            ).fetchall()
        numbers = {(int(row[0]),) for row in (*old, *many)}
        if numbers:
            with self._database.write() as connection:
                connection.executemany("DELETE FROM jobs WHERE number = ?", sorted(numbers))

    def _end(
        self, connection: sqlite3.Connection, job: Job, end: JobEnd, now_s: float
    ) -> Job | None:
        changed = connection.execute(
            END,
            {
                "id": job.id,
                "was": job.state,
                "attempts": job.attempts,
                "state": end.state,
                "result": None if end.result is None else json.dumps(end.result),
                "result_file": end.result_file,
                "result_bytes": end.result_bytes,
                "error_kind": end.error and end.error.kind,
                "error_description": end.error and text_of(end.error.description),
                "progress": job.progress,
                "stage": text_of(job.stage),
                "now_s": now_s,
            },
        )
        if not changed.rowcount:
            return None
        ended = require(connection, job.id)
        for hook in self.end_hooks:
            call_hook(hook, connection, ended)
        return ended


def call_hook(hook: EndHook, connection: sqlite3.Connection, job: Job) -> None:
    """Call a hook. If it fails, its changes are undone, and the job ends all the same."""
    connection.execute("SAVEPOINT hook")
    try:
        hook(connection, job)
    except sqlite3.Error:
        raise  # the end is tried again
    except Exception:
        log.exception("a hook at the end of a job failed", extra={"job": job.id})
        connection.execute("ROLLBACK TO hook")
    connection.execute("RELEASE hook")


def text_of(value: str) -> str:
    """Return a text that SQLite can store: half surrogate pairs are replaced."""
    return value.encode("utf-8", "replace").decode("utf-8")


def find(connection: sqlite3.Connection, job_id: str) -> Job | None:
    """Return a job; None if there is none."""
    return next(jobs_where(connection, "id = ?", job_id), None)


def require(connection: sqlite3.Connection, job_id: str) -> Job:
    """Return a job that exists."""
    return next(jobs_where(connection, "id = ?", job_id))


def find_key(connection: sqlite3.Connection, new: NewJob) -> sqlite3.Row | None:
    """Return the row with the idempotency key of a job; None if there is none."""
    if new.idempotency_key is None:
        return None
    found: sqlite3.Row | None = connection.execute(
        f"{SELECT} WHERE owner = ? AND surface = ? AND idempotency_key = ?",
        (new.owner, new.surface, new.idempotency_key),
    ).fetchone()
    return found


def queued_jobs(connection: sqlite3.Connection) -> list[Job]:
    """Return the queued jobs, the oldest first."""
    return list(jobs_where(connection, "state = 'queued' ORDER BY number"))


def queued_by_owner(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of queued jobs of each owner that has any."""
    rows = connection.execute(
        "SELECT owner, count(*) FROM jobs WHERE state = 'queued' GROUP BY owner"
    )
    return {str(owner): int(count) for owner, count in rows}


def jobs_where(connection: sqlite3.Connection, where: str, *values: object) -> Iterator[Job]:
    """Yield the jobs of a condition."""
    return map(job_of, connection.execute(f"{SELECT} WHERE {where}", values))


def job_of(row: sqlite3.Row) -> Job:
    """Return the job of a row."""
    state: JobState = row["state"]
    return Job(
        number=row["number"],
        id=row["id"],
        kind=row["kind"],
        surface=row["surface"],
        owner=row["owner"],
        state=state,
        request=json.loads(row["request"]),
        extra=json.loads(row["extra"]),
        created_s=row["created_s"],
        started_s=row["started_s"],
        modified_s=row["modified_s"],
        finished_s=row["finished_s"],
        progress=row["progress"],
        stage=row["stage"],
        result=None if row["result"] is None else json.loads(row["result"]),
        result_file=row["result_file"],
        result_bytes=row["result_bytes"],
        is_expired=bool(row["is_expired"]),
        error=None
        if row["error_kind"] is None
        else JobError(row["error_kind"], row["error_description"]),
        secret=row["secret"],
        attempts=row["attempts"],
        crashes=row["crashes"],
    )
