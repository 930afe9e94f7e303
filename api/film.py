"""The growing film over HTTP: byte ranges of what is committed, and one stream that grows."""

from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus

from flask import Blueprint, Response, request

from api.context import find_session, running
from api.query import read_number
from api.viewers import Watched, find_film, place, wait_for_film
from session.byte_ranges import choose_range, etag
from session.fragmented.writer import FilmWriter
from session.reader import FilmReader
from warm.sessions.paths import DEFAULT_SESSION

MP4 = "video/mp4"

film = Blueprint("film", __name__)


@film.get("/session/full_session.mp4", defaults={"session_id": DEFAULT_SESSION})
@film.get("/sessions/<session_id>/full_session.mp4")
def download(session_id: str) -> Response:
    """The committed bytes, or a range of them; the entity tag survives growth.

    `?film=` names the film that is meant: 410 where the session has another one by now.
    """
    with ExitStack() as held:
        reader = held.enter_context(find_film(find_session(session_id)).reader())
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
                "Cache-Control": "no-cache",
            },
        )
        if chosen.is_partial:
            response.headers["Content-Range"] = chosen.content_range
        response.call_on_close(held.pop_all().close)
    return response


@film.get("/session/stream", defaults={"session_id": DEFAULT_SESSION})
@film.get("/sessions/<session_id>/stream")
def stream(session_id: str) -> Response:
    """The init segment, then fragments for as long as the film may go on.

    They begin at `?from=` (a byte of the film; 0 is its beginning), or with what comes next. While
    nothing has been said there is no answer yet: it comes with the first fragment.
    """
    runtime, session = running().runtime, find_session(session_id)
    with ExitStack() as held:
        wanted = read_number("from", least=0)
        held.enter_context(place())
        if wanted is None and runtime.sessions.registry.film(session) is None:
            wanted = 0  # all of what is to come
        film = wait_for_film(session)
        start = place_to_begin(film, wanted)
        reader = held.enter_context(film.reader())
        response = Response(
            grow(Watched(session, film, runtime, request.environ), reader, start),
            mimetype=MP4,
            headers={
                "Warmtalk-Film": film.film_id,
                "Warmtalk-Offset": str(start),
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            },
        )
        response.call_on_close(held.pop_all().close)
    return response


def place_to_begin(film: FilmWriter, wanted: int | None) -> int:
    """The first fragment at byte `wanted` or later; None means the one to come."""
    size = film.committed.bytes
    later = [] if wanted is None else film.fragments_since(max(wanted, film.init_bytes))
    return later[0].offset if later else size


def grow(watched: Watched, reader: FilmReader, start: int) -> Iterator[bytes]:
    """The init segment, then committed bytes from `start` on, until film, reader or server end."""
    yield from reader.chunks(0, watched.film.init_bytes)
    while True:
        end = watched.wait_past(start)
        if end > start:
            yield from reader.chunks(start, end)
            start = end
        elif watched.is_left or (watched.film.is_closed and watched.is_over):
            return
