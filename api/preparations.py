"""Preparations over HTTP: the form of a request, and the JSON of its job."""

from typing import Annotated, Any

from flask import request
from pydantic import Field, ValidationInfo, field_validator

from api.caller import caller
from api.context import context
from api.forms import FileGroup, FilePart, Form
from api.iso_time import iso_time, iso_time_or_none
from api.problem import NoPreparation
from api.serializers import url
from warm.avatars.action import NAME_PATTERN
from warm.avatars.recipe import COLOUR, EnhanceMethod, Teeth
from warm.avatars.store import ID_PATTERN
from warm.enhance.factory import check_method
from warm.jobs.job import Job
from warm.preparer.handler import PrepareRequest, read_face
from warm.uploads.upload import Upload

BATCH_SIZE_REMARK = (
    "batch_size has no effect on a preparation: the batches are those of the settings (batch_size)"
)


class PrepareForm(Form):
    """The body of `POST /avatars/prepare`."""

    avatar_id: Annotated[str, Field(pattern=ID_PATTERN.pattern)]
    """1 to 64 letters, digits, `-` and `_`."""
    video_file: Annotated[Upload | None, FilePart("picture", "video", url="video_url")] = None
    """A photo or video of a face; without it, actions are added to an avatar that exists."""
    actions: Annotated[dict[str, Upload], FileGroup("action_", NAME_PATTERN, "video")] = Field(
        default_factory=dict, validate_default=True
    )
    """Action clips: videos in fields named `action_NAME`."""
    batch_size: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Accepted, but without effect."""
    bbox_shift: Annotated[int, Field(ge=-60, le=60)] | None = None
    """Moves the face's box and mask down, in pixels of the frame; null: as in the settings."""
    teeth: Teeth | None = None
    """Photos with parted lips; null: as in the settings."""
    background: Annotated[str, Field(pattern=COLOUR.pattern)] | None = None
    """Colour behind the person, `#rrggbb`; null: as in the settings."""
    background_file: Annotated[Upload | None, FilePart("picture")] = None
    """A picture that is shown behind the person."""
    enhance: EnhanceMethod | None = None
    """Enhances the face first: `gfpgan` restores it, `sharpen` only sharpens; null: neither."""
    force_recreate: bool = False
    """Prepare again although the avatar is up to date."""

    @field_validator("actions")
    @classmethod
    def _check_anything(cls, value: dict[str, Upload], info: ValidationInfo) -> dict[str, Upload]:
        if not value and info.data.get("video_file") is None:
            raise ValueError("video_file is missing, and so is action_NAME; send at least one")
        return value

    @field_validator("background_file")
    @classmethod
    def _check_one_background(cls, value: Upload | None, info: ValidationInfo) -> Upload | None:
        if value is not None and info.data.get("background") is not None:
            raise ValueError("was sent with background; send a colour or a picture, not both")
        return value


def submit_preparation(form: PrepareForm) -> Job:
    """Queue a preparation; raises AvatarBeingPrepared and the errors of `Jobs.submit`."""
    named = [form.actions[name] for name in sorted(form.actions)]
    files = [form.video_file, form.background_file, *named]
    if form.enhance is not None:
        check_method(form.enhance, context().settings)
    if form.video_file is None:
        context().avatars.summary(form.avatar_id)
    return context().preparations.submit(
        PrepareRequest(
            avatar_id=form.avatar_id,
            upload=None if form.video_file is None else form.video_file.id,
            actions={name: form.actions[name].id for name in sorted(form.actions)},
            bbox_shift=form.bbox_shift,
            teeth=form.teeth,
            background=form.background,
            enhance=form.enhance,
            background_upload=None if form.background_file is None else form.background_file.id,
            force=form.force_recreate,
        ),
        sha256="+".join(file.sha256 for file in files if file is not None),
        remarks=[] if form.batch_size is None else [BATCH_SIZE_REMARK],
        owner=caller().name,
        idempotency_key=request.headers.get("Idempotency-Key"),
        max_queued=caller().max_queued,
    )


def find_preparation(avatar_id: str) -> Job:
    """Return the last preparation of an avatar; raises NoPreparation."""
    context().avatars.folder(avatar_id)
    job = context().preparations.latest(avatar_id)
    if job is None or not caller().owns(job.owner):
        raise NoPreparation(
            avatar_id, "no client has prepared it; send a photo or video to POST /avatars/prepare"
        )
    return job


def preparation_json(job: Job) -> dict[str, Any]:
    """JSON of a preparation."""
    avatar_id = job.request["avatar_id"]
    face = read_face(context().jobs.folder(job))
    return {
        "job_id": job.id,
        "avatar_id": avatar_id,
        "status": job.state,
        "progress": job.progress,
        "stage": job.stage,
        "created_at": iso_time(job.created_s),
        "started_at": iso_time_or_none(job.started_s),
        "completed_at": iso_time_or_none(job.finished_s),
        "error": job_error_json(job),
        "remarks": job.extra["remarks"],
        "face": face,
        "preview_url": url(f"/avatars/{avatar_id}/preparation/preview.jpg") if face else None,
        "status_url": url(f"/avatars/{avatar_id}/preparation"),
        "avatar_url": url(f"/avatars/{avatar_id}"),
    }


def job_error_json(job: Job) -> dict[str, str] | None:
    """JSON of the error of a job; None if it has none."""
    error = job.error
    return None if error is None else {"kind": error.kind, "description": error.description}
