"""The lip-sync service: talks of a picture and a recording, in the shapes that its clients know.

A talk is a job. The picture becomes an avatar once; further talks of the same bytes begin at once.
"""

from typing import Annotated, Any
from uuid import UUID

from flask import Blueprint, request
from pydantic import Field, ValidationInfo, field_validator

from api.answers.lipsync import (
    StoredFileAnswer,
    TalkCreatedAnswer,
    TalkState,
    TalkStatusAnswer,
)
from api.caller import caller
from api.context import context
from api.forms import FilePart, Form, read_form
from api.iso_time import iso_time, iso_time_or_none
from api.job_results import find_job, result_url
from api.operation import operation
from api.serializers import absolute_url, url
from warm.jobs.errors import UnknownJob
from warm.jobs.job import Job, JobState
from warm.production.film_options import FilmOptions
from warm.production.film_request import FilmRequest
from warm.uploads.upload import Upload

SURFACE = "lipsync"
STATES: dict[JobState, TalkState] = {
    "queued": "queued",
    "running": "processing",
    "done": "done",
    "error": "error",
    "cancelled": "error",
}
"""Clients wait for `done` or `error`, so a cancelled talk is an error."""
CANCELLED = "the talk was cancelled"
LAST: Any = Field(default=None, validate_default=True)
"""Default of the last file field, which is checked after the others."""
ONE_FILE = "needs exactly one file"

lipsync = Blueprint("lipsync", __name__)


class OneFileForm(Form):
    """A form with one file, under any of several names."""

    @classmethod
    def check_last(cls, last: Upload | None, info: ValidationInfo) -> Upload | None:
        """Return the last file field; raises ValueError unless exactly one of them was sent."""
        names = list(cls.model_fields)
        sent = sum(info.data.get(name) is not None for name in names) + (last is not None)
        if sent != 1 and len(info.data) == len(names) - 1:
            raise ValueError(f"{ONE_FILE}, in one of the fields {', '.join(names)}")
        return last

    @property
    def upload(self) -> Upload:
        """The file."""
        return next(value for _, value in self if isinstance(value, Upload))


class SourceImageForm(OneFileForm):
    """The body of `POST /upload-source-image`: a photo or video of a face."""

    file: Annotated[Upload | None, FilePart("picture", "video")] = None
    image: Annotated[Upload | None, FilePart("picture", "video")] = None
    source_image: Annotated[Upload | None, FilePart("picture", "video")] = LAST

    @field_validator("source_image")
    @classmethod
    def _check(cls, last: Upload | None, info: ValidationInfo) -> Upload | None:
        return cls.check_last(last, info)


class AudioForm(OneFileForm):
    """The body of `POST /upload-audio`: a recording."""

    file: Annotated[Upload | None, FilePart("sound")] = None
    audio: Annotated[Upload | None, FilePart("sound")] = None
    audio_data: Annotated[Upload | None, FilePart("sound")] = LAST

    @field_validator("audio_data")
    @classmethod
    def _check(cls, last: Upload | None, info: ValidationInfo) -> Upload | None:
        return cls.check_last(last, info)


class VideoForm(Form):
    """The body of `POST /generate-video`."""

    audio_data: Annotated[Upload, FilePart("sound", url="audio_url", data="audio_data")]
    """The recording to speak, also as a data URL, or its address in `audio_url`."""
    source_image: Annotated[
        Upload, FilePart("picture", "video", url="source_url", data="source_image")
    ]
    """The photo or video of the face, also as a data URL, or its address in `source_url`."""


@lipsync.post("/upload-source-image")
@operation(form=SourceImageForm, answers={200: StoredFileAnswer}, tag="lipsync", scope="speak")
def upload_source_image() -> dict[str, str]:
    """Store a picture or video for talks."""
    return stored_file_json(read_form(SourceImageForm).upload)


@lipsync.post("/upload-audio")
@operation(form=AudioForm, answers={200: StoredFileAnswer}, tag="lipsync", scope="speak")
def upload_audio() -> dict[str, str]:
    """Store a recording for talks."""
    return stored_file_json(read_form(AudioForm).upload)


@lipsync.post("/generate-video")
@operation(
    form=VideoForm,
    answers={200: TalkCreatedAnswer},
    headers=("Idempotency-Key",),
    problems=(409, 503, 507),
    tag="lipsync",
    scope="speak",
)
def generate_video() -> dict[str, Any]:
    """Make a film in which the face of a picture speaks a recording, as a job."""
    form = read_form(VideoForm)
    film = FilmRequest(
        source=form.source_image.id, recording=form.audio_data.id, options=FilmOptions()
    )
    context().films.checks.check(film)
    job = context().jobs.submit(
        "film",
        film.model_dump(),
        surface=SURFACE,
        owner=caller().name,
        idempotency_key=request.headers.get("Idempotency-Key"),
        id_prefix="",
        identity={"source": form.source_image.sha256, "sound": form.audio_data.sha256},
        max_queued=caller().max_queued,
    )
    return created_json(job)


@lipsync.get("/talk-status/<talk_id>")
@operation(answers={200: TalkStatusAnswer}, problems=(503,), tag="lipsync", scope="watch")
def talk_status(talk_id: str) -> dict[str, Any]:
    """The state of a talk."""
    job = find_job(job_id_of(talk_id), SURFACE)
    return {
        **created_json(job),
        "progress": round(job.progress, 4),
        "started_at": iso_time_or_none(job.started_s),
        "completed_at": iso_time_or_none(job.finished_s),
        "error": error_text(job),
    }


def job_id_of(talk_id: str) -> str:
    """Return the id of the job of a talk; raises UnknownJob."""
    try:
        return UUID(talk_id).hex
    except ValueError:
        raise UnknownJob(talk_id) from None


def created_json(job: Job) -> dict[str, Any]:
    """JSON of a new talk. The address of its result is relative, as clients expect it."""
    is_done = result_url(job) is not None
    return {
        "id": str(UUID(job.id)),
        "status": STATES[job.state],
        "result_url": url(f"/results/{job.secret}/{job.id}.mp4") if is_done else None,
        "created_at": iso_time(job.created_s),
    }


def error_text(job: Job) -> str | None:
    """Return the error of a talk in words; None if there is none."""
    if job.state == "cancelled":
        return CANCELLED
    return None if job.error is None else job.error.description


def stored_file_json(upload: Upload) -> dict[str, str]:
    """JSON of a stored file."""
    return {"url": absolute_url(context().uploads.url_path(upload))}
