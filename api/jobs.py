"""Jobs: list, show, follow, cancel, delete, and their results."""

from collections.abc import Iterator
from contextlib import ExitStack
from secrets import compare_digest
from typing import Annotated, Any
from wsgiref.types import WSGIEnvironment

from flask import Blueprint, Response, request
from pydantic import Field

from api.access import ScopeMissing, identified
from api.answers.jobs import JobAnswer, JobsAnswer
from api.answers.problem import ProblemAnswer
from api.body import Body, LooseQuery, read_loose_query, read_query
from api.client_address import client_address
from api.context import AppContext, context
from api.disconnect import is_disconnected
from api.heads.job_pages import list_jobs
from api.job_results import (
    CAPTIONS_TYPE,
    MEDIA_TYPES,
    find_job,
    job_json,
    result_response,
    visible_owner,
)
from api.operation import HeaderName, operation
from api.problem import TooManyViewers, problem_of
from api.sse import EVENT_STREAM, event_stream, sse
from api.viewers import POLL_S
from warm.jobs.errors import UnknownJob
from warm.jobs.job import Job
from warm.jobs.jobs import MAX_PAGE
from warm.production.film_handler import CAPTIONS

KEEP_ALIVE_POLLS = 15
"""After this many polls without an event a comment is sent, so that proxies keep the connection."""
KEEP_ALIVE = ": nothing new\n\n"
FILMS = tuple(MEDIA_TYPES.values())
RANGES: tuple[HeaderName, ...] = ("Range", "If-Range", "If-Match", "If-None-Match")

jobs = Blueprint("jobs", __name__)


class JobsQuery(Body):
    """The query of `GET /jobs`."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE, strict=False)] = 100
    """Maximum number of jobs."""
    token: str | None = None
    """Token from the previous page."""
    surface: str | None = None
    """Only jobs that were made by this API."""


class VideoQuery(LooseQuery):
    """The query of a result."""

    secret: str | None = None
    """The unguessable part of `result_url`; with it no key is needed."""
    download: str | None = None
    """Any value: a browser saves the file instead of playing it."""


@jobs.get("/jobs")
@operation(query=JobsQuery, answers={200: JobsAnswer}, tag="jobs", scope="watch")
def list_all() -> dict[str, Any]:
    """The jobs of the caller at all heads, the newest first."""
    query = read_query(JobsQuery)
    found, token = list_jobs(query.surface, visible_owner(), limit=query.limit, token=query.token)
    return {"jobs": [job_json(job) for job in found], "token": token}


@jobs.get("/jobs/<job_id>")
@operation(answers={200: JobAnswer}, tag="jobs", scope="watch")
def show(job_id: str) -> dict[str, Any]:
    """The state of a job of the caller."""
    return job_json(find_job(job_id))


@jobs.delete("/jobs/<job_id>")
@operation(answers={204: ""}, problems=(409,), tag="jobs", scope="watch")
def delete(job_id: str) -> tuple[str, int]:
    """Delete a job of the caller and its result; a queued one is cancelled first."""
    context().jobs.delete(find_job(job_id).id)
    return "", 204


@jobs.post("/jobs/<job_id>/cancel")
@operation(answers={200: JobAnswer, 202: JobAnswer}, tag="jobs", scope="watch")
def cancel(job_id: str) -> tuple[dict[str, Any], int]:
    """Cancel a job of the caller; 202 while it is still ending. An ended job stays as it is."""
    job = context().jobs.cancel(find_job(job_id).id)
    return job_json(job), 200 if job.is_ended else 202


@jobs.get("/jobs/<job_id>/video")
@operation(
    query=VideoQuery,
    answers={200: FILMS, 206: FILMS, 304: ""},
    headers=RANGES,
    problems=(401, 403, 409, 410, 412, 416, 429),
    tag="jobs",
    scope="public",
)
def video(job_id: str) -> Response:
    """The result of a job of the caller, or of any job whose secret the query has."""
    query = read_loose_query(VideoQuery)
    if query.secret is not None:
        job = require_secret(job_id, query.secret)
    else:
        require_watcher()
        job = find_job(job_id)
    return result_response(job, is_attachment=query.download is not None)


@jobs.get("/results/<secret>/<name>")
@operation(
    answers={200: (*FILMS, CAPTIONS_TYPE), 206: (*FILMS, CAPTIONS_TYPE), 304: ""},
    headers=RANGES,
    problems=(409, 410, 412, 416),
    tag="jobs",
    scope="public",
)
def result(secret: str, name: str) -> Response:
    """The result of a job, or its captions, by an unguessable address, which needs no key."""
    job_id, _, suffix = name.partition(".")
    job = require_secret(job_id, secret)
    if suffix == "vtt":
        return result_response(job, name=CAPTIONS)
    if job.result_file is not None and not job.result_file.endswith(f".{suffix}"):
        raise UnknownJob(name)
    return result_response(job)


@jobs.get("/jobs/<job_id>/events")
@operation(
    answers={200: EVENT_STREAM},
    events={"job": JobAnswer, "error": ProblemAnswer},
    tag="jobs",
    scope="watch",
)
def events(job_id: str) -> Response:
    """The job at once and after each change, as server-sent events, until it has ended."""
    job, app_context = find_job(job_id), context()
    with ExitStack() as held:
        held.enter_context(app_context.viewers.hold(client_address(), TooManyViewers))
        response = event_stream(job_events(job, app_context, request.environ))
        response.call_on_close(held.pop_all().close)
    return response


def job_events(job: Job, app_context: AppContext, environ: WSGIEnvironment) -> Iterator[str]:
    """Yield the events of a job until it ends, the client disconnects or the server stops.

    A failure is the last event.
    """
    jobs, sent, polls = app_context.jobs, "", 0
    try:
        while not (app_context.runtime.is_stopping or is_disconnected(environ)):
            seen = jobs.changes
            job = jobs.get(job.id)
            event = sse("job", job_json(job))
            polls = 0 if content(job) != sent else polls + 1
            if content(job) != sent:
                yield event
            elif polls % KEEP_ALIVE_POLLS == 0:
                yield KEEP_ALIVE
            sent = content(job)
            if job.is_ended:
                return
            jobs.wait_for_change(seen, POLL_S)
    except Exception as error:  # noqa: BLE001 - the top of a request whose response has started
        yield sse("error", problem_of(error).body())


def content(job: Job) -> str:
    """Text that changes with the job."""
    return f"{job.state} {job.attempts} {job.progress:.3f} {job.stage}"


def require_secret(job_id: str, secret: str) -> Job:
    """Return the job with this id and secret; raises UnknownJob."""
    job = context().jobs.get(job_id)
    if not compare_digest(job.secret.encode(), secret.encode(errors="replace")):
        raise UnknownJob(job_id)
    return job


def require_watcher() -> None:
    """Require a key that may watch, if the server has keys; raises KeyRequired, ScopeMissing."""
    found = identified(context().access)
    if not found.has("watch"):
        raise ScopeMissing(found, "watch")
