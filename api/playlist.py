"""`GET live.m3u8`: the growing film as an HLS playlist, which players need not ask for in vain."""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, Response, request
from werkzeug.exceptions import ClientDisconnected

from api.context import find_session, running
from api.problem import BadQuery
from api.query import read_number
from api.viewers import LOOK_S, Watched, place, wait_for_film
from session.fragmented.writer import FilmWriter
from session.hls import LEAST_WINDOW, Playlist
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session

MPEGURL = "application/vnd.apple.mpegurl"
HOLD_S = 9.0
"""How long a reload waits for something new; hls.js gives up after 10 s, unless told otherwise."""
MOST_AHEAD = 2
"""Segments behind the last one that a reload may wait for (RFC 8216bis, 6.2.5.2)."""
PACK_FROM_BYTES = 16_384
"""Shorter lists are sent as they are."""

playlist = Blueprint("playlist", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a player asks for."""

    segment: int | None
    """Answer once the list has the segment of this number (`_HLS_msn`)."""
    wants_delta: bool
    """The player has the list, but for what is new (`_HLS_skip`)."""
    window: int | None
    """No more than so many of the newest segments."""


@playlist.get("/session/live.m3u8", defaults={"session_id": DEFAULT_SESSION})
@playlist.get("/sessions/<session_id>/live.m3u8")
def live(session_id: str) -> Response:
    """The list as it is; for a player that has this one, as it will be next.

    While nothing has been said there is no answer yet: it comes with the first fragment.
    """
    asked, session = read_query(), find_session(session_id)
    with ExitStack() as held:
        if not is_begun(session):
            held.enter_context(place())
        watched = wait_for_beginning(session)
    count = listing(watched).count()
    needed = least_segments(asked, watched, count)
    if count < needed and not watched.is_over:
        with place():
            wait_for_segments(watched, needed)
    return answer(asked, watched)


def playlist_of(longest_frames: int, film: FilmWriter) -> Playlist:
    """A film's playlist. It names the film, so that nobody gets bytes of another one."""
    uri = f"full_session.mp4?film={film.film_id}"
    return Playlist(film, uri=uri, longest_frames=longest_frames)


def read_query() -> Asked:
    """What the query says; raises BadQuery. Directives of HLS that we do not know are passed over,
    as they must be."""
    segment = read_number("_HLS_msn", least=0)
    if segment is None and "_HLS_part" in request.args:
        raise BadQuery("_HLS_part", request.args["_HLS_part"], "only allowed with _HLS_msn")
    return Asked(
        segment=segment,
        wants_delta=request.args.get("_HLS_skip") in ("YES", "v2"),
        window=read_number("window", least=LEAST_WINDOW),
    )


def is_begun(session: Session) -> bool:
    """Whether there is a film with anything in it."""
    film = running().runtime.sessions.registry.film(session)
    return film is not None and film.committed.frames > 0


def wait_for_beginning(session: Session) -> Watched:
    """The film of a session, once it has a fragment."""
    runtime = running().runtime
    while True:
        film = wait_for_film(session)
        watched = Watched(session, film, runtime, request.environ)
        while not watched.is_over:
            if watched.wait_past(film.init_bytes) > film.init_bytes:
                return watched
            leave_if_left(watched)


def leave_if_left(watched: Watched) -> None:
    """Raise NotReady where the server stops, ClientDisconnected where nobody waits any more."""
    if watched.is_left:
        running().runtime.check_ready()
        raise ClientDisconnected


def listing(watched: Watched) -> Playlist:
    """The playlist of a film."""
    return running().playlists.of(watched.film)


def least_segments(asked: Asked, watched: Watched, count: int) -> int:
    """How many segments the answer should have: more than `count`, where the player has these."""
    if asked.segment is None:
        return count + is_known(watched, count)
    if asked.segment >= count + MOST_AHEAD:
        known = f"the newest segment is {count - 1}; ask for {count} or {count + 1}"
        raise BadQuery("_HLS_msn", str(asked.segment), known)
    return asked.segment + 1


def wait_for_segments(watched: Watched, needed: int) -> None:
    """Wait until there are so many, the film is over, or HOLD_S have passed."""
    deadline = time.monotonic() + HOLD_S
    while (left_s := deadline - time.monotonic()) > 0:
        listed = listing(watched)
        if listed.count() >= needed or watched.is_over:
            return
        leave_if_left(watched)
        watched.wait_past(listed.end, min(left_s, LOOK_S))


def answer(asked: Asked, watched: Watched) -> Response:
    """The list, or 304 where the player has it."""
    is_ended = watched.is_over  # before the segments are counted: all of them are there then
    listed = listing(watched)
    count = listed.count()
    if not is_ended and is_known(watched, count):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = list_as_asked(asked, listed, count, is_ended=is_ended)
    response.set_etag(tag_of(watched, count), weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept-Encoding")
    return response


def list_as_asked(asked: Asked, listed: Playlist, count: int, *, is_ended: bool) -> Response:
    """The whole list, what is new of it, or its end."""
    if asked.window is not None:
        return Response(listed.window(count, asked.window, is_ended=is_ended), mimetype=MPEGURL)
    if asked.wants_delta:
        return Response(listed.delta(count, is_ended=is_ended), mimetype=MPEGURL)
    whole = listed.whole(count, is_ended=is_ended)
    if len(whole.plain) < PACK_FROM_BYTES or not request.accept_encodings.quality("gzip"):
        return Response(whole.plain, mimetype=MPEGURL)
    return Response(whole.packed, mimetype=MPEGURL, headers={"Content-Encoding": "gzip"})


def tag_of(watched: Watched, count: int) -> str:
    """What a list of so many segments is known by."""
    return f"{watched.film.film_id}-{count}"


def is_known(watched: Watched, count: int) -> bool:
    """Whether the player says that it has the list of so many segments."""
    return request.if_none_match.contains_weak(tag_of(watched, count))
