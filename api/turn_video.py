"""`GET /video/ID`: the part of the film in which a turn was answered."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus
from typing import BinaryIO

from flask import Blueprint, Response, request

from api.client_address import client_address
from api.context import context, find_session
from api.film import MP4
from api.operation import operation
from api.problem import TooManyExports
from api.turns import find_turn
from api.viewers import download_slot
from session.byte_ranges import choose_range, etag
from session.errors import FilmGoneError, FilmMissingError
from session.fragmented.writer import FilmWriter
from session.mp4.part import open_part
from warm.conversation.errors import TurnGone, TurnNotReady
from warm.conversation.turn import Turn

CHUNK_BYTES = 256 * 1024

turn_video = Blueprint("turn_video", __name__)


@turn_video.get("/video/<job_id>")
@operation(
    answers={200: MP4, 206: MP4, 304: ""},
    headers=("Range", "If-Range", "If-Match", "If-None-Match"),
    problems=(409, 410, 416, 507),
    tag="chat",
    scope="watch",
)
def video(job_id: str) -> Response:
    """The answer of a turn as an ordinary MP4 file, copied from the film of its session."""
    turn = find_turn(job_id)
    require_video(turn)
    with ExitStack() as held:
        held.enter_context(download_slot())
        response = part_response(turn, held)
        response.call_on_close(held.pop_all().close)
    return response


def part_response(turn: Turn, held: ExitStack) -> Response:
    """Return the part of the film, or the requested range of it; `held` closes the file."""
    session = find_session(turn.session_id)
    with context().exports.hold(client_address(), TooManyExports):
        try:
            file = held.enter_context(open_part(session.path, turn.first_frame, turn.frames))
        except (FilmGoneError, FilmMissingError):
            raise TurnGone(turn.id) from None
    size, version = os.fstat(file.fileno()).st_size, f"{turn.id}-{turn.frames}"
    ranges = request.headers.get("Range"), request.headers.get("If-Range")
    chosen = choose_range(*ranges, film_id=version, size=size)
    response = Response(
        chunks(file, chosen.start, chosen.end),
        status=HTTPStatus.PARTIAL_CONTENT if chosen.is_partial else HTTPStatus.OK,
        mimetype=MP4,
        headers={
            "Content-Length": str(chosen.end - chosen.start),
            "ETag": etag(version),
            "Accept-Ranges": "bytes",
            "Cache-Control": "no-store",
        },
    )
    if chosen.is_partial:
        response.headers["Content-Range"] = chosen.content_range
    return response


def chunks(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """Yield a range of a file."""
    file.seek(start)
    while start < end and (chunk := file.read(min(CHUNK_BYTES, end - start))):
        start += len(chunk)
        yield chunk


def require_video(turn: Turn) -> None:
    """Raise TurnNotReady and TurnGone unless the film of a session still has a turn."""
    if turn.is_reset:
        raise TurnGone(turn.id)
    if not turn.has_video:
        raise TurnNotReady(turn.id, turn.state, turn.error.description if turn.error else "")
    film = context().runtime.sessions.registry.film(find_session(turn.session_id))
    is_other = isinstance(film, FilmWriter) and film.film_id != turn.film_id
    if film is None or is_other:
        raise TurnGone(turn.id)
