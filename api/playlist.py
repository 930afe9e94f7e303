"""`GET live.m3u8`: the growing film as an HLS playlist, with blocking reloads (RFC 8216bis)."""

import time
from contextlib import ExitStack
from http import HTTPStatus

from flask import Blueprint, Response, request
from pydantic import Field
from werkzeug.exceptions import ClientDisconnected

from api.body import MAX_NUMBER, read_loose_query
from api.context import context, find_session
from api.operation import operation
from api.problem import BadQuery
from api.viewers import POLL_S, FilmQuery, Viewer, require_here, viewer_slot, wait_for_film
from session.fragmented.writer import FilmWriter
from session.hls import LEAST_WINDOW, Playlist
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session

MPEGURL = "application/vnd.apple.mpegurl"
HOLD_S = 9.0
"""Longest wait of a reload for a new segment; hls.js gives up after 10 s by default."""
MAX_AHEAD = 2
"""Segments after the last one that a reload may wait for (RFC 8216bis, 6.2.5.2)."""
PACK_FROM_BYTES = 16_384
"""Shorter playlists are sent uncompressed."""

playlist = Blueprint("playlist", __name__)


class PlaylistQuery(FilmQuery):
    """The query of a player. Unknown HLS directives are ignored, as required."""

    segment: int | None = Field(
        None,
        alias="_HLS_msn",
        ge=0,
        le=MAX_NUMBER,
        description="Answer once the playlist has the segment of this number.",
    )
    part: str | None = Field(
        None, alias="_HLS_part", description="Ignored; only allowed with `_HLS_msn`."
    )
    skip: str | None = Field(
        None, alias="_HLS_skip", description="`YES` or `v2`: list only what is new."
    )
    window: int | None = Field(
        None, ge=LEAST_WINDOW, le=MAX_NUMBER, description="Number of the newest segments to list."
    )

    @property
    def wants_delta(self) -> bool:
        """True if the player has the playlist and wants only what is new."""
        return self.skip in ("YES", "v2")


@playlist.get("/session/live.m3u8", defaults={"session_id": DEFAULT_SESSION})
@playlist.get("/sessions/<session_id>/live.m3u8")
@operation(
    query=PlaylistQuery,
    answers={200: MPEGURL, 304: ""},
    headers=("If-Match", "If-None-Match"),
    problems=(409, 410),
    tag="films",
    scope="watch",
)
def live(session_id: str) -> Response:
    """The current playlist; for a player that already has it, the next one.

    If nothing has been said yet, the response waits for the first fragment.
    """
    query, session = read_playlist_query(), find_session(session_id)
    context().audience.note(session.id)
    with ExitStack() as held:
        if not has_frames(session):
            held.enter_context(viewer_slot(session))
        viewer = wait_for_first_fragment(session)
    count = playlist_for(viewer).count()
    needed = needed_segments(query, viewer, count)
    if count < needed and not viewer.is_film_over:
        with viewer_slot(session):
            wait_for_segments(viewer, needed)
    return playlist_response(query, viewer)


def make_playlist(longest_frames: int, film: FilmWriter) -> Playlist:
    """Return a film's playlist. Its URI names the film, so that it never mixes two films."""
    uri = f"full_session.mp4?film={film.film_id}"
    return Playlist(film, uri=uri, longest_frames=longest_frames)


def read_playlist_query() -> PlaylistQuery:
    """Return the query; raises BadQuery."""
    query = read_loose_query(PlaylistQuery)
    if query.segment is None and query.part is not None:
        raise BadQuery("_HLS_part", query.part, "only allowed with _HLS_msn")
    return query


def has_frames(session: Session) -> bool:
    """True if the session has a film that is not empty."""
    film = context().runtime.sessions.registry.film(session)
    return film is not None and film.committed.frames > 0


def wait_for_first_fragment(session: Session) -> Viewer:
    """Return a viewer of the session's film, once it has a fragment."""
    while True:
        film = wait_for_film(session)
        viewer = Viewer(session, film, context().runtime, request.environ)
        while not viewer.is_film_over:
            if viewer.wait_past(film.init_bytes) > film.init_bytes:
                return viewer
            require_viewer(viewer)


def require_viewer(viewer: Viewer) -> None:
    """Raise NotReady if the server stops, HeldElsewhere if the session has moved to another head,
    ClientDisconnected if the client is gone."""
    if viewer.is_gone:
        require_here(viewer.session)
        context().runtime.check_ready()
        raise ClientDisconnected


def playlist_for(viewer: Viewer) -> Playlist:
    """Return the playlist of a viewer's film."""
    return context().playlists.of(viewer.film)


def needed_segments(query: PlaylistQuery, viewer: Viewer, count: int) -> int:
    """Return the number of segments to wait for: more than `count` if the player has those.

    Raises BadQuery.
    """
    if query.segment is None:
        return count + has_playlist(viewer, count)
    if query.segment >= count + MAX_AHEAD:
        allowed = f"the newest segment is {count - 1}; ask for {count} or {count + 1}"
        raise BadQuery("_HLS_msn", str(query.segment), allowed)
    return query.segment + 1


def wait_for_segments(viewer: Viewer, needed: int) -> None:
    """Wait until there are `needed` segments, the film is over, or HOLD_S have passed."""
    deadline = time.monotonic() + HOLD_S
    while (left_s := deadline - time.monotonic()) > 0:
        current = playlist_for(viewer)
        if current.count() >= needed or viewer.is_film_over:
            return
        require_viewer(viewer)
        viewer.wait_past(current.end, min(left_s, POLL_S))


def playlist_response(query: PlaylistQuery, viewer: Viewer) -> Response:
    """Return the playlist, or 304 if the player has it."""
    is_ended = viewer.is_film_over  # read before the count, which is then final
    current = playlist_for(viewer)
    count = current.count()
    if not is_ended and has_playlist(viewer, count):
        response = Response(status=HTTPStatus.NOT_MODIFIED)
    else:
        response = requested_part(query, current, count, is_ended=is_ended)
    response.set_etag(playlist_tag(viewer, count), weak=True)
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept-Encoding")
    return response


def requested_part(
    query: PlaylistQuery, current: Playlist, count: int, *, is_ended: bool
) -> Response:
    """Return the whole playlist, its new part, or its window."""
    if query.window is not None:
        return Response(current.window(count, query.window, is_ended=is_ended), mimetype=MPEGURL)
    if query.wants_delta:
        return Response(current.delta(count, is_ended=is_ended), mimetype=MPEGURL)
    whole = current.whole(count, is_ended=is_ended)
    if len(whole.plain) < PACK_FROM_BYTES or not request.accept_encodings.quality("gzip"):
        return Response(whole.plain, mimetype=MPEGURL)
    return Response(whole.packed, mimetype=MPEGURL, headers={"Content-Encoding": "gzip"})


def playlist_tag(viewer: Viewer, count: int) -> str:
    """Entity tag of a playlist with `count` segments."""
    return f"{viewer.film.film_id}-{count}"


def has_playlist(viewer: Viewer, count: int) -> bool:
    """True if the player has the playlist with `count` segments."""
    return request.if_none_match.contains_weak(playlist_tag(viewer, count))
