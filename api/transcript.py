"""`GET full_session.vtt`: what was said, as captions that grow with the film."""

from flask import Blueprint, Response, request

from api.context import find_session, running
from api.viewers import require_wanted
from warm.sessions.paths import DEFAULT_SESSION

WEBVTT = "text/vtt"
NOTHING_SAID = "WEBVTT\n"

transcript = Blueprint("transcript", __name__)


@transcript.get("/session/full_session.vtt", defaults={"session_id": DEFAULT_SESSION})
@transcript.get("/sessions/<session_id>/full_session.vtt")
def captions(session_id: str) -> Response:
    """A cue for each sentence, with the exact times of its frames, up to what is committed."""
    film = running().runtime.sessions.registry.film(find_session(session_id))
    if film is None:
        running().runtime.check_ready()
        return answer(NOTHING_SAID, "nothing")
    film_id = require_wanted(film).film_id
    version = f"{film_id}-{film.committed.frames}"
    return answer(running().transcripts.of(film).text(), version)


def answer(text: str, version: str) -> Response:
    """The captions of a film of so many frames; 304 where the client has these."""
    response = Response(text, mimetype=WEBVTT, headers={"Cache-Control": "no-cache"})
    response.set_etag(version, weak=True)
    length = len(response.get_data())
    return response.make_conditional(request, accept_ranges=True, complete_length=length)  # type: ignore[return-value]
