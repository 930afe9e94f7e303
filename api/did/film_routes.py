"""Actions that the routes of talks and clips share."""

from typing import Any

from flask import request
from pydantic import Field

from api.context import context
from api.did.film_json import moment
from api.did.lenient import Lenient, read_lenient_query
from api.heads.job_pages import list_jobs
from api.job_results import find_job, visible_owner
from warm.jobs.job import Job
from warm.webhooks.delivery import Attempt, Delivery

MAX_LISTED = 100


class ListQuery(Lenient):
    """The query of a list."""

    limit: int = Field(default=MAX_LISTED, ge=1, description="At most 100 are returned.")
    token: str | None = Field(default=None, description="The token of the previous page.")


def list_films(surface: str) -> tuple[list[Job], str | None]:
    """Return a page of the talks or clips of the caller, newest first, and the next token."""
    query = read_lenient_query(ListQuery)
    limit = min(query.limit, MAX_LISTED)
    jobs, token = list_jobs(surface, visible_owner(), limit=limit, token=query.token)
    return list(jobs), token


def delete_film(job_id: str, surface: str) -> Job:
    """Delete a talk or clip of the caller; return it as it was. Raises UnknownJob, JobRunning."""
    job = find_job(job_id, surface)
    context().jobs.delete(job.id)
    return job


def idempotency_key() -> str | None:
    """Return the key that makes a repetition of this request return the same talk."""
    return request.headers.get("Idempotency-Key")


def deliveries_json(job: Job) -> dict[str, Any]:
    """JSON of the webhooks of a talk or clip."""
    return {"webhooks": [delivery_json(each) for each in context().webhooks.of_job(job.id)]}


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """JSON of one delivery."""
    return {
        "id": delivery.id,
        "url": delivery.url,
        "status": delivery.state,
        "created_at": moment(delivery.queued_s),
        "next_attempt_at": moment(delivery.next_s),
        "attempts": [attempt_json(each) for each in delivery.attempts],
    }


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """JSON of one attempt."""
    return {
        "number": attempt.number,
        "started_at": moment(attempt.started_s),
        "duration_s": round(attempt.duration_s, 3),
        "status": attempt.status,
        "error": attempt.error,
    }
