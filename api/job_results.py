"""Jobs of the caller, their JSON, and their result files."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Response, send_file

from api.caller import caller
from api.context import context
from api.serializers import absolute_url
from api.viewers import download_slot
from warm.jobs.errors import ResultGone, ResultNotReady, UnknownJob
from warm.jobs.job import Job

MEDIA_TYPES = {".mp4": "video/mp4", ".mov": "video/quicktime", ".webm": "video/webm"}
CAPTIONS_TYPE = "text/vtt"
OTHER_TYPE = "application/octet-stream"
FILE_POLICY = "sandbox; default-src 'none'; media-src 'self'"
"""Content security policy of a result."""


def find_job(job_id: str, surface: str | None = None) -> Job:
    """Return a job of the caller, of any surface or of one; raises UnknownJob, JobStoreError."""
    job = context().jobs.get(job_id, surface)
    if not caller().owns(job.owner):
        raise UnknownJob(job_id)
    return job


def visible_owner() -> str | None:
    """The owner whose jobs the caller may list; None for all jobs."""
    found = caller()
    return None if found.is_admin else found.name


def result_url(job: Job) -> str | None:
    """Absolute URL of the result, which needs no credentials; None if there is none."""
    try:
        path = context().jobs.result_path(job)
    except (ResultNotReady, ResultGone):
        return None
    return absolute_url(f"/results/{job.secret}/{job.id}{path.suffix}")


def result_response(job: Job, *, is_attachment: bool = False, name: str | None = None) -> Response:
    """Return the result, or the requested range of it; `name`: another file of the job.

    Raises ResultNotReady, ResultGone, TooManyDownloads, and 416 for an invalid range. If the job is
    deleted meanwhile, the response still gets the whole file.
    """
    path = context().jobs.result_path(job)
    path = path if name is None else path.with_name(name)
    with ExitStack() as held:
        held.enter_context(download_slot())
        try:
            response = send_result(path, job, is_attachment=is_attachment)
        except FileNotFoundError:
            raise (UnknownJob(job.id) if name else ResultGone(job.id)) from None
        response.direct_passthrough = False  # otherwise its end would not be noticed
        response.call_on_close(held.pop_all().close)
    response.headers["Content-Security-Policy"] = FILE_POLICY
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def send_result(path: Path, job: Job, *, is_attachment: bool) -> Response:
    """Return the response of the result file; raises FileNotFoundError."""
    return send_file(
        path.resolve(),
        {**MEDIA_TYPES, ".vtt": CAPTIONS_TYPE}.get(path.suffix, OTHER_TYPE),
        as_attachment=is_attachment,
        download_name=f"{job.id}{path.suffix}",
        conditional=True,
        etag=f"{job.id}{path.suffix}",
        max_age=0,
    )


def job_json(job: Job) -> dict[str, Any]:
    """JSON of a job."""
    error = job.error
    return {
        "id": job.id,
        "kind": job.kind,
        "surface": job.surface,
        "owner": job.owner,
        "state": job.state,
        "progress": round(job.progress, 4),
        "stage": job.stage,
        "created_at": moment(job.created_s),
        "started_at": moment(job.started_s),
        "modified_at": moment(job.modified_s),
        "finished_at": moment(job.finished_s),
        "timings": timings_json(job),
        "attempts": job.attempts,
        "request": job.request,
        "result": job.result,
        "result_url": result_url(job),
        "result_bytes": job.result_bytes,
        "expired": job.is_expired,
        "error": error and {"kind": error.kind, "description": error.description},
    }


def timings_json(job: Job) -> dict[str, float | None]:
    """JSON of the durations of a job so far."""
    now_s = job.finished_s or datetime.now(UTC).timestamp()
    queued_s = (job.started_s or now_s) - job.created_s
    running_s = None if job.started_s is None else now_s - job.started_s
    return {
        "queued_s": round(max(0.0, queued_s), 3),
        "running_s": None if running_s is None else round(max(0.0, running_s), 3),
    }


def moment(time_s: float | None) -> str | None:
    """A time in UTC with milliseconds, ISO 8601; None if there is none."""
    if time_s is None:
        return None
    return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
