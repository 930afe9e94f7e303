"""`GET export.mp4`: the film so far as an ordinary MP4 file."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO

from flask import Blueprint, Response, request

from api.client_address import client_address
from api.context import context, find_session
from api.film import MP4
from api.operation import operation
from api.problem import TooManyExports
from api.viewers import FilmQuery, download_slot, find_film
from session.factory import Film
from session.fragmented.writer import FilmWriter
from session.mp4.export import open_export
from warm.matting.program import Cut, open_cut
from warm.sessions.paths import DEFAULT_SESSION

CHUNK_BYTES = 256 * 1024
WEBM = "video/webm"

export = Blueprint("export", __name__)


@export.get("/session/export.mp4", defaults={"session_id": DEFAULT_SESSION})
@export.get("/sessions/<session_id>/export.mp4")
@operation(
    query=FilmQuery,
    answers={200: MP4},
    problems=(404, 409, 410, 507),
    tag="films",
    scope="watch",
)
def download(session_id: str) -> Response:
    """Everything committed as a faststart MP4, copied and verified before the first byte is sent.

    Rendering does not wait for it. `HEAD` answers without making the file.
    """
    film = find_film(find_session(session_id))
    response = attachment(f"{session_id}.mp4", MP4)
    if request.method != "HEAD":
        fill(response, film)
    return response


@export.get("/session/export.webm", defaults={"session_id": DEFAULT_SESSION})
@export.get("/sessions/<session_id>/export.webm")
@operation(
    query=FilmQuery,
    answers={200: WEBM},
    problems=(404, 409, 410, 507),
    tag="films",
    scope="watch",
)
def download_cut_out(session_id: str) -> Response:
    """The person of everything committed, cut out: WebM with VP9, opacity and Opus.

    It is sent while it is made, with the lowest priority, at some 15 pictures a second.
    """
    film = find_film(find_session(session_id))
    response = attachment(f"{session_id}.webm", WEBM)
    if request.method != "HEAD":
        fill_cut_out(response, film)
    return response


def attachment(name: str, media_type: str) -> Response:
    """Return an empty response that browsers save under this name."""
    response = Response(mimetype=media_type, headers={"Cache-Control": "no-store"})
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def fill_cut_out(response: Response, film: Film) -> None:
    """Set the content of the response; closing it ends the program that makes it.

    Raises TooManyDownloads, TooManyExports and CopyFailedError.
    """
    committed = film.committed
    cut = Cut(models=context().settings.face_models_folder)
    with ExitStack() as held:
        held.enter_context(download_slot())
        held.enter_context(context().exports.hold(client_address(), TooManyExports))
        file = held.enter_context(open_export(film.path))
        file.seek(0)
        duration_s = committed.frames / film.spec.fps
        response.response = held.enter_context(open_cut(file, cut, duration_s=duration_s))
        response.call_on_close(held.pop_all().close)


def fill(response: Response, film: Film) -> None:
    """Set the content of the response; closing it closes the file.

    Raises TooManyDownloads and TooManyExports.
    """
    with ExitStack() as held:
        held.enter_context(download_slot())
        if isinstance(film, FilmWriter):
            with context().exports.hold(client_address(), TooManyExports):
                file = held.enter_context(open_export(film.path))
            response.content_length = os.fstat(file.fileno()).st_size
            response.response = chunks(file)
        else:  # already an ordinary MP4
            reader = held.enter_context(film.reader())
            response.content_length = reader.size
            response.response = reader.chunks(0, reader.size)
        response.call_on_close(held.pop_all().close)


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a file."""
    file.seek(0)
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
