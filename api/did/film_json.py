"""JSON of talks and clips: jobs as D-ID shows them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from api.did.errors import in_terms_of_did
from warm.jobs.job import Job, JobState

STATUSES: dict[JobState, str] = {
    "queued": "created",
    "running": "started",
    "done": "done",
    "error": "error",
    "cancelled": "rejected",
}
"""D-ID's status by the state of the job."""
LOCAL_USER = "local"
"""User of talks that were made without a key."""
Absolute = Callable[[str], str]
"""Makes a path of this server an absolute address."""


def created_json(job: Job, kind: str) -> dict[str, Any]:
    """JSON of a talk or clip that was just made."""
    return {
        "id": job.id,
        "object": kind,
        "created_at": moment(job.created_s),
        "created_by": user_of(job),
        "status": "created",
    }


def talk_json(job: Job, absolute: Absolute) -> dict[str, Any]:
    """JSON of a talk."""
    avatar_id = job.request.get("avatar_id")
    given = job.extra["source_url"]
    return {
        **film_json(job, "talk", absolute),
        "source_url": given or absolute(f"/clips/presenters/{avatar_id}/image.png"),
        "driver_url": job.extra["driver_url"],
    }


def clip_json(job: Job, absolute: Absolute) -> dict[str, Any]:
    """JSON of a clip."""
    return {
        **film_json(job, "clip", absolute),
        "presenter_id": job.extra["presenter_id"],
        "driver_id": job.extra["driver_id"],
        "background": job.extra["background"],
    }


def film_json(job: Job, kind: str, absolute: Absolute) -> dict[str, Any]:
    """JSON that talks and clips share. Texts are there in every state; they may be empty."""
    extra = job.extra
    shown = {
        "id": job.id,
        "object": kind,
        "user_id": user_of(job),
        "created_by": user_of(job),
        "created_at": moment(job.created_s),
        "started_at": moment(job.started_s),
        "modified_at": moment(job.modified_s or job.created_s),
        "status": STATUSES[job.state],
        "audio_url": extra["audio_url"],
        "result_url": result_url(job, absolute),
        "name": extra["name"],
        "user_data": extra["user_data"],
        "webhook": extra["webhook"] or "",
        "script": extra["script"],
        "config": extra["config"],
        "remarks": extra["remarks"],
    }
    if job.state == "done" and job.result is not None:
        shown["remarks"] = [*extra["remarks"], *job.result.get("remarks", ())]
        shown["duration"] = job.result["duration_s"]
        shown["metadata"] = metadata_json(job.result)
    if job.error is not None:
        description = in_terms_of_did(job.error.description)
        shown["error"] = {"kind": job.error.kind, "description": description}
    elif job.state == "cancelled":
        shown["error"] = {"kind": "RejectedError", "description": "the job was cancelled"}
    return shown


def result_url(job: Job, absolute: Absolute) -> str:
    """Address of the film, which needs no credentials; empty before it is done."""
    if job.state != "done" or job.result_file is None or job.is_expired:
        return ""
    suffix = job.result_file.rpartition(".")[2]
    return absolute(f"/results/{job.secret}/{job.id}.{suffix}")


def metadata_json(facts: dict[str, Any]) -> dict[str, Any]:
    """JSON of the facts of a film."""
    return {
        "num_frames": facts["frames"],
        "num_faces": facts.get("faces", 1),
        "processing_fps": facts.get("rendered_fps"),
        "resolution": [facts["width"], facts["height"]],
        "size_kib": round(facts["size_bytes"] / 1024, 2),
        "mouth_open": bool(facts.get("mouth_open")),
        "fps": facts.get("fps"),
        "voice": facts.get("voice"),
    }


def user_of(job: Job) -> str:
    """Name of the user that made a talk."""
    return job.owner or LOCAL_USER


def moment(time_s: float | None) -> str:
    """A Unix time as ISO 8601 with milliseconds, UTC; empty if there is none."""
    if time_s is None:
        return ""
    stamp = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")
