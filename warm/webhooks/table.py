"""The tables of the deliveries, in the database of the jobs."""

import secrets
import sqlite3
from collections.abc import Sequence

from warm.jobs.database import Component, Database
from warm.jobs.job import Job
from warm.webhooks.delivery import Attempt, Delivery, DeliveryState, Message

COLUMNS = ("id", "job_id", "owner", "url", "body", "state", "queued_s", "next_s")
ATTEMPT_COLUMNS = ("number", "started_s", "duration_s", "status", "error")
CREATE_DELIVERIES = """
CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    job_id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    url TEXT NOT NULL,
    body BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    queued_s REAL NOT NULL,
    next_s REAL
)
"""
CREATE_ATTEMPTS = """
CREATE TABLE delivery_attempts (
    delivery_id TEXT NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_s REAL NOT NULL,
    duration_s REAL NOT NULL,
    status INTEGER,
    error TEXT NOT NULL,
    PRIMARY KEY (delivery_id, number)
)
"""
WEBHOOKS = Component(
    name="webhooks",
    migrations=(
        (
            CREATE_DELIVERIES,
            "CREATE INDEX deliveries_by_time ON deliveries (next_s) WHERE state = 'pending'",
            CREATE_ATTEMPTS,
        ),
    ),
    check=f"SELECT {', '.join(COLUMNS)}, {', '.join(ATTEMPT_COLUMNS[:3])},"
    " delivery_attempts.status, error FROM deliveries"
    " LEFT JOIN delivery_attempts ON delivery_id = id LIMIT 1",
)
SELECT = f"SELECT {', '.join(COLUMNS)} FROM deliveries"
KEPT_S = 7 * 86_400.0
"""Deliveries that have ended are deleted after this time."""


class DeliveryTable:
    """Deliveries on disk. Any thread; raises JobStoreError."""

    def __init__(self, database: Database) -> None:
        database.register(WEBHOOKS)
        self._database = database

    def insert(
        self, connection: sqlite3.Connection, job: Job, message: Message, now_s: float
    ) -> None:
        """Add the delivery of a job's end, in the transaction of that end; each job has one."""
        connection.execute(
            "INSERT OR IGNORE INTO deliveries (id, job_id, owner, url, body, state, queued_s,"
            " next_s) VALUES (?, ?, ?, ?, ?, 'pending', ?, ?)",
            (f"msg_{secrets.token_hex(16)}", job.id, job.owner, message.url, message.body,
             now_s, now_s),
        )  # fmt: skip

    def due(self, now_s: float, limit: int) -> Sequence[Delivery]:
        """Return the deliveries whose time has come, the oldest first, without their attempts."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"{SELECT} WHERE state = 'pending' AND next_s <= ? ORDER BY next_s LIMIT ?",
                (now_s, limit),
            ).fetchall()
        return [_delivery(row) for row in rows]

    def next_due_s(self) -> float | None:
        """Return the time of the earliest next attempt; None if nothing is pending."""
        with self._database.read() as connection:
            (found,) = connection.execute(
                "SELECT min(next_s) FROM deliveries WHERE state = 'pending'"
            ).fetchone()
        return None if found is None else float(found)

    def note_attempt(
        self,
        delivery: Delivery,
        attempt: Attempt,
        *,
        state: DeliveryState,
        next_s: float | None,
    ) -> None:
        """Record an attempt and the resulting state."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO delivery_attempts VALUES (?, ?, ?, ?, ?, ?)",
                (delivery.id, attempt.number, attempt.started_s, attempt.duration_s,
                 attempt.status, attempt.error),
            )  # fmt: skip
            connection.execute(
                "UPDATE deliveries SET state = ?, next_s = ? WHERE id = ?",
                (state, next_s, delivery.id),
            )

    def attempts_of(self, delivery_id: str) -> int:
        """Return the number of attempts of a delivery so far."""
        with self._database.read() as connection:
            (found,) = connection.execute(
                "SELECT count(*) FROM delivery_attempts WHERE delivery_id = ?", (delivery_id,)
            ).fetchone()
        return int(found)

    def of_job(self, job_id: str) -> Sequence[Delivery]:
        """Return the deliveries of a job, with their attempts."""
        with self._database.read() as connection:
            rows = connection.execute(f"{SELECT} WHERE job_id = ?", (job_id,)).fetchall()
            return [_delivery(row, _attempts(connection, row[0])) for row in rows]

    def prune(self, now_s: float) -> None:
        """Delete the deliveries that ended long ago."""
        old = "SELECT id FROM deliveries WHERE state != 'pending' AND queued_s < ?"
        with self._database.write() as connection:
            for statement in (
                f"DELETE FROM delivery_attempts WHERE delivery_id IN ({old})",
                f"DELETE FROM deliveries WHERE id IN ({old})",
            ):
                connection.execute(statement, (now_s - KEPT_S,))


def _attempts(connection: sqlite3.Connection, delivery_id: str) -> tuple[Attempt, ...]:
    rows = connection.execute(
        f"SELECT {', '.join(ATTEMPT_COLUMNS)} FROM delivery_attempts WHERE delivery_id = ?"
        " ORDER BY number",
        (delivery_id,),
    )
    return tuple(Attempt(**dict(zip(ATTEMPT_COLUMNS, row, strict=True))) for row in rows)


def _delivery(row: Sequence[object], attempts: tuple[Attempt, ...] = ()) -> Delivery:
    return Delivery(**dict(zip(COLUMNS, row, strict=True)), attempts=attempts)  # type: ignore[arg-type]
