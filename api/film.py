"""The growing film: byte ranges of its committed part, and a live stream."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus

from flask import Blueprint, Response, request

from api.body import read_loose_query
from api.context import context, find_session
from api.operation import operation
from api.viewers import (
    FilmQuery,
    StartQuery,
    Viewer,
    download_slot,
    find_film,
    viewer_slot,
    wait_for_film,
)
from session.byte_ranges import choose_range, etag
from session.errors import FilmDamagedError
from session.fragmented.writer import FilmWriter
from session.reader import FilmReader
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session

MP4 = "video/mp4"

film = Blueprint("film", __name__)


class StreamQuery(StartQuery, FilmQuery):
    """The query of `GET stream`."""


@film.get("/session/full_session.mp4", defaults={"session_id": DEFAULT_SESSION})
@film.get("/sessions/<session_id>/full_session.mp4")
@operation(
    query=FilmQuery,
    answers={200: MP4, 206: MP4, 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(404, 409, 410, 416),
    tag="films",
    scope="watch",
)
def download(session_id: str) -> Response:
    """The committed bytes, or a range of them; the entity tag stays the same as the film grows.

    `?film=` names the expected film: 410 if the session has another one now.
    """
    session = find_session(session_id)
    context().audience.note(session.id)
    with ExitStack() as held:
        film = find_film(session)
        held.enter_context(download_slot())
        reader = held.enter_context(film.reader())
        response = range_response(reader)
        response.call_on_close(held.pop_all().close)
    return response


def range_response(reader: FilmReader) -> Response:
    """Return the requested range of a film; raises RangeNotSatisfiableError."""
    chosen = choose_range(
        request.headers.get("Range"),
        request.headers.get("If-Range"),
        film_id=reader.film_id,
        size=reader.size,
    )
    response = Response(
        reader.chunks(chosen.start, chosen.end),
        status=HTTPStatus.PARTIAL_CONTENT if chosen.is_partial else HTTPStatus.OK,
        mimetype=MP4,
        headers={
            "Content-Length": str(chosen.end - chosen.start),
            "ETag": etag(reader.film_id),
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-store",
        },
    )
    if chosen.is_partial:
        response.headers["Content-Range"] = chosen.content_range
    return response


@film.get("/session/stream", defaults={"session_id": DEFAULT_SESSION})
@film.get("/sessions/<session_id>/stream")
@operation(query=StreamQuery, answers={200: MP4}, problems=(409, 410), tag="films", scope="watch")
def stream(session_id: str) -> Response:
    """The init segment, then fragments until the film is over.

    The fragments start at `?from=` (a byte of the film; 0 is its start), or with the next one. If
    nothing has been said yet, the response starts with the first fragment.
    """
    session = find_session(session_id)
    with ExitStack() as held:
        requested = read_loose_query(StreamQuery).start
        held.enter_context(viewer_slot(session))
        response = live_response(session, requested, held)
        response.call_on_close(held.pop_all().close)
    return response


def live_response(session: Session, requested: int | None, held: ExitStack) -> Response:
    """Return the growing response from byte `requested`; `held` closes its reader."""
    runtime = context().runtime
    if requested is None and runtime.sessions.registry.film(session) is None:
        requested = 0  # the whole film to come
    film = wait_for_film(session)
    start = first_byte(film, requested)
    reader = held.enter_context(film.reader())
    viewer = Viewer(session, film, runtime, request.environ)
    past = reader.chunks(start, reader.size)  # raises for damage before the response starts
    return Response(
        grow(viewer, reader, past, reader.size),
        mimetype=MP4,
        headers={
            "Warmtalk-Film": film.film_id,
            "Warmtalk-Offset": str(start),
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        },
    )


def first_byte(film: FilmWriter, requested: int | None) -> int:
    """Offset of the first fragment at or after byte `requested`, or of the next one if None."""
    size = film.committed.bytes
    later = [] if requested is None else film.fragments_since(max(requested, film.init_bytes))
    return later[0].offset if later else size


def grow(viewer: Viewer, reader: FilmReader, past: Iterator[bytes], end: int) -> Iterator[bytes]:
    """Yield the init segment, the bytes of `past`, which end at byte `end`, and all later ones.

    Ends when the film is over or the viewer is gone, and before bytes that were damaged meanwhile.
    """
    with suppress(FilmDamagedError):  # it was logged, and the session's JSON names it
        yield from reader.chunks(0, viewer.film.init_bytes)
        yield from past
        yield from new_chunks(viewer, reader, end)


def new_chunks(viewer: Viewer, reader: FilmReader, start: int) -> Iterator[bytes]:
    """Yield the bytes that are committed after byte `start`, as they come."""
    while True:
        end = viewer.wait_past(start)
        if end > start:
            yield from reader.chunks(start, end)
            start = end
        elif viewer.is_gone or (viewer.film.is_closed and viewer.is_film_over):
            return
