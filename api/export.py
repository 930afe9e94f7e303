"""`GET export.mp4`: the film so far as an ordinary file to keep."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO

from flask import Blueprint, Response, request

from api.context import EXPORTS_AT_ONCE, find_session, running
from api.film import MP4
from api.problem import TooManyExports
from api.viewers import find_film
from session.fragmented.writer import FilmWriter
from session.mp4.export import open_export
from warm.sessions.paths import DEFAULT_SESSION

CHUNK_BYTES = 256 * 1024

export = Blueprint("export", __name__)


@export.get("/session/export.mp4", defaults={"session_id": DEFAULT_SESSION})
@export.get("/sessions/<session_id>/export.mp4")
def download(session_id: str) -> Response:
    """Everything committed as a faststart MP4, copied and verified before the first byte is sent.

    Rendering does not wait for it. `HEAD` answers without making the file.
    """
    film = find_film(find_session(session_id))
    response = Response(mimetype=MP4, headers={"Cache-Control": "no-store"})
    response.headers["Content-Disposition"] = f'attachment; filename="{session_id}.mp4"'
    if request.method == "HEAD":
        return response
    with ExitStack() as held:
        if isinstance(film, FilmWriter):
            held.enter_context(place())
            file = held.enter_context(open_export(film.path))
            response.content_length = os.fstat(file.fileno()).st_size
            response.response = chunks(file)
        else:  # an ordinary MP4 already
            reader = held.enter_context(film.reader())
            response.content_length = reader.size
            response.response = reader.chunks(0, reader.size)
        response.call_on_close(held.pop_all().close)
    return response


@contextmanager
def place() -> Iterator[None]:
    """The right to make one of EXPORTS_AT_ONCE; raises TooManyExports."""
    exports = running().exports
    if not exports.acquire(blocking=False):
        raise TooManyExports(EXPORTS_AT_ONCE)
    try:
        yield
    finally:
        exports.release()


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """All of a file."""
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
