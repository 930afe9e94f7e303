"""`POST /generate`: films of a prepared avatar, made by jobs."""

from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import Field, ValidationInfo, field_validator

from api.answers.generate import GenerateAnswer
from api.caller import caller
from api.context import context
from api.forms import FilePart, Form, read_form
from api.iso_time import iso_time, iso_time_or_none
from api.job_results import MEDIA_TYPES, find_job, result_response, result_url
from api.operation import operation
from api.preparations import job_error_json
from api.serializers import url
from tts.text.markup import Markup
from warm.avatars.store import ID_PATTERN, AvatarMissing
from warm.jobs.job import Job
from warm.production.film_options import FilmOptions
from warm.production.film_request import FilmRequest, TextSpeech
from warm.uploads.upload import Upload

SURFACE = "generate"
BATCH_SIZE_REMARK = (
    "batch_size has no effect on a film: batches have the fastest size, limited by the"
    " settings (batch_size)"
)
FILMS = tuple(MEDIA_TYPES.values())

generate = Blueprint("generate", __name__)


class GenerateForm(Form):
    """The body of `POST /generate`."""

    avatar_id: Annotated[str, Field(pattern=ID_PATTERN.pattern)]
    """An avatar of `GET /avatars`, or one that is being prepared."""
    audio_file: Annotated[Upload | None, FilePart("sound", url="audio_url")] = None
    """The recording to speak."""
    text: str | None = Field(default=None, validate_default=True)
    """The text to speak, in place of a recording."""
    markup: Markup = "auto"
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    fps: Annotated[int, Field(ge=10, le=60)] | None = None
    """Frames per second of the file; null: as the avatar has them."""
    action: Annotated[str, Field(max_length=64)] | None = None
    """An action of the avatar that the film begins with; the speech is spoken over it."""
    batch_size: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Accepted, but without effect."""

    @field_validator("text")
    @classmethod
    def _check_speech(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "audio_file" in info.data and (value is None) == (info.data["audio_file"] is None):
            raise ValueError("needs exactly one of audio_file (or audio_url) and text")
        return value

    def film_request(self) -> FilmRequest:
        """Return the request for the film."""
        return FilmRequest(
            avatar_id=self.avatar_id,
            text=self.text_speech(),
            recording=None if self.audio_file is None else self.audio_file.id,
            options=FilmOptions(fps=self.fps, action=self.action),
        )

    def text_speech(self) -> TextSpeech | None:
        """Return the text to speak; None with a recording."""
        if self.text is None:
            return None
        return TextSpeech(
            text=self.text,
            markup=self.markup,
            voice=self.voice,
            language=self.language,
            speed=self.speed,
        )

    def remarks(self) -> list[str]:
        """Return the parameters that have no effect, and why."""
        remarks = [] if self.batch_size is None else [BATCH_SIZE_REMARK]
        chosen = [name for name in ("voice", "language", "speed") if getattr(self, name)]
        if self.audio_file is not None and chosen:
            remarks.append(f"{', '.join(chosen)}: without effect on a recording")
        return remarks


@generate.post("/generate")
@operation(
    form=GenerateForm,
    answers={200: GenerateAnswer},
    headers=("Idempotency-Key",),
    problems=(404, 409, 503, 507),
    tag="generate",
    scope="speak",
)
def start() -> dict[str, Any]:
    """Make a film of an avatar that speaks a recording or a text, as a job."""
    form = read_form(GenerateForm)
    film = form.film_request()
    check(film)
    identity = film.model_dump(exclude={"recording"})
    job = context().jobs.submit(
        "film",
        film.model_dump(),
        surface=SURFACE,
        owner=caller().name,
        extra={"remarks": form.remarks()},
        idempotency_key=request.headers.get("Idempotency-Key"),
        identity=identity | {"sound": form.audio_file and form.audio_file.sha256},
        max_queued=caller().max_queued,
    )
    return generate_json(job)


@generate.get("/generate/<request_id>")
@operation(answers={200: GenerateAnswer}, problems=(503,), tag="generate", scope="watch")
def show(request_id: str) -> dict[str, Any]:
    """The state of a request for a film."""
    return generate_json(find_job(request_id, SURFACE))


@generate.get("/generate/<request_id>/video")
@operation(
    answers={200: FILMS, 206: FILMS, 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(409, 410, 412, 416, 503),
    tag="generate",
    scope="watch",
)
def video(request_id: str) -> Response:
    """The film of a request, as an ordinary MP4 with its index in front."""
    return result_response(find_job(request_id, SURFACE))


def check(film: FilmRequest) -> None:
    """Raise the error that a job would end with; an avatar may still be in preparation."""
    try:
        context().films.checks.check(film)
    except AvatarMissing:
        if context().preparations.pending(film.avatar_id or "") is None:
            raise


def generate_json(job: Job) -> dict[str, Any]:
    """JSON of a request for a film."""
    result = job.result or {}
    is_done = result_url(job) is not None
    return {
        "request_id": job.id,
        "avatar_id": job.request["avatar_id"],
        "status": job.state,
        "progress": round(job.progress, 4),
        "stage": job.stage,
        "created_at": iso_time(job.created_s),
        "started_at": iso_time_or_none(job.started_s),
        "completed_at": iso_time_or_none(job.finished_s),
        "video_url": url(f"/generate/{job.id}/video") if is_done else None,
        "result_url": result_url(job),
        "frames": result.get("frames"),
        "duration_s": result.get("duration_s"),
        "fps": result.get("fps"),
        "error": job_error_json(job),
        "remarks": [*job.extra["remarks"], *result.get("remarks", [])],
    }
