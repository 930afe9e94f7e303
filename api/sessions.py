"""Sessions: look, list, reset, delete."""

from typing import Any

from flask import Blueprint, request

from api.body import Body, check, read_body
from api.describe import describe_film
from api.running import running
from warm.session_errors import UnknownSession
from warm.sessions import DEFAULT_SESSION

sessions = Blueprint("sessions", __name__)


class SessionBody(Body):
    """The body of a request that needs a session and nothing more."""

    session_id: str = DEFAULT_SESSION


@sessions.get("/session")
def look() -> dict[str, Any]:
    """The state of one session, whether something was said in it or not."""
    session_id = check(SessionBody, request.args.to_dict()).session_id
    return describe(session_id)


@sessions.get("/sessions/<session_id>")
def look_at(session_id: str) -> dict[str, Any]:
    """The state of one session that exists."""
    running().runtime.sessions.find(session_id)
    return describe(session_id)


@sessions.get("/sessions")
def list_all() -> dict[str, Any]:
    """Every session in which something was said."""
    parts = running().runtime
    return {
        "sessions": [
            describe_film(session_id, film, parts.avatar)
            for session_id, film in parts.sessions.all()
        ]
    }


@sessions.delete("/sessions/<session_id>")
def delete(session_id: str) -> dict[str, Any]:
    """End a session that exists and delete its film."""
    runtime = running().runtime
    if not runtime.sessions.exists(session_id):
        raise UnknownSession(session_id)
    runtime.remove(session_id)
    return removed(session_id, "was deleted")


@sessions.get("/reset")
def reset_by_query() -> dict[str, Any]:
    """End a conversation; the next one begins with an empty film."""
    return reset(check(SessionBody, request.args.to_dict()))


@sessions.post("/reset")
def reset_by_body() -> dict[str, Any]:
    """As `GET /reset`; the session is named in the query, in a JSON body, or not at all."""
    if request.content_length:
        return reset(read_body(SessionBody))
    return reset_by_query()


def reset(body: SessionBody) -> dict[str, Any]:
    """End the session that `body` names."""
    running().runtime.remove(body.session_id)
    return removed(body.session_id, "is empty")


def removed(session_id: str, message: str) -> dict[str, Any]:
    """The answer when a film is gone."""
    return {
        "status": "success",
        "session_id": session_id,
        "message": f"session {session_id!r} {message}",
    }


def describe(session_id: str) -> dict[str, Any]:
    """A session's film as JSON."""
    runtime = running().runtime
    film = runtime.sessions.get(session_id)
    return describe_film(session_id, film, runtime.avatar)
