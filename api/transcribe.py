"""`POST /transcribe`: recordings in, their words out."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, ClassVar

from flask import Blueprint
from pydantic import Field

from api.answers.transcription import RecogniserAnswer, TranscriptionAnswer
from api.context import context
from api.forms import MULTIPART, FilePart, Form
from api.hearing import LANGUAGE, RAW, hear, received
from api.operation import operation
from warm.uploads.upload import Upload

transcription = Blueprint("transcription", __name__)


class TranscriptionForm(Form):
    """The fields of a recording: parts of a form, or the query if the body is the recording."""

    media_types: ClassVar[tuple[str, ...]] = (MULTIPART, "audio/wav", "audio/*", "video/webm", RAW)

    audio: Annotated[Upload | None, FilePart("sound")] = None
    language: Annotated[str | None, Field(pattern=LANGUAGE)] = None
    """Language of the speech, such as `en`; default: the recogniser decides."""


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
    with received(TranscriptionForm, "audio") as sent:
        heard = hear(sent)
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
