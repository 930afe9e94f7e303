"""Recordings that clients send to be spoken, read while they are still arriving."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from tempfile import TemporaryFile
from typing import IO, Annotated, ClassVar, Generic

from flask import request
from pydantic import Field
from werkzeug.http import parse_options_header

from api.body_pieces import PIECE_BYTES, body_pieces
from api.context import context
from api.forms import MULTIPART, FilePart, Form, Model, Received, read_text, validated
from api.multipart import MultipartReader, Part
from api.problem import BadBody
from api.server.live_body import LiveBody
from warm.sessions.limits import MB
from warm.sessions.paths import DEFAULT_SESSION
from warm.uploads.upload import Upload

AUDIO = "audio"
"""Name of the part of a form that is the recording."""
FAMILIES = ("audio/", "video/")
"""Content types of a body that is a recording; its format is recognised from the content."""

PAUSE_MARGIN_S = 5.0
"""Added to `recording_stall_s`, so that the recording ends before its body does, with an error that
names the setting."""


class RecordingForm(Form):
    """The fields of a recording: parts of a form, or the query if the body is the recording."""

    media_types: ClassVar[tuple[str, ...]] = (MULTIPART, "audio/wav", "audio/*", "video/webm")

    audio: Annotated[Upload | None, FilePart("sound")] = None
    text: str = ""
    """Its words, for captions and transcript."""
    session_id: str = DEFAULT_SESSION
    lead_s: Annotated[float | None, Field(ge=0.2, le=60)] = None


@dataclass(slots=True)
class SentRecording(Generic[Model]):
    """A recording and its fields."""

    fields: Model
    chunks: Iterator[bytes]
    """Its bytes as they arrive; raises BadBody. Any thread may iterate it."""
    file: IO[bytes] | None = None
    """Holds the bytes if they have arrived already; it is closed when all of them were read."""

    def discard(self) -> None:
        """Remove what is held of a recording that is not read to its end."""
        if self.file is not None:
            self.file.close()


def is_recording() -> bool:
    """Return True if the body of the current request is a recording, or a form with one."""
    media_type, _ = parse_options_header(request.content_type)
    return media_type == MULTIPART or media_type.startswith(FAMILIES)


def read_recording() -> SentRecording[RecordingForm]:
    """Read the fields of the current request up to its recording; raises BadBody."""
    limit = int(context().settings.max_recording_mb * MB)
    return read_form_of(RecordingForm, limit, "max_recording_mb", or_send="a text as JSON")


def read_form_of(
    model: type[Model], max_bytes: int, setting: str, *, part: str = AUDIO, or_send: str = ""
) -> SentRecording[Model]:
    """Read the fields of the current request up to its recording, the part of this name.

    The recording may have `max_bytes`, the value of `setting`; `or_send`: what may be sent in its
    place. Raises BadBody.

    The fields of a form precede the recording. If none does and the length of the body is known,
    all of it is read first, so that the fields may also follow.
    """
    media_type, parameters = parse_options_header(request.content_type)
    allow_pauses(context().settings.recording_stall_s)
    if media_type == MULTIPART:
        pieces = body_pieces(max_bytes + context().settings.max_body_bytes, setting)
        reader = FormReader(pieces, parameters.get("boundary", ""), model, part)
        sent = reader.read()
        if sent is None:
            other = f", or {or_send}" if or_send else ""
            fault = f"{part}: is missing"
            raise BadBody(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{fault}; send the recording as a part of this name{other}",
                {part: fault},
            )
        return sent
    received = Received()
    for key, value in request.args.items(multi=True):
        received.add(key, value)
    return SentRecording(validated(model, received), body_pieces(max_bytes, setting))


def allow_pauses(pause_s: float) -> None:
    """Allow the client the pauses of live speech; the reader of the sound ends longer ones."""
    body = request.environ["wsgi.input"]
    if isinstance(body, LiveBody):
        body.limit_pauses(pause_s + PAUSE_MARGIN_S)


class FormReader(Generic[Model]):
    """Reads a form with a recording. One thread at a time."""

    def __init__(
        self, pieces: Iterator[bytes], boundary: str, model: type[Model], part: str
    ) -> None:
        """`part`: name of the recording."""
        self._model, self._part = model, part
        self._received = Received()
        self._left = context().settings.max_body_bytes
        self._parts = MultipartReader(pieces, boundary).parts()
        self._is_length_known = request.content_length is not None

    def read(self) -> SentRecording[Model] | None:
        """Read up to the recording, or all of the form if no field precedes it.

        None if the form has no recording.
        """
        part = self._next_recording()
        if part is None:
            return None
        if self._received.values or self._received.faults or not self._is_length_known:
            return SentRecording(validated(self._model, self._received), self._live(part))
        with ExitStack() as held:
            folder = context().settings.results_dir
            folder.mkdir(parents=True, exist_ok=True)
            file = held.enter_context(TemporaryFile(dir=folder))
            for chunk in part.chunks:
                file.write(chunk)
            self._read_rest()
            fields = validated(self._model, self._received)
            held.pop_all()
        return SentRecording(fields, chunks_of(file), file)

    def _next_recording(self) -> Part | None:
        """Read the fields before the recording; None if no recording follows."""
        for part in self._parts:
            if part.name == self._part:
                return part
            self._left -= len(read_text(part, self._left, self._received))
        return None

    def _read_rest(self) -> None:
        """Read the fields after the recording."""
        while self._next_recording() is not None:
            self._received.faults[self._part] = f"{self._part}: was sent twice; send it once"

    def _live(self, part: Part) -> Iterator[bytes]:
        """Yield the recording as it arrives; raises BadBody for a field after it."""
        yield from part.chunks
        faults = {part.name: LATE.format(part.name) for part in self._parts}
        if faults:
            raise BadBody(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults.values()), faults)


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a file from its beginning, then close it."""
    with file:
        file.seek(0)
        while chunk := file.read(PIECE_BYTES):
            yield chunk


LATE = "{}: follows the recording, which was used without it; send it before the recording"
