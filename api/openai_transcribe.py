"""`POST /v1/audio/transcriptions`: speech to text in the shape of OpenAI's API."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, ClassVar, cast, get_args

from flask import Blueprint, Response, request
from pydantic import ConfigDict, Field

from api.answers.completions import OpenAIErrorAnswer
from api.answers.transcription import OpenAITranscription
from api.forms import MULTIPART, FilePart, Form
from api.hearing import LANGUAGE, hear, received, unsupported_type
from api.openai_errors import STATUSES, openai_response
from api.operation import AnswerKind, operation
from api.problem import BadBody, problem_of
from api.transcript_formats import SRT, VTT, Format, formatted
from warm.uploads.upload import Upload

ERRORS: Mapping[int, AnswerKind] = dict.fromkeys(STATUSES, OpenAIErrorAnswer)

openai_transcription = Blueprint("openai_transcription", __name__)


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


@openai_transcription.post("/v1/audio/transcriptions")
@operation(
    form=OpenAIForm,
    answers={200: (OpenAITranscription, "text/plain", SRT, VTT), **ERRORS},
    tag="speech",
    scope="speak",
)
def transcribe() -> Response:
    """The words of a recording, as OpenAI's `POST /v1/audio/transcriptions` returns them."""
    if request.mimetype != MULTIPART:
        raise unsupported_type(MULTIPART)
    with received(OpenAIForm, "file") as sent:
        kind = supported_format(sent.fields)
        heard = hear(sent)
    return formatted(heard.transcript, kind)


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


@openai_transcription.errorhandler(Exception)
def answer_error(error: Exception) -> Response:
    """Answer an error in OpenAI's shape."""
    return openai_response(problem_of(error))
