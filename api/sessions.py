"""Sessions: make, look, list, reset, delete."""

import secrets
from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, request
from pydantic import Field
from werkzeug.exceptions import MethodNotAllowed

from api.body import Body, check, read_body_or_query
from api.context import find_session, running
from api.serializers import describe_archived, describe_session, session_url
from warm.sessions.errors import UnknownSession
from warm.sessions.paths import DEFAULT_SESSION
from warm.sessions.session import Session

sessions = Blueprint("sessions", __name__)


class SessionQuery(Body):
    """The query of a request that needs a session and nothing more."""

    session_id: str = DEFAULT_SESSION


class ClipsQuery(Body):
    """The query of `GET /sessions/ID`."""

    clips_from: Annotated[int, Field(ge=0, strict=False)] = 0


class LookQuery(ClipsQuery, SessionQuery):
    """The query of `GET /session`."""


class Choosing(Body):
    """What a session may choose; null follows the settings again."""

    avatar_id: str | None = None
    voice: str | None = None
    language: str | None = None
    speed: float | None = None

    def named(self) -> dict[str, Any]:
        """What the request says, and nothing that it leaves out."""
        return {name: getattr(self, name) for name in CHOICES if name in self.model_fields_set}


CHOICES = tuple(Choosing.model_fields)


class CreateBody(Choosing):
    """The body of `POST /sessions`."""

    session_id: str | None = None


class ResetBody(Choosing):
    """The body of `POST /reset`."""

    session_id: str = DEFAULT_SESSION


@sessions.get("/session")
def look() -> dict[str, Any]:
    """The state of one session, whether something was said in it or not."""
    query = check(LookQuery, request.args.to_dict())
    return describe(find_session(query.session_id), query.clips_from)


@sessions.get("/sessions/<session_id>")
def look_at(session_id: str) -> dict[str, Any]:
    """The state of one session that exists."""
    session = find_registered(session_id)
    return describe(session, check(ClipsQuery, request.args.to_dict()).clips_from)


@sessions.get("/sessions")
def list_all() -> dict[str, Any]:
    """Every session that somebody has made or spoken in."""
    runtime = running().runtime
    return {
        "sessions": [describe_session(each, runtime) for each in runtime.sessions.registry.all()]
    }


@sessions.post("/sessions")
def create() -> Response:
    """Make a session that has its own avatar and voice; 200 where it exists with the same."""
    body = read_body_or_query(CreateBody)
    session = find_session(body.session_id or secrets.token_hex(8))
    session, is_new = running().runtime.create(session, body.named())
    response = jsonify(describe(session))
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = session_url(session.id)
    return response


@sessions.delete("/sessions/<session_id>")
def delete(session_id: str) -> dict[str, Any]:
    """End a session that exists and delete its film; what was archived of it stays."""
    running().runtime.remove(find_registered(session_id))
    return ended(session_id, "was deleted")


@sessions.get("/reset")
def reset_by_query() -> dict[str, Any]:
    """End a conversation; the next one begins with an empty film."""
    if request.method == "HEAD":  # which Flask adds to GET, and which must change nothing
        raise MethodNotAllowed(["GET", "POST", "OPTIONS"])
    return reset(check(SessionQuery, request.args.to_dict()).session_id, {})


@sessions.post("/reset")
def reset_by_body() -> dict[str, Any]:
    """As `GET /reset`; the session may choose another avatar and voice."""
    body = read_body_or_query(ResetBody)
    return reset(body.session_id, body.named())


def reset(session_id: str, named: dict[str, Any]) -> dict[str, Any]:
    """End the conversation of a session."""
    runtime = running().runtime
    name = runtime.reset(find_session(session_id), named)
    archived = runtime.archive.find(session_id, name) if name is not None else None
    kept = describe_archived(archived) if archived is not None else None
    return ended(session_id, "is empty") | {"archive": kept}


def ended(session_id: str, message: str) -> dict[str, Any]:
    """The answer when a film is gone from its path."""
    return {
        "status": "success",
        "session_id": session_id,
        "message": f"session {session_id!r} {message}",
    }


def find_registered(session_id: str) -> Session:
    """Return the session of this id; raises BadSessionId and UnknownSession."""
    session = find_session(session_id)
    if session.id not in running().runtime.sessions.registry:
        raise UnknownSession(session_id)
    return session


def describe(session: Session, clips_from: int = 0) -> dict[str, Any]:
    """A session as JSON."""
    return describe_session(session, running().runtime, clips_from=clips_from)
