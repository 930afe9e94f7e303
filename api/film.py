"""The growing film over HTTP: byte ranges of what is committed, and one stream that grows."""

from collections.abc import Iterator
from http import HTTPStatus
from wsgiref.types import WSGIEnvironment

from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected

from api.peer import is_gone
from api.problem import TooManyWatchers
from api.running import running
from session.ranges import choose_range, etag
from session.reader import FilmReader
from session.writer import FilmWriter
from warm.runtime import Runtime
from warm.sessions import DEFAULT_SESSION

MP4 = "video/mp4"
LOOK_S = 1.0
"""How often a waiting stream looks whether its reader, and the server, are still there."""

film = Blueprint("film", __name__)


@film.get("/session/full_session.mp4", defaults={"session_id": DEFAULT_SESSION})
@film.get("/sessions/<session_id>/full_session.mp4")
def download(session_id: str) -> Response:
    """The committed bytes, or a range of them; the entity tag survives growth."""
    writer = running().runtime.sessions.find(session_id)
    chosen = choose_range(
        request.headers.get("Range"),
        request.headers.get("If-Range"),
        film_id=writer.film_id,
        size=writer.committed.bytes,
    )
    reader = writer.reader()
    response = Response(
        reader.chunks(chosen.start, chosen.end),
        status=HTTPStatus.PARTIAL_CONTENT if chosen.is_partial else HTTPStatus.OK,
        mimetype=MP4,
        headers={
            "Content-Length": str(chosen.end - chosen.start),
            "ETag": etag(writer.film_id),
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-cache",
        },
    )
    if chosen.is_partial:
        response.headers["Content-Range"] = chosen.content_range
    response.call_on_close(reader.close)
    return response


@film.get("/session/stream", defaults={"session_id": DEFAULT_SESSION})
@film.get("/sessions/<session_id>/stream")
def stream(session_id: str) -> Response:
    """The init segment, then fragments for as long as the session lives.

    They begin at `?from=` (a byte of the film; 0 is its beginning), or with what comes next. While
    nothing has been said there is no answer yet: it comes with the first fragment.
    """
    settings, watchers = running().settings, running().watchers
    if not watchers.acquire(blocking=False):
        raise TooManyWatchers(settings.max_watchers)
    try:
        response = answer_stream(*wait_for_film(session_id))
    except BaseException:
        watchers.release()
        raise
    response.call_on_close(watchers.release)
    return response


def wait_for_film(session_id: str) -> tuple[FilmWriter, int]:
    """The film of a session, once it exists, and the byte at which its reader wants to begin."""
    runtime = running().runtime
    film = runtime.sessions.get(session_id)
    if film is not None:
        wanted = request.args.get("from", type=int)
        size = film.committed.bytes
        return film, size if wanted is None else min(max(wanted, 0), size)
    while film is None:
        film = runtime.sessions.wait_for(session_id, LOOK_S)
        runtime.check_ready()
        if is_gone(request.environ):
            raise ClientDisconnected
    return film, 0


def answer_stream(film: FilmWriter, wanted: int) -> Response:
    """The stream of a film from the first fragment at byte `wanted` or later."""
    later = film.fragments_since(max(wanted, film.init_bytes))
    start = later[0].offset if later else film.committed.bytes
    reader = film.reader()
    response = Response(
        grow(film, reader, start, request.environ, running().runtime),
        mimetype=MP4,
        headers={
            "Warmtalk-Film": film.film_id,
            "Warmtalk-Offset": str(start),
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        },
    )
    response.call_on_close(reader.close)
    return response


def grow(
    film: FilmWriter, reader: FilmReader, start: int, environ: WSGIEnvironment, runtime: Runtime
) -> Iterator[bytes]:
    """The init segment, then committed bytes from `start` on, until film, reader or server end."""
    yield from reader.chunks(0, film.init_bytes)
    while True:
        end = film.wait_past(start, LOOK_S)
        if end > start:
            yield from reader.chunks(start, end)
            start = end
        elif film.is_closed or runtime.stopping or is_gone(environ):
            return
