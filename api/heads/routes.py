"""`/heads`: the servers that share this results folder, and their hand-overs."""

import time
from typing import Annotated, Any

from flask import Blueprint, request
from pydantic import Field

from api.answers.heads import (
    DrainedAnswer,
    HeadsAnswer,
    OwnAvatarAnswer,
    OwnHeadAnswer,
    OwnJobsAnswer,
    OwnUploadAnswer,
    ReleasedAnswer,
    RemovedAnswer,
)
from api.body import Body, read_body_or_query, read_query
from api.context import AppContext, context
from api.example import example
from api.heads.job_pages import page_json
from api.heads.upload_copies import own_record, remove_own
from api.operation import operation
from warm import VERSION
from warm.heads.errors import NoHeads, NotAHead
from warm.heads.head import Head
from warm.heads.heads import Heads
from warm.heads.peers import RELAY_HEADER
from warm.jobs.jobs import MAX_PAGE
from warm.sessions.paths import DEFAULT_SESSION

POLL_S = 0.1
PASSED_ON = "the head is being drained"

heads = Blueprint("heads", __name__)


class HeadSessionQuery(Body):
    """The query of another head."""

    session_id: str = DEFAULT_SESSION


class HeadJobsQuery(Body):
    """The query of another head that lists jobs."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE, strict=False)]
    token: str | None = None
    surface: str | None = None
    owner: str | None = None
    """Only jobs of this caller; all without it."""


class HeadAvatarQuery(Body):
    """The query of another head about an avatar."""

    avatar_id: str


class HeadUploadQuery(Body):
    """The query of another head about an upload."""

    upload_id: str


class DrainBody(Body):
    """The body or query of `POST /heads/drain`."""

    model_config = example(timeout_s=60.0)

    timeout_s: Annotated[float, Field(ge=0, le=3600)] = 60.0


@heads.get("/heads")
@operation(answers={200: HeadsAnswer}, tag="server", scope="watch")
def list_all() -> dict[str, Any]:
    """The servers that share this results folder, and the sessions that they have at present."""
    known = context().heads
    if known is None:
        return {"heads": []}
    found = [own_json(known), *(other_json(known, head) for head in known.others())]
    return {"heads": sorted(found, key=lambda each: str(each["name"]))}


@heads.get("/heads/own")
@operation(
    query=HeadSessionQuery, answers={200: OwnHeadAnswer}, problems=(403, 404), tag="server",
    scope="public",
)  # fmt: skip
def show_own() -> dict[str, Any]:
    """For other heads: the state of this head."""
    known = require_head()
    session_id = read_query(HeadSessionQuery).session_id
    return {
        "head": known.own.name,
        "version": VERSION,
        "holds": session_id in known.claims.held(),
        "is_draining": known.is_draining,
        "sessions": sessions_of(context()),
    }


@heads.get("/heads/jobs")
@operation(
    query=HeadJobsQuery, answers={200: OwnJobsAnswer}, problems=(403, 404), tag="server",
    scope="public",
)  # fmt: skip
def list_jobs() -> dict[str, Any]:
    """For other heads: jobs of this head, the newest first."""
    require_head()
    query = read_query(HeadJobsQuery)
    return page_json(context().jobs.list(query.surface, query.owner, query.limit, query.token))


@heads.get("/heads/avatars")
@operation(
    query=HeadAvatarQuery, answers={200: OwnAvatarAnswer}, problems=(403, 404), tag="server",
    scope="public",
)  # fmt: skip
def show_avatar() -> dict[str, Any]:
    """For other heads: the jobs of this head that use an avatar."""
    require_head()
    return {"jobs": context().usage.own_jobs(read_query(HeadAvatarQuery).avatar_id)}


@heads.get("/heads/uploads")
@operation(
    query=HeadUploadQuery, answers={200: OwnUploadAnswer}, problems=(403, 404), tag="server",
    scope="public",
)  # fmt: skip
def show_upload() -> dict[str, Any]:
    """For other heads: the record of an upload of this head."""
    require_head()
    return {"upload": own_record(read_query(HeadUploadQuery).upload_id)}


@heads.delete("/heads/uploads")
@operation(
    query=HeadUploadQuery, answers={200: RemovedAnswer}, problems=(403, 404), tag="server",
    scope="public",
)  # fmt: skip
def remove_upload() -> dict[str, Any]:
    """For other heads: remove an upload that its owner has deleted."""
    require_head()
    return {"is_used": remove_own(read_query(HeadUploadQuery).upload_id)}


@heads.post("/heads/release")
@operation(
    query=HeadSessionQuery, answers={200: ReleasedAnswer}, problems=(403, 404), tag="server",
    scope="public",
)  # fmt: skip
def release() -> dict[str, Any]:
    """For other heads: leave a session to them, unless it is in use here."""
    require_head()
    reason = leave(context(), read_query(HeadSessionQuery).session_id)
    return {"released": reason is None, "reason": reason}


@heads.post("/heads/drain")
@operation(
    body=DrainBody, query=DrainBody, answers={200: DrainedAnswer}, problems=(404,), tag="server",
    scope="admin",
)  # fmt: skip
def drain() -> dict[str, Any]:
    """Take no more sessions, and leave those that are here to other heads as soon as they are
    silent. Answers when all are gone, or after `timeout_s`; the head can then be stopped."""
    known, app_context = context().heads, context()
    if known is None:
        raise NoHeads
    timeout_s = read_body_or_query(DrainBody).timeout_s
    known.drain()
    deadline_s = time.monotonic() + timeout_s
    while not is_drained(app_context) and time.monotonic() < deadline_s:
        leave_all(app_context)
        time.sleep(POLL_S)
    found = app_context.runtime.health()
    return {
        "head": known.own.name,
        "is_drained": is_drained(app_context),
        "sessions": sessions_of(app_context),
        "speaking": found.processing,
        "waiting": found.queued,
    }


def leave(app_context: AppContext, session_id: str, *, disturbs: bool = False) -> str | None:
    """Leave a session to other heads; return the reason if it stays.

    With `disturbs`, its live viewers are disconnected.
    """
    if not disturbs and not app_context.runtime.sessions.registry.ownership.is_settled(session_id):
        return "it was claimed just now"
    if app_context.conversations.is_answering(session_id):
        return "a turn is being answered"
    if app_context.runtime.has_unanswered(session_id):
        return "it is in use"  # its live viewers are not disconnected before it is silent
    if disturbs:
        app_context.pushes.end_session(session_id, PASSED_ON)
        app_context.live.leave(session_id, PASSED_ON)
    elif app_context.pushes.of_session(session_id):
        return "it is being pushed"
    app_context.conversations.leave(session_id)
    return app_context.runtime.hand_over(session_id, disturbs=disturbs)


def leave_all(app_context: AppContext) -> None:
    """Leave all sessions that are silent to other heads."""
    for session_id in app_context.runtime.sessions.registry.ownership.owned():
        leave(app_context, session_id, disturbs=True)


def is_drained(app_context: AppContext) -> bool:
    """True if a head has no session, and nothing to render for one."""
    found = app_context.runtime.health()
    return not (sessions_of(app_context) or found.processing or found.queued)


def sessions_of(app_context: AppContext) -> list[str]:
    """Return the sessions that belong to this head and exist."""
    registry = app_context.runtime.sessions.registry
    return [each for each in registry.ownership.owned() if each in registry]


def own_json(known: Heads) -> dict[str, Any]:
    """JSON of this head."""
    return head_json(known.own) | {
        "is_own": True,
        "is_answering": True,
        "is_draining": known.is_draining,
        "sessions": sessions_of(context()),
    }


def other_json(known: Heads, head: Head) -> dict[str, Any]:
    """JSON of another head, with what it reports."""
    found = known.peers.get(head, "/heads/own?session_id=default", {})
    is_answering = found is not None and found.get("head") == head.name
    facts = found if found is not None and is_answering else {}
    return head_json(head) | {
        "is_own": False,
        "is_answering": is_answering,
        "is_draining": facts.get("is_draining"),
        "sessions": facts.get("sessions"),
    }


def head_json(head: Head) -> dict[str, Any]:
    """JSON of the name and the address of a head."""
    return {"name": head.name, "url": head.url, "version": head.version}


def require_head() -> Heads:
    """Return the heads; raises NoHeads, and NotAHead unless another head sent the request."""
    known = context().heads
    if known is None:
        raise NoHeads
    if known.peers.sender(request.headers.get(RELAY_HEADER)) is None:
        raise NotAHead(RELAY_HEADER)
    return known
