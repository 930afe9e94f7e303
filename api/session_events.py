"""`GET events`: growth of the films of a session, as server-sent events."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple
from wsgiref.types import WSGIEnvironment

from flask import Blueprint, Response, request

from api.answers.film_events import FilmEvent, FragmentEvent, ResetEvent
from api.answers.problem import ProblemAnswer
from api.body import read_loose_query, whole_number
from api.context import context, find_session
from api.disconnect import is_disconnected
from api.operation import operation
from api.problem import problem_of
from api.serializers import film_url
from api.sse import EVENT_STREAM, event_stream, sse
from api.viewers import POLL_S, StartQuery, Viewer, viewer_slot
from session.factory import live_film, require_live_writer
from session.film import Cue, Fragment
from session.fragmented.writer import FilmWriter
from warm.runtime import Runtime
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session

RETRY_MS = 1000
"""Delay after which a client reconnects."""
KEEP_ALIVE_POLLS = 15
"""After this many polls without an event a comment is sent, so that proxies keep the connection."""
KEEP_ALIVE = ": nothing new\n\n"

events = Blueprint("events", __name__)


class Position(NamedTuple):
    """Film and byte from which a client receives events."""

    film_id: str | None
    """None: the current film, or the next one."""
    end: int | None
    """First byte that the client has not received; None: the current end."""


@events.get("/session/events", defaults={"session_id": DEFAULT_SESSION})
@events.get("/sessions/<session_id>/events")
@operation(
    query=StartQuery,
    answers={200: EVENT_STREAM},
    headers=("Last-Event-ID",),
    problems=(409,),
    events={
        "film": FilmEvent,
        "fragment": FragmentEvent,
        "reset": ResetEvent,
        "error": ProblemAnswer,
    },
    tag="films",
    scope="watch",
)
def stream(session_id: str) -> Response:
    """`film` for each film, `fragment` for each of its fragments, `reset` when it is over.

    A client that reconnects continues after `Last-Event-ID`; another starts at `?from=` (a byte of
    the film; 0 is its start), or with the next fragment.
    """
    require_live_writer(context().settings.writer)
    with ExitStack() as held:
        session = find_session(session_id)
        held.enter_context(viewer_slot(session))
        feed = EventFeed(session, context().runtime, request.environ)
        response = event_stream(feed.texts(read_position()))
        response.call_on_close(held.pop_all().close)
    return response


def read_position() -> Position:
    """Return the position that the client asks for; an id in another format is ignored."""
    start = read_loose_query(StartQuery).start
    film_id, _, end = request.headers.get("Last-Event-ID", "").partition(":")
    if end.isdecimal():
        return Position(film_id, whole_number("Last-Event-ID", end, least=0))
    return Position(None, start)


class EventFeed:
    """Events of one session for one client. One thread."""

    def __init__(self, session: Session, runtime: Runtime, environ: WSGIEnvironment) -> None:
        self._session = session
        self._runtime = runtime
        self._environ = environ

    def texts(self, position: Position) -> Iterator[str]:
        """Yield the text of the response until the client disconnects or the server stops.

        A failure is the last event.
        """
        yield f"retry: {RETRY_MS}\n\n"
        polls = 0
        try:
            for event in self._films(position):
                polls = 0 if event else polls + 1
                if event:
                    yield event
                elif self._is_gone():
                    return
                elif polls % KEEP_ALIVE_POLLS == 0:
                    yield KEEP_ALIVE
        except Exception as error:  # noqa: BLE001 - the top of a request whose response has started
            yield sse("error", problem_of(error).body())

    def _is_gone(self) -> bool:
        """True if the server stops, the client is gone or the session has moved to another head,
        where the client continues."""
        has_moved = not self._runtime.sessions.registry.ownership.owns(self._session.id)
        return self._runtime.is_stopping or has_moved or is_disconnected(self._environ)

    def _films(self, position: Position) -> Iterator[str | None]:
        """Yield the events of one film after the other; None after a poll without an event."""
        while not self._runtime.wait_until_warm(POLL_S):
            yield None
        while True:
            film = self._runtime.sessions.registry.film(self._session)
            if not self._runtime.sessions.registry.ownership.owns(self._session.id):
                yield None  # no film here, but it is not over
                continue
            if film is None and position.end is None:
                position = Position(None, 0)  # the whole film to come
            if position.film_id is not None and (film is None or film.film_id != position.film_id):
                yield sse("reset", {"film": position.film_id})
                position = Position(None, 0)
            if film is None:
                self._runtime.sessions.registry.wait_for_film(self._session, POLL_S)
                yield None
                continue
            viewer = Viewer(self._session, live_film(film), self._runtime, self._environ)
            yield from self._fragments(viewer, position.end)
            position = Position(film.film_id, 0)

    def _fragments(self, viewer: Viewer, start: int | None) -> Iterator[str | None]:
        """Yield the events of one film, from its first fragment at or after byte `start`."""
        size = viewer.film.wait_past(0, 0)
        end = size if start is None else min(max(start, viewer.film.init_bytes), size)
        film_event = film_event_json(self._session.id, viewer.film, size)
        yield sse("film", film_event, event_id(viewer.film, end))
        while True:
            for fragment in viewer.film.fragments_since(end):
                end = fragment.end
                yield sse(
                    "fragment", fragment_json(fragment, viewer.film), event_id(viewer.film, end)
                )
            if viewer.wait_past(end) > end:
                continue
            if viewer.film.is_closed and viewer.is_film_over:
                return
            yield None


def event_id(film: FilmWriter, end: int) -> str:
    """Id with which a client continues at this byte of the film."""
    return f"{film.film_id}:{end}"


def film_event_json(session_id: str, film: FilmWriter, size: int) -> dict[str, Any]:
    """JSON of a film: what a client needs to fetch it by ranges and play it."""
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


def fragment_json(fragment: Fragment, film: FilmWriter) -> dict[str, Any]:
    """JSON of a committed fragment and the sentences that are heard in it."""
    fps = film.spec.fps
    return {
        "film": film.film_id,
        "offset": fragment.offset,
        "end": fragment.end,
        "first_frame": fragment.first_frame,
        "frames": fragment.frames,
        "start_s": fragment.first_frame / fps,
        "duration_s": fragment.frames / fps,
        "cues": [cue_json(cue, fps) for cue in cues_in(fragment, film.cues())],
    }


def cues_in(fragment: Fragment, cues: list[Cue]) -> list[Cue]:
    """Return the cues that are heard in a fragment, cut at its end."""
    end = fragment.first_frame + fragment.frames
    found = []
    for cue in reversed(cues):
        if cue.end <= fragment.first_frame:
            break
        if cue.first_frame < end:
            frames = min(cue.end, end) - cue.first_frame
            found.append(Cue(text=cue.text, first_frame=cue.first_frame, frames=frames))
    return found[::-1]


def cue_json(cue: Cue, fps: int) -> dict[str, Any]:
    """JSON of a sentence and its time."""
    return {
        "text": cue.text,
        "first_frame": cue.first_frame,
        "frames": cue.frames,
        "start_s": cue.first_frame / fps,
        "end_s": cue.end / fps,
    }
