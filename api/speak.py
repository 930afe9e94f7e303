"""`POST /speak`: a text or a recording in, a lip-synced clip at the end of the film."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any
from wsgiref.types import WSGIEnvironment

from flask import Blueprint, Response, g, request
from pydantic import Field, ValidationInfo, field_validator

from api.answers.problem import ProblemAnswer
from api.answers.speech import (
    CommittedEvent,
    LoadedEvent,
    LoadingEvent,
    SpeakAnswer,
    SpeechEvent,
)
from api.body import Body, read_body
from api.caller import caller
from api.client_address import request_client
from api.context import AppContext, context, find_session
from api.disconnect import is_disconnected
from api.example import example
from api.forms import receiving_slot
from api.operation import operation
from api.problem import BadBody, problem_of
from api.recordings import RecordingForm, is_recording, read_recording
from api.serializers import clip_json, film_url
from api.sse import EVENT_STREAM, event_stream, sse
from tts.text.markup import Markup
from warm.fetch.errors import FetchError
from warm.render.jobs import (
    EngineLoaded,
    EngineLoading,
    Event,
    FragmentCommitted,
    Origin,
    SpeakJob,
    SpeakResult,
    SpeechReady,
)
from warm.sessions.paths import DEFAULT_SESSION
from warm.uploads.errors import UnknownUpload, UploadDamaged
from warm.uploads.upload import Upload, UploadKind

OF_TEXTS = {"markup", "ssml", "voice", "language", "speed"}
"""Members of the body that have no meaning for a recording."""
SOUNDS: frozenset[UploadKind] = frozenset({"sound", "video"})

speaking = Blueprint("speak", __name__)


class SpeakBody(Body):
    """The body of `POST /speak`."""

    model_config = example(text="Good morning! How are you?", session_id="paris")

    audio_url: str | None = None
    """The address of a recording to speak; `text` then has its words."""
    text: str = ""
    markup: Markup = "auto"
    ssml: bool | None = None
    """True is the same as the markup `ssml`; False rules it out."""
    session_id: str = DEFAULT_SESSION
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    lead_s: Annotated[float | None, Field(ge=0.2, le=60)] = None

    @field_validator("ssml")
    @classmethod
    def _check_ssml(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        markup = info.data.get("markup", "auto")
        if value is not None and markup != "auto" and value != (markup == "ssml"):
            raise ValueError(f"contradicts markup = {markup!r}; leave one of the two out")
        return value

    @property
    def chosen_markup(self) -> Markup:
        """The markup of the text."""
        if self.ssml is None or self.markup != "auto":
            return self.markup
        return "ssml" if self.ssml else "markdown"


@speaking.post("/speak")
@operation(
    body=SpeakBody,
    form=RecordingForm,
    answers={200: (SpeakAnswer, EVENT_STREAM)},
    problems=(404, 409, 507),
    events={
        "loading": LoadingEvent,
        "loaded": LoadedEvent,
        "speech": SpeechEvent,
        "fragment": CommittedEvent,
        "done": SpeakAnswer,
        "error": ProblemAnswer,
    },
    tag="speech",
    scope="speak",
)
def speak() -> Response | dict[str, Any]:
    """Speak a text or a recording; answers when the clip is on disk, or streams events until then.

    A recording is the part `audio` of a form, or the body; it may be sent while it is being made.
    """
    job = submit_recording() if is_recording() else submit(read_body(SpeakBody))
    if request.accept_mimetypes.best_match(["application/json", EVENT_STREAM]) == EVENT_STREAM:
        return event_stream(event_texts(job))
    return speak_result_json(job.result())


def submit_recording() -> SpeakJob:
    """Submit the recording that the client is sending, once its first sound has arrived."""
    runtime = context().runtime
    with receiving_slot():
        sent = read_recording()
        session = find_session(sent.fields.session_id)
        given = runtime.recording(sent.chunks, sent.fields.text)
        return runtime.speak_sound(
            session, given, lead_s=sent.fields.lead_s, origin=origin_of(session.id)
        )


def submit_address(body: SpeakBody, url: str) -> SpeakJob:
    """Submit the recording at an address of this server, or of another one if that is allowed."""
    runtime, session = context().runtime, find_session(body.session_id)
    given_fields = body.model_fields_set & OF_TEXTS
    if given_fields:
        faults = {name: f"{name}: is for a text; omit it with audio_url" for name in given_fields}
        raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults.values()), faults)
    upload = fetched(url)
    given = runtime.recording_file(upload.path, body.text)
    return runtime.speak_sound(session, given, lead_s=body.lead_s, origin=origin_of(session.id))


def fetched(url: str) -> Upload:
    """Return the recording at an address; raises BadBody."""
    try:
        return context().fetcher.fetch(url, allowed=SOUNDS, owner=caller().name)
    except (FetchError, UploadDamaged, UnknownUpload) as error:
        fault = f"audio_url: {error}"
        raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, fault, {"audio_url": fault}) from error


def origin_of(session_id: str) -> Origin:
    """Return the origin of the current request."""
    return Origin(
        client=request_client(),
        request_id=g.request_id,
        is_wanted=partial(is_wanted, request.environ, session_id, context()),
    )


def submit(body: SpeakBody) -> SpeakJob:
    """Submit a valid request to the render thread."""
    if body.audio_url is not None:
        return submit_address(body, body.audio_url)
    if "text" not in body.model_fields_set:
        fault = "text: is missing, and is required unless there is audio_url"
        raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, fault, {"text": fault})
    runtime, session = context().runtime, find_session(body.session_id)
    choice = runtime.choose(session, voice=body.voice, language=body.language, speed=body.speed)
    return runtime.speak(
        session,
        runtime.plain_text(body.text, body.chosen_markup),
        choice,
        lead_s=body.lead_s,
        origin=origin_of(session.id),
    )


def is_wanted(environ: WSGIEnvironment, session_id: str, app_context: AppContext) -> bool:
    """True if the speech is still to be rendered: see the setting `on_disconnect`. Any thread."""
    policy = app_context.settings.on_disconnect
    if policy == "continue" or not is_disconnected(environ):
        return True
    is_watched = app_context.audience.is_watched(session_id)
    return policy == "auto" and (is_watched or app_context.runtime.is_live(session_id))


def event_texts(job: SpeakJob) -> Iterator[str]:
    """Yield the events of a job; a failure is the last event."""
    try:
        for event in job.events():
            yield sse(*event_json(event))
    except Exception as error:  # noqa: BLE001 - the top of a request whose response has started
        yield sse("error", problem_of(error).body())


def event_json(event: Event) -> tuple[str, dict[str, Any]]:
    """Name and JSON of an event."""
    match event:
        case EngineLoading():
            return "loading", {"reason": event.reason}
        case EngineLoaded():
            return "loaded", {"reload_s": round(event.reload_s, 4)}
        case SpeechReady():
            return "speech", {
                "sentence": event.sentence,
                "text": event.text,
                "duration_s": event.duration_s,
                "voice": event.voice,
            }
        case FragmentCommitted():
            return "fragment", committed_json(event)
        case SpeakResult():
            return "done", speak_result_json(event)


def committed_json(event: FragmentCommitted) -> dict[str, Any]:
    """JSON of a fragment that can be played now."""
    fragment = event.fragment
    return {
        "clip": event.clip,
        "fragment": fragment.index,
        "first_frame": fragment.first_frame,
        "frames": fragment.frames,
        "start_s": fragment.first_frame / event.fps,
        "duration_s": fragment.frames / event.fps,
        "offset": fragment.offset,
        "bytes": fragment.end,
    }


def speak_result_json(result: SpeakResult) -> dict[str, Any]:
    """JSON of a clip that is on disk."""
    timings = asdict(result.timings).items()
    return {
        "status": "success",
        "session_id": result.session_id,
        "video_path": str(result.path),
        "video_url": film_url(result.session_id),
        "interrupted": result.interrupted,
        "truncated": result.truncated_by,
        "clip": clip_json(result.clip, result.fps),
        "session": {
            "duration_s": result.session_frames / result.fps,
            "clips": result.session_clips,
            "bytes": result.session_bytes,
        },
        "voice": result.voice,
        "remarks": result.remarks,
        "timings": {name: None if value is None else round(value, 4) for name, value in timings},
        "message": message_of(result),
    }


def message_of(result: SpeakResult) -> str:
    """Return the outcome of a clip as a sentence."""
    outcome = "interrupted in" if result.interrupted else "added to"
    message = f"clip {result.clip.index} was {outcome} session {result.session_id!r}"
    if result.truncated_by is None:
        return message
    return f"{message}; {result.truncated_by} left no room for the remaining sentences"
