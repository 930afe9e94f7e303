"""`POST /interrupt`: somebody talks into what is being said."""

from typing import Any

from flask import Blueprint

from api.body import Body, read_body_or_query
from api.context import find_session, running
from warm.render.jobs import InterruptResult
from warm.sessions.paths import DEFAULT_SESSION

interrupting = Blueprint("interrupt", __name__)


class InterruptBody(Body):
    """The body or query of `POST /interrupt`."""

    session_id: str = DEFAULT_SESSION


@interrupting.post("/interrupt")
def interrupt() -> dict[str, Any]:
    """Stop what is said in a session; answers when the end of the film is on disk."""
    session = find_session(read_body_or_query(InterruptBody).session_id)
    return describe(running().runtime.interrupt(session))


def describe(met: InterruptResult) -> dict[str, Any]:
    """Where the film ends now, and how far somebody who watches it has come."""
    position_s = met.frame / met.fps
    said = "was not speaking"
    if met.interrupted:
        said = f"was interrupted at {position_s:.2f} s"
    elif met.dropped:
        said = f"had begun nothing; requests that waited and fail now: {met.dropped}"
    return {
        "status": "success",
        "session_id": met.session_id,
        "interrupted": met.interrupted,
        "position_s": position_s,
        "frame": met.frame,
        "dropped": met.dropped,
        "played_s": round(met.played / met.fps, 3),
        "message": f"session {met.session_id!r} {said}",
    }
