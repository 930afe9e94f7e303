"""Sessions: create, show, list, reset, delete."""

import secrets
from contextlib import suppress
from typing import Annotated, Any

from flask import Blueprint, Response, g, jsonify, request
from pydantic import Field
from werkzeug.exceptions import MethodNotAllowed

from api.answers.sessions import ResetAnswer, SessionAnswer, SessionsAnswer, SuccessAnswer
from api.body import Body, read_body_or_query, read_query
from api.context import context, find_session
from api.example import example
from api.operation import operation
from api.serializers import archive_json, session_json, session_url
from session.errors import FilmBusyError
from warm.heads.errors import HeldElsewhere
from warm.sessions.errors import UnknownSession
from warm.sessions.paths import DEFAULT_SESSION, stored_ids
from warm.sessions.session import Session

CREDENTIALS = frozenset(("authorization", "x-api-key", "cookie"))
"""Headers with the key or login of a request, which other heads check, too."""

sessions = Blueprint("sessions", __name__)


class SessionQuery(Body):
    """The query of a request that names a session."""

    session_id: str = DEFAULT_SESSION


class ClipsQuery(Body):
    """The query of `GET /sessions/ID`."""

    clips_from: Annotated[int, Field(ge=0)] = 0


class ShowQuery(ClipsQuery, SessionQuery):
    """The query of `GET /session`."""


class ChoicesBody(Body):
    """Choices of a session; null follows the settings."""

    avatar_id: str | None = None
    voice: str | None = None
    language: str | None = None
    speed: float | None = None

    def named(self) -> dict[str, Any]:
        """Return the choices that the request names."""
        return {name: getattr(self, name) for name in CHOICES if name in self.model_fields_set}


CHOICES = tuple(ChoicesBody.model_fields)


class CreateBody(ChoicesBody):
    """The body of `POST /sessions`."""

    model_config = example(session_id="paris", language="fr", speed=1.1)

    session_id: str | None = None


class ResetBody(ChoicesBody):
    """The body of `POST /reset`."""

    model_config = example(session_id="paris")

    session_id: str = DEFAULT_SESSION


@sessions.get("/session")
@operation(query=ShowQuery, answers={200: SessionAnswer}, tag="sessions", scope="watch")
def show() -> dict[str, Any]:
    """The state of one session, whether it exists or not."""
    query = read_query(ShowQuery)
    session = find_session(query.session_id)
    return session_json(session, context().runtime, clips_from=query.clips_from)


@sessions.get("/sessions/<session_id>")
@operation(query=ClipsQuery, answers={200: SessionAnswer}, tag="sessions", scope="watch")
def show_existing(session_id: str) -> dict[str, Any]:
    """The state of one session that exists."""
    session, query = require_session(session_id), read_query(ClipsQuery)
    return session_json(session, context().runtime, clips_from=query.clips_from)


@sessions.get("/sessions")
@operation(answers={200: SessionsAnswer}, tag="sessions", scope="watch")
def list_all() -> dict[str, Any]:
    """All sessions that exist, at all heads."""
    runtime = context().runtime
    others = sessions_elsewhere()
    if others is not None:
        claim_unclaimed({str(each["session_id"]) for each in others})
    every = [session_json(session, runtime) for session in runtime.sessions.registry.all()]
    return {"sessions": sorted([*every, *(others or ())], key=lambda each: str(each["session_id"]))}


def sessions_elsewhere() -> list[dict[str, Any]] | None:
    """Return the sessions of the other heads; None if no head is to be asked."""
    heads = context().heads
    if heads is None or g.is_passed:
        return None
    sent = {name: value for name, value in request.headers if name.lower() in CREDENTIALS}
    answers = (heads.peers.get(head, "/sessions", sent) for head in heads.others())
    return [each for answer in answers if answer for each in answer.get("sessions", ())]


def claim_unclaimed(known: set[str]) -> None:
    """Claim the sessions on disk that belong to no head, so that they are listed."""
    registry = context().runtime.sessions.registry
    for session_id in stored_ids(registry.results):
        if session_id not in known and session_id not in registry:
            with suppress(HeldElsewhere, OSError, FilmBusyError):
                registry.lookup(session_id)


@sessions.post("/sessions")
@operation(
    body=CreateBody,
    query=CreateBody,
    answers={200: SessionAnswer, 201: SessionAnswer},
    problems=(404, 409, 507),
    tag="sessions",
    scope="speak",
)
def create() -> Response:
    """Create a session with an avatar and a voice; 200 if it already exists."""
    body, runtime = read_body_or_query(CreateBody), context().runtime
    session = find_session(body.session_id or secrets.token_hex(8))
    session, is_new = runtime.create(session, body.named())
    response = jsonify(session_json(session, runtime))
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = session_url(session.id)
    return response


@sessions.delete("/sessions/<session_id>")
@operation(answers={200: SuccessAnswer}, problems=(409, 507), tag="sessions", scope="speak")
def delete(session_id: str) -> dict[str, Any]:
    """Delete a session that exists and its film; its archives stay."""
    session = require_session(session_id)
    with context().conversations.ending(session.id, is_deleted=True):
        context().runtime.remove(session)
    context().pushes.end_session(session_id, "its session was deleted")
    return success_json(session_id, "was deleted")


@sessions.get("/reset")
@operation(
    query=SessionQuery,
    answers={200: ResetAnswer},
    problems=(404, 409, 507),
    tag="sessions",
    scope="speak",
)
def reset_by_query() -> dict[str, Any]:
    """End a conversation; the next one starts with an empty film."""
    if request.method == "HEAD":  # Flask adds it to GET, and it must change nothing
        raise MethodNotAllowed(["GET", "POST", "OPTIONS"])
    return reset(read_query(SessionQuery).session_id, {})


@sessions.post("/reset")
@operation(
    body=ResetBody,
    query=ResetBody,
    answers={200: ResetAnswer},
    problems=(404, 409, 507),
    tag="sessions",
    scope="speak",
)
def reset_by_body() -> dict[str, Any]:
    """Like `GET /reset`; the request may choose another avatar and voice."""
    body = read_body_or_query(ResetBody)
    return reset(body.session_id, body.named())


def reset(session_id: str, named: dict[str, Any]) -> dict[str, Any]:
    """Reset a session and return the response."""
    runtime = context().runtime
    session = find_session(session_id)
    with context().conversations.ending(session.id):
        name = runtime.reset(session, named)
    archived = runtime.archive.find(session_id, name) if name is not None else None
    archive = archive_json(archived) if archived is not None else None
    return success_json(session_id, "is empty") | {"archive": archive}


def require_session(session_id: str) -> Session:
    """Return the session of this id; raises BadSessionId and UnknownSession."""
    session = find_session(session_id)
    if session_id not in context().runtime.sessions.registry:
        raise UnknownSession(session_id)
    return session


def success_json(session_id: str, outcome: str) -> dict[str, Any]:
    """JSON of a change to a session."""
    return {
        "status": "success",
        "session_id": session_id,
        "message": f"session {session_id!r} {outcome}",
    }
