"""`POST /interrupt`: stop the current speech."""

from dataclasses import asdict
from typing import Annotated, Any

from flask import Blueprint
from pydantic import Field

from api.answers.sessions import InterruptAnswer
from api.body import Body, read_body_or_query
from api.context import context, find_session
from api.example import example
from api.operation import operation
from warm.render.jobs import InterruptResult
from warm.sessions.paths import DEFAULT_SESSION

interrupting = Blueprint("interrupt", __name__)


class InterruptBody(Body):
    """The body or query of `POST /interrupt`."""

    model_config = example(session_id="paris")

    session_id: str = DEFAULT_SESSION
    position_s: Annotated[float | None, Field(ge=0, le=10_000_000, allow_inf_nan=False)] = None
    """Position of the player in the film, seconds. What comes after it leaves the conversation;
    without it, the position of a live viewer is assumed."""


@interrupting.post("/interrupt")
@operation(
    body=InterruptBody,
    query=InterruptBody,
    answers={200: InterruptAnswer},
    problems=(409, 507),
    tag="speech",
    scope="speak",
)
def interrupt() -> dict[str, Any]:
    """Stop the speech and the answers of a session; answers when the end of the film is on disk."""
    body = read_body_or_query(InterruptBody)
    session = find_session(body.session_id)
    return interrupt_json(context().conversations.interrupt(session, body.position_s))


def interrupt_json(result: InterruptResult) -> dict[str, Any]:
    """JSON of the end of the film, and of the position that a viewer has reached."""
    position_s = result.frame / result.fps
    outcome = "was not speaking"
    if result.interrupted:
        outcome = f"was interrupted at {position_s:.2f} s"
    elif result.dropped:
        outcome = f"had not started to speak; waiting requests that were dropped: {result.dropped}"
    return {
        "status": "success",
        "session_id": result.session_id,
        "interrupted": result.interrupted,
        "position_s": position_s,
        "frame": result.frame,
        "dropped": result.dropped,
        "played_s": round(result.played / result.fps, 3),
        "heard": None if result.heard is None else asdict(result.heard),
        "message": f"session {result.session_id!r} {outcome}",
    }
