"""Speech to text: recordings in, their words out, in an own shape and in that of OpenAI."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, TypeVar, cast, get_args

from flask import Blueprint, Response, request
from pydantic import ConfigDict, Field

from api.answers.transcription import (
    OpenAITranscription,
    RecogniserAnswer,
    TranscriptionAnswer,
)
from api.client_address import client_address
from api.context import context
from api.disconnect import is_disconnected
from api.forms import MULTIPART, FilePart, Form
from api.operation import operation
from api.problem import BadBody, TooManyTranscriptions
from api.recordings import SentRecording, is_recording, read_form_of
from api.transcript_formats import SRT, VTT, Format, formatted
from warm.sessions.limits import MB
from warm.transcriber import Heard
from warm.uploads.upload import Upload

LANGUAGE = r"^$|^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
RAW = "application/octet-stream"

transcription = Blueprint("transcription", __name__)
SentForm = TypeVar("SentForm", bound=Form)


class TranscriptionForm(Form):
    """The fields of a recording: parts of a form, or the query if the body is the recording."""

    media_types: ClassVar[tuple[str, ...]] = (MULTIPART, "audio/wav", "audio/*", "video/webm", RAW)

    audio: Annotated[Upload | None, FilePart("sound")] = None
    language: Annotated[str | None, Field(pattern=LANGUAGE)] = None
    """Language of the speech, such as `en`; default: the recogniser decides."""


class OpenAIForm(Form):
    """The fields of OpenAI's `POST /v1/audio/transcriptions`."""

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)
    media_types: ClassVar[tuple[str, ...]] = (MULTIPART,)

    file: Annotated[Upload | None, FilePart("sound")] = None
    model: str = ""
    """Any name: the recogniser of the settings is used."""
    language: Annotated[str | None, Field(pattern=LANGUAGE)] = None
    response_format: str = "json"
    prompt: str = ""
    """Accepted without effect."""
    temperature: float = 0.0
    """Accepted without effect."""
    stream: bool = False
    """Must be false."""
    timestamp_granularities: str = Field("segment", alias="timestamp_granularities[]")
    """Only `segment`: the times of words are not known."""
    include: str = Field("", alias="include[]")
    """Must be empty."""


@transcription.post("/transcribe")
@operation(
    form=TranscriptionForm,
    answers={200: TranscriptionAnswer},
    problems=(409, 502, 504),
    tag="speech",
    scope="speak",
)
def transcribe() -> dict[str, Any]:
    """The words of a recording; an empty text if nobody speaks in it.

    The recording is the part `audio` of a form, or the body. It is decoded and recognised while it
    arrives.
    """
    with transcription_place():
        heard = hear(read_sent(TranscriptionForm, "audio"))
    transcript = heard.transcript
    return {
        "text": transcript.text,
        "language": transcript.language,
        "duration_s": round(transcript.duration_s, 3),
        "speech_s": round(transcript.speech_s, 3),
        "model": transcript.model,
        "timings": {
            "decode_s": round(heard.decode_s, 4),
            "recognise_s": round(heard.recognise_s, 4),
            "total_s": round(heard.total_s, 4),
        },
    }


@transcription.post("/v1/audio/transcriptions")
@operation(
    form=OpenAIForm,
    answers={200: (OpenAITranscription, "text/plain", SRT, VTT)},
    problems=(409, 502, 504),
    tag="speech",
    scope="speak",
)
def openai_transcribe() -> Response:
    """The words of a recording, as OpenAI's `POST /v1/audio/transcriptions` returns them."""
    if request.mimetype != MULTIPART:
        raise unsupported_type(MULTIPART)
    with transcription_place():
        sent = read_sent(OpenAIForm, "file")
        kind = supported_format(sent.fields)
        heard = hear(sent)
    return formatted(heard.transcript, kind)


@transcription.get("/transcribe/model")
@operation(answers={200: RecogniserAnswer}, tag="speech", scope="watch")
def recogniser() -> dict[str, Any]:
    """The recogniser and its state; nothing is fetched or loaded."""
    return asdict(context().transcriber.recogniser.state())


@transcription.post("/transcribe/model/prepare")
@operation(answers={202: RecogniserAnswer}, tag="speech", scope="speak")
def prepare() -> tuple[dict[str, Any], int]:
    """Have the recogniser fetched or loaded, in the background."""
    found = context().transcriber.recogniser
    found.prepare()
    return asdict(found.state()), HTTPStatus.ACCEPTED


@contextmanager
def transcription_place() -> Iterator[None]:
    """Hold one of the places of recordings that are recognised; raises TooManyTranscriptions."""
    with context().transcriptions.hold(client_address(), TooManyTranscriptions):
        yield


def read_sent(model: type[SentForm], part: str) -> SentRecording[SentForm]:
    """Read the fields of the current request up to its recording; raises BadBody."""
    if not is_recording() and request.mimetype != RAW:
        raise unsupported_type(f"{MULTIPART}, {RAW}, audio/… or video/…")
    limit = int(context().settings.max_recording_mb * MB)
    return read_form_of(model, limit, "max_recording_mb", part=part)


def hear(sent: SentRecording[Any]) -> Heard:
    """Recognise a recording while it arrives; it is given up if its client leaves."""
    return context().transcriber.hear(
        sent.chunks,
        language=sent.fields.language or None,
        is_cancelled=partial(is_disconnected, request.environ),
    )


def supported_format(form: OpenAIForm) -> Format:
    """Return the format of the answer; raises BadBody for what is not supported."""
    faults = {
        "stream": form.stream and "stream = true: is not supported; omit it",
        "timestamp_granularities[]": form.timestamp_granularities != "segment"
        and "timestamp_granularities[]: the times of words are not known; allowed: segment",
        "include[]": form.include and "include[]: log probabilities are not available; omit it",
        "response_format": form.response_format not in get_args(Format)
        and f"response_format = {form.response_format[:40]!r}: allowed: "
        + ", ".join(get_args(Format)),
    }
    found = {name: fault for name, fault in faults.items() if fault}
    if found:
        raise BadBody(HTTPStatus.BAD_REQUEST, "; ".join(found.values()), found)
    return cast(Format, form.response_format)


def unsupported_type(allowed: str) -> BadBody:
    """Return the error of a body of another type."""
    return BadBody(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"content-type = {request.content_type!r}: must be {allowed}",
    )
