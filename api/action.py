"""`POST /action`: show an action clip of the avatar."""

from typing import Annotated, Any

from flask import Blueprint, g
from pydantic import Field

from api.answers.actions import ActionQueuedAnswer
from api.body import Body, read_body_or_query
from api.client_address import request_client
from api.context import context, find_session
from api.example import example
from api.operation import operation
from warm.render.jobs import Origin
from warm.render.planned_action import PlannedAction, When
from warm.sessions.paths import DEFAULT_SESSION

acting = Blueprint("action", __name__)


class ActionBody(Body):
    """The body or query of `POST /action`."""

    model_config = example(name="wave", session_id="paris")

    name: Annotated[str, Field(max_length=64)]
    """One of the actions in `GET /avatars/{id}`."""
    session_id: str = DEFAULT_SESSION
    when: When = "sentence"
    """Beginning while something is said: `now` with the next picture, `sentence` with the next
    sentence, `silence` after the speech."""


@acting.post("/action")
@operation(
    body=ActionBody,
    query=ActionBody,
    answers={202: ActionQueuedAnswer},
    problems=(404, 409, 507),
    tag="speech",
    scope="speak",
)
def act() -> tuple[dict[str, Any], int]:
    """Show an action of the session's avatar: over what is being said, or in the silence.

    Answers when it is queued.
    """
    body = read_body_or_query(ActionBody)
    runtime, session = context().runtime, find_session(body.session_id)
    planned = PlannedAction(name=body.name, when=body.when)
    origin = Origin(client=request_client(), request_id=g.request_id)
    _, action = runtime.act(session, planned, origin=origin)
    return {
        "status": "success",
        "session_id": session.id,
        "name": action.name,
        "when": body.when,
        "frames": action.frames,
        "duration_s": action.frames / context().settings.fps,
    }, 202
