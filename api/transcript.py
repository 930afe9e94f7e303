"""`GET full_session.vtt`: the spoken sentences, as captions that grow with the film."""

from flask import Blueprint, Response, request

from api.context import context, find_session
from api.operation import operation
from api.viewers import FilmQuery, require_requested
from warm.sessions.paths import DEFAULT_SESSION

WEBVTT = "text/vtt"
EMPTY = "WEBVTT\n"

transcript = Blueprint("transcript", __name__)


@transcript.get("/session/full_session.vtt", defaults={"session_id": DEFAULT_SESSION})
@transcript.get("/sessions/<session_id>/full_session.vtt")
@operation(
    query=FilmQuery,
    answers={200: WEBVTT, 206: WEBVTT, 304: ""},
    headers=("Range", "If-Range", "If-None-Match"),
    problems=(409, 410, 416),
    tag="films",
    scope="watch",
)
def captions(session_id: str) -> Response:
    """A cue for each committed sentence, with the exact times of its frames."""
    runtime = context().runtime
    film = runtime.sessions.registry.film(find_session(session_id))
    if film is None:
        runtime.check_ready()
        return captions_response(EMPTY, "nothing")
    film_id = require_requested(film).film_id
    version = f"{film_id}-{film.committed.frames}"
    return captions_response(context().transcripts.of(film).text(), version)


def captions_response(text: str, version: str) -> Response:
    """Return the captions, or 304 if the client has this version; `version` is the entity tag."""
    response = Response(text, mimetype=WEBVTT, headers={"Cache-Control": "no-cache"})
    response.set_etag(version, weak=True)
    length = len(response.get_data())
    return response.make_conditional(request, accept_ranges=True, complete_length=length)  # type: ignore[return-value]
