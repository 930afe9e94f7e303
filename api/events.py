"""`GET events`: how far each film of a session is committed, as server-sent events."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple
from wsgiref.types import WSGIEnvironment

from flask import Blueprint, Response, request, stream_with_context

from api.context import find_session, running
from api.disconnect import is_gone
from api.problem import problem_of
from api.query import read_number
from api.serializers import film_url
from api.viewers import LOOK_S, Watched, place
from session.factory import live_film, require_live_writer
from session.film import Cue, Fragment
from session.fragmented.writer import FilmWriter
from warm.runtime import Runtime
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session

RETRY_MS = 1000
"""How long a client waits before it connects again."""
KEEP_ALIVE_LOOKS = 15
"""After so many looks without news a comment is sent, so that no proxy takes the line for dead."""
KEEP_ALIVE = ": nothing new\n\n"

events = Blueprint("events", __name__)


class Position(NamedTuple):
    """Where in which film a client is."""

    film_id: str | None
    """None: in whichever comes."""
    end: int | None
    """First byte that it has not been told of; None: what comes from now on."""


@events.get("/session/events", defaults={"session_id": DEFAULT_SESSION})
@events.get("/sessions/<session_id>/events")
def tell(session_id: str) -> Response:
    """`film` for each film, `fragment` for each of its fragments, `reset` when it is over.

    A client that was cut off goes on behind `Last-Event-ID`; another begins at `?from=` (a byte of
    the film; 0 is its beginning), or with what comes next.
    """
    parts = running()
    require_live_writer(parts.settings.writer)
    with ExitStack() as held:
        held.enter_context(place())
        told = Telling(find_session(session_id), parts.runtime, request.environ)
        response = Response(
            stream_with_context(told.lines(read_position())),
            mimetype="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        response.call_on_close(held.pop_all().close)
    return response


def read_position() -> Position:
    """Where the client wants to go on. An id that is not ours means nothing, as in any stream."""
    film_id, _, end = request.headers.get("Last-Event-ID", "").partition(":")
    if end.isdecimal():
        return Position(film_id, int(end))
    return Position(None, read_number("from", least=0))


class Telling:
    """One client's events; one thread."""

    def __init__(self, session: Session, runtime: Runtime, environ: WSGIEnvironment) -> None:
        self._session = session
        self._runtime = runtime
        self._environ = environ

    def lines(self, position: Position) -> Iterator[str]:
        """The text of the answer, until the client goes away or the server stops; a failure is
        the last event."""
        yield f"retry: {RETRY_MS}\n\n"
        looks = 0
        try:
            for event in self._films(position):
                looks = 0 if event else looks + 1
                if event:
                    yield event
                elif self._runtime.is_stopping or is_gone(self._environ):
                    return
                elif looks % KEEP_ALIVE_LOOKS == 0:
                    yield KEEP_ALIVE
        except Exception as error:  # noqa: BLE001 - the top of a request whose answer has begun
            yield sse("error", problem_of(error).body())

    def _films(self, position: Position) -> Iterator[str | None]:
        """The events of one film after the other; None when a look found nothing."""
        while not self._runtime.wait_until_warm(LOOK_S):
            yield None
        while True:
            film = self._runtime.sessions.registry.film(self._session)
            if film is None and position.end is None:
                position = Position(None, 0)  # all of what is to come
            if position.film_id is not None and (film is None or film.film_id != position.film_id):
                yield sse("reset", {"film": position.film_id})
                position = Position(None, 0)
            if film is None:
                self._runtime.sessions.registry.wait_for_film(self._session, LOOK_S)
                yield None
                continue
            watched = Watched(self._session, live_film(film), self._runtime, self._environ)
            yield from self._fragments(watched, position.end)
            position = Position(film.film_id, 0)

    def _fragments(self, watched: Watched, wanted: int | None) -> Iterator[str | None]:
        """The events of one film, from its fragment at byte `wanted` or behind it."""
        size = watched.film.wait_past(0, 0)
        end = size if wanted is None else min(max(wanted, watched.film.init_bytes), size)
        yield sse("film", describe_film(self._session.id, watched.film, size), id_of(watched, end))
        while True:
            for fragment in watched.film.fragments_since(end):
                end = fragment.end
                yield sse("fragment", describe(fragment, watched.film), id_of(watched, end))
            if watched.wait_past(end) > end:
                continue
            if watched.film.is_closed and watched.is_over:
                return
            yield None


def sse(name: str, data: dict[str, Any], event_id: str | None = None) -> str:
    """One server-sent event."""
    known_as = "" if event_id is None else f"id: {event_id}\n"
    return f"event: {name}\n{known_as}data: {json.dumps(data)}\n\n"


def id_of(watched: Watched, end: int) -> str:
    """What a client gives back to go on at this byte of the film."""
    return f"{watched.film.film_id}:{end}"


def describe_film(session_id: str, film: FilmWriter, size: int) -> dict[str, Any]:
    """What a client needs to fetch and play a film by ranges."""
    width, height = film.spec.coded_size
    return {
        "film": film.film_id,
        "url": f"{film_url(session_id)}?film={film.film_id}",
        "codecs": film.codecs,
        "width": width,
        "height": height,
        "fps": film.spec.fps,
        "init_bytes": film.init_bytes,
        "bytes": size,
    }


def describe(fragment: Fragment, film: FilmWriter) -> dict[str, Any]:
    """A fragment that can be fetched, and the sentences that are heard in it."""
    fps = film.spec.fps
    return {
        "film": film.film_id,
        "offset": fragment.offset,
        "end": fragment.end,
        "first_frame": fragment.first_frame,
        "frames": fragment.frames,
        "start_s": fragment.first_frame / fps,
        "duration_s": fragment.frames / fps,
        "cues": [describe_cue(cue, fps) for cue in cues_in(fragment, film.cues())],
    }


def cues_in(fragment: Fragment, cues: list[Cue]) -> list[Cue]:
    """The sentences that are heard in a fragment, as far as they are known at its end."""
    end = fragment.first_frame + fragment.frames
    found = []
    for cue in reversed(cues):
        if cue.end <= fragment.first_frame:
            break
        if cue.first_frame < end:
            frames = min(cue.end, end) - cue.first_frame
            found.append(Cue(text=cue.text, first_frame=cue.first_frame, frames=frames))
    return found[::-1]


def describe_cue(cue: Cue, fps: int) -> dict[str, Any]:
    """A sentence and when it is heard."""
    return {
        "text": cue.text,
        "first_frame": cue.first_frame,
        "frames": cue.frames,
        "start_s": cue.first_frame / fps,
        "end_s": cue.end / fps,
    }
