"""Recordings of requests, passed to the recogniser while they arrive."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from flask import request

from api.client_address import client_address
from api.context import context
from api.disconnect import is_disconnected
from api.forms import MULTIPART, Form
from api.problem import BadBody, TooManyTranscriptions
from api.recordings import SentRecording, is_recording, read_form_of
from warm.sessions.limits import MB
from warm.transcriber import Heard

LANGUAGE = r"^$|^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$"
"""BCP 47 tags, also with `_`; empty: the recogniser decides."""
RAW = "application/octet-stream"

SentForm = TypeVar("SentForm", bound=Form)


@contextmanager
def received(model: type[SentForm], part: str) -> Iterator[SentRecording[SentForm]]:
    """Read the fields of the current request up to its recording, and hold one of the places.

    Raises BadBody and TooManyTranscriptions.
    """
    if not is_recording() and request.mimetype != RAW:
        raise unsupported_type(f"{MULTIPART}, {RAW}, audio/… or video/…")
    limit = int(context().settings.max_recording_mb * MB)
    with context().transcriptions.hold(client_address(), TooManyTranscriptions):
        sent = read_form_of(model, limit, "max_recording_mb", part=part)
        try:
            yield sent
        finally:
            sent.discard()


def hear(sent: SentRecording[Any]) -> Heard:
    """Recognise a recording while it arrives; recognition ends if its client leaves."""
    return context().transcriber.hear(
        sent.chunks,
        language=sent.fields.language or None,
        is_cancelled=partial(is_disconnected, request.environ),
    )


def unsupported_type(allowed: str) -> BadBody:
    """Return the error of a body of another type."""
    return BadBody(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        f"content-type = {request.content_type!r}: must be {allowed}",
    )
